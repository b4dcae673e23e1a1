/*
 * Wrapping the raw, mem and object domains.
 *
 * Each wrapped allocator is kept in a slot of its own, for ever: the hook finds it through the
 * context pointer. Up to 3.13 start-up switches the raw domain to the plain allocator for moments
 * and back to what it was, which must then still lead where it led.
 *
 * Start-up may also throw the hooks away: -X dev and PYTHONMALLOC set the domains anew. What then
 * stands there is CPython's own: it has no context, or it is the debugging allocator, whose
 * function is learnt here by setting up and undoing the debug hooks once. Anything else in our
 * place (tracemalloc, a program's own allocator) wraps ours and is left alone.
 *
 * What CPython maps for itself is kept out of the mappings that are recorded (mmap_hooks.c): the
 * arenas of pymalloc, whose blocks are recorded one by one, and from 3.11 on the chunks that its
 * frames lie in, which are stacks. Both come from the arena allocator, also while the hooks of a
 * domain are not in their place.
 */
#include "pymem_hooks.h"

#include <stddef.h>

#include "code_table.h"
#include "hook_call.h"
#include "recorder.h"
#include "shim.h"
#include "wire.h"

/* PyMemAllocatorEx and PyMemAllocatorDomain of cpython/pymem.h; the same in 3.8 to 3.15. */
struct py_allocator {
    void *context;
    void *(*malloc)(void *context, size_t size);
    void *(*calloc)(void *context, size_t count, size_t size);
    void *(*realloc)(void *context, void *block, size_t size);
    void (*free)(void *context, void *block);
};
/* PyObjectArenaAllocator; likewise. */
struct py_arena_allocator {
    void *context;
    void *(*alloc)(void *context, size_t size);
    void (*free)(void *context, void *arena, size_t size);
};
enum py_domain { PY_DOMAIN_RAW, PY_DOMAIN_MEM, PY_DOMAIN_OBJECT, PY_DOMAIN_COUNT };

/* An allocator that has been wrapped. */
struct wrapped {
    struct py_allocator real;
    enum wire_allocator allocator;
};

/* As many as there are CPython's own allocators, in each domain, and some to spare. */
#define WRAPPED_MAX 32u
static struct wrapped wrapped[WRAPPED_MAX];
static unsigned wrapped_count;

static struct {
    void (*get_allocator)(int domain, struct py_allocator *allocator);
    void (*set_allocator)(int domain, struct py_allocator *allocator);
    void (*setup_debug_hooks)(void);
    int (*is_initialized)(void);
    void *(*debug_malloc)(void *, size_t); /* of the mem and object domains */
    void *(*debug_raw_malloc)(void *, size_t);
    bool began_with_headers;
    struct py_arena_allocator arenas; /* as they were */
} python;

static inline void *finish(struct hook_call *call, const struct wrapped *domain, void *block,
                           size_t size)
{
    hook_record(call);
    if (SHIM_LIKELY(block != NULL))
        record_allocation(block, size, domain->allocator, call->busy, call->frame);
    else
        record_refusal(size);
    hook_leave(call);
    return block;
}

static void *hook_malloc(void *context, size_t size)
{
    const struct wrapped *domain = context;
    struct hook_call call;
    if (!hook_enter(&call))
        return domain->real.malloc(domain->real.context, size);
    hook_call_real(&call);
    return finish(&call, domain, domain->real.malloc(domain->real.context, size), size);
}

static void *hook_calloc(void *context, size_t count, size_t size)
{
    const struct wrapped *domain = context;
    struct hook_call call;
    if (!hook_enter(&call))
        return domain->real.calloc(domain->real.context, count, size);
    hook_call_real(&call);
    return finish(&call, domain, domain->real.calloc(domain->real.context, count, size),
                  count * size);
}

/* CPython's realloc never frees: of size 0 it gives a block like any other. */
static void *hook_realloc(void *context, void *old, size_t size)
{
    const struct wrapped *domain = context;
    struct hook_call call;
    if (!hook_enter(&call))
        return domain->real.realloc(domain->real.context, old, size);
    if (old)
        record_realloc_free(old, call.busy);
    hook_call_real_free(&call, old);
    void *block = domain->real.realloc(domain->real.context, old, size);
    if (SHIM_UNLIKELY(!block && old)) {
        hook_record(&call);
        record_realloc_failed(old, call.busy);
        record_refusal(size);
        hook_leave(&call);
        return NULL;
    }
    return finish(&call, domain, block, size);
}

static void hook_free(void *context, void *block)
{
    const struct wrapped *domain = context;
    struct hook_call call;
    if (!block || !hook_enter(&call)) {
        if (block)
            hook_pass_free(block);
        domain->real.free(domain->real.context, block);
        return;
    }
    record_free(block);
    hook_call_real_free(&call, block);
    domain->real.free(domain->real.context, block);
    hook_leave(&call);
}

/* The guard makes the mapping a part of this call, which itself is not recorded. */
static void *hook_arena_alloc(void *context, size_t size)
{
    struct hook_call call;
    if (!hook_enter(&call))
        return python.arenas.alloc(context, size);
    hook_call_real(&call);
    void *arena = python.arenas.alloc(context, size);
    hook_leave(&call);
    return arena;
}

static void hook_arena_free(void *context, void *arena, size_t size)
{
    struct hook_call call;
    if (!hook_enter(&call)) {
        python.arenas.free(context, arena, size);
        return;
    }
    hook_call_real(&call);
    python.arenas.free(context, arena, size);
    hook_leave(&call);
}

/* A code object is one plain block of the object domain, and its type still stands in it. */
static void hook_free_object(void *context, void *block)
{
    if (block &&
        SHIM_UNLIKELY(python_layout.code_type &&
                      *(const void **)((char *)block + python_layout.object_type) ==
                          python_layout.code_type) &&
        shim_gate_open()) {
        struct hook_call call;
        if (hook_begin_work(&call)) {
            code_table_forget((uintptr_t)block);
            hook_leave(&call);
        }
    }
    hook_free(context, block);
}

static bool is_hooked(const struct py_allocator *allocator)
{
    return allocator->malloc == hook_malloc;
}

static bool is_cpythons_own(const struct py_allocator *allocator)
{
    return !allocator->context || allocator->malloc == python.debug_malloc ||
           allocator->malloc == python.debug_raw_malloc;
}

/* The slot for an allocator of a domain; null when there is none left. */
static struct wrapped *slot_for(const struct py_allocator *real, enum wire_allocator allocator)
{
    for (unsigned i = 0; i < wrapped_count; i++)
        if (wrapped[i].allocator == allocator && wrapped[i].real.malloc == real->malloc &&
            wrapped[i].real.context == real->context)
            return &wrapped[i];
    if (wrapped_count == WRAPPED_MAX)
        return NULL;
    wrapped[wrapped_count] = (struct wrapped){*real, allocator};
    return &wrapped[wrapped_count++];
}

static void wrap(enum py_domain domain)
{
    static const enum wire_allocator allocators[PY_DOMAIN_COUNT] = {
        [PY_DOMAIN_RAW] = WIRE_ALLOCATOR_RAW,
        [PY_DOMAIN_MEM] = WIRE_ALLOCATOR_MEM,
        [PY_DOMAIN_OBJECT] = WIRE_ALLOCATOR_OBJECT,
    };
    struct py_allocator seen;
    python.get_allocator((int)domain, &seen);
    if (is_hooked(&seen) || !is_cpythons_own(&seen))
        return;
    struct py_allocator hook = {
        .context = slot_for(&seen, allocators[domain]),
        .malloc = hook_malloc,
        .calloc = hook_calloc,
        .realloc = hook_realloc,
        .free = domain == PY_DOMAIN_OBJECT ? hook_free_object : hook_free,
    };
    if (hook.context)
        python.set_allocator((int)domain, &hook);
}

static void wrap_all(void)
{
    for (enum py_domain domain = 0; domain < PY_DOMAIN_COUNT; domain++)
        wrap(domain);
}

/* Learns which function CPython's debug hooks have, leaving all as it was. */
static void learn_debug_hooks(void)
{
    struct py_allocator plain[PY_DOMAIN_COUNT], debug;
    for (int domain = 0; domain < PY_DOMAIN_COUNT; domain++)
        python.get_allocator(domain, &plain[domain]);
    python.setup_debug_hooks();
    python.get_allocator(PY_DOMAIN_OBJECT, &debug);
    python.debug_malloc = debug.malloc;
    python.get_allocator(PY_DOMAIN_RAW, &debug);
    python.debug_raw_malloc = debug.malloc;
    python.began_with_headers = plain[PY_DOMAIN_RAW].malloc == debug.malloc;
    for (int domain = 0; domain < PY_DOMAIN_COUNT; domain++)
        python.set_allocator(domain, &plain[domain]);
}

static void wrap_arenas(symbol_lookup *lookup, void *handle)
{
    void (*get)(struct py_arena_allocator * allocator);
    void (*set)(struct py_arena_allocator * allocator);
    *(void **)&get = lookup(handle, "PyObject_GetArenaAllocator");
    *(void **)&set = lookup(handle, "PyObject_SetArenaAllocator");
    if (!get || !set)
        return;
    get(&python.arenas);
    struct py_arena_allocator hook = {python.arenas.context, hook_arena_alloc, hook_arena_free};
    set(&hook);
}

bool pymem_hooks_install(symbol_lookup *lookup, void *handle)
{
    *(void **)&python.get_allocator = lookup(handle, "PyMem_GetAllocator");
    *(void **)&python.set_allocator = lookup(handle, "PyMem_SetAllocator");
    *(void **)&python.setup_debug_hooks = lookup(handle, "PyMem_SetupDebugHooks");
    *(void **)&python.is_initialized = lookup(handle, "Py_IsInitialized");
    if (!python.get_allocator || !python.set_allocator || !python.setup_debug_hooks ||
        !python.is_initialized)
        return false;
    learn_debug_hooks();
    wrap_all();
    wrap_arenas(lookup, handle);
    return true;
}

bool pymem_hooks_renew(void)
{
    struct py_allocator raw;
    python.get_allocator(PY_DOMAIN_RAW, &raw);
    wrap_all();
    return raw.malloc == python.debug_raw_malloc;
}

bool pymem_hooks_began_with_headers(void)
{
    return python.began_with_headers;
}

bool pymem_hooks_initialized(void)
{
    return python.is_initialized() != 0;
}
