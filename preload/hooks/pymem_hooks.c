/*
 * Wrapping the raw, mem and object domains.
 *
 * Each wrapped allocator is kept in a slot of its own, for ever, and each slot has four functions
 * of its own, which know it without being told. The context that they are called with says nothing:
 * a program may ask for an allocator once and call its functions with none, as CPython's own allow
 * (Nuitka does), and what it frees so must go where it came from, also when start-up has replaced
 * the allocator meanwhile. For the same reason up to 3.13 the raw domain leads where it led after
 * start-up has switched it to the plain allocator for a moment and back.
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
#include "preload/hooks/pymem_hooks.h"

#include <stddef.h>

#include "preload/base/shim.h"
#include "preload/carrier/places.h"
#include "preload/hooks/nested_free.h"
#include "preload/hooks/recorder.h"
#include "preload/python/code_table.h"
#include "preload/python/stack_chunks.h"
#include "preload/thread/hook_call.h"
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

/* Slots of a domain: more than CPython has allocators of its own for one. */
#define WRAPPED_MAX 8u

/* An allocator that has been wrapped. */
struct wrapped {
    struct py_allocator real; /* without functions: the slot is free */
    enum wire_allocator allocator;
};

static struct wrapped wrapped[PY_DOMAIN_COUNT][WRAPPED_MAX];

static struct {
    void (*get_allocator)(int domain, struct py_allocator *allocator);
    void (*set_allocator)(int domain, struct py_allocator *allocator);
    void (*setup_debug_hooks)(void);
    int (*is_initialized)(void);
    void *(*debug_malloc)(void *, size_t); /* of the mem and object domains */
    void *(*debug_raw_malloc)(void *, size_t);
    bool began_with_headers;
    struct py_arena_allocator arenas; /* as they were */
    void (*get_arena_allocator)(struct py_arena_allocator *allocator);
} python;

/* What a slot's functions jump to. */
#define SLOT_CALL __attribute__((noinline, noclone))

static inline void *finish_allocation(struct hook_call *call, const struct wrapped *domain,
                                      void *block, size_t size)
{
    hook_record(call);
    if (SHIM_LIKELY(block != NULL))
        record_allocation(block, size, domain->allocator, call->busy, call->frame);
    else
        record_refusal(size, call->busy, call->frame);
    hook_leave(call);
    return block;
}

/* The raw domain may be used without the interpreter, the others may not. */
static inline __attribute__((always_inline)) void *hook_allocate(const struct wrapped *domain,
                                                                 size_t size, bool is_held)
{
    struct hook_call call;
    if (!hook_enter_as(&call, is_held))
        return domain->real.malloc(domain->real.context, size);
    hook_call_real(&call);
    return finish_allocation(&call, domain, domain->real.malloc(domain->real.context, size), size);
}

static SLOT_CALL void *hook_malloc_raw(const struct wrapped *domain, size_t size)
{
    return hook_allocate(domain, size, false);
}

static SLOT_CALL void *hook_malloc(const struct wrapped *domain, size_t size)
{
    return hook_allocate(domain, size, true);
}

static inline __attribute__((always_inline)) void *
allocate_zeroed(const struct wrapped *domain, size_t count, size_t size, bool is_held)
{
    struct hook_call call;
    if (!hook_enter_as(&call, is_held))
        return domain->real.calloc(domain->real.context, count, size);
    hook_call_real(&call);
    return finish_allocation(&call, domain, domain->real.calloc(domain->real.context, count, size),
                             count * size);
}

static SLOT_CALL void *hook_calloc_raw(const struct wrapped *domain, size_t count, size_t size)
{
    return allocate_zeroed(domain, count, size, false);
}

static SLOT_CALL void *hook_calloc(const struct wrapped *domain, size_t count, size_t size)
{
    return allocate_zeroed(domain, count, size, true);
}

/* CPython's realloc never frees: of size 0 it gives a block like any other. The interpreter is not
 * asked in one: the list that grows still points to its old block. */
static SLOT_CALL void *hook_realloc(const struct wrapped *domain, void *old, size_t size)
{
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
        record_refusal(size, call.busy, call.frame);
        hook_leave(&call);
        return NULL;
    }
    return finish_allocation(&call, domain, block, size);
}

static inline __attribute__((always_inline)) void free_block(const struct wrapped *domain,
                                                             void *block)
{
    struct hook_call call;
    if (!block || !hook_enter(&call)) {
        if (block)
            nested_free_record(block);
        domain->real.free(domain->real.context, block);
        return;
    }
    record_free(block);
    hook_call_real_free(&call, block);
    domain->real.free(domain->real.context, block);
    hook_leave(&call);
}

static SLOT_CALL void hook_free(const struct wrapped *domain, void *block)
{
    free_block(domain, block);
}

/* A code object is one plain block of the object domain, and its type still stands in it. */
static SLOT_CALL void hook_free_object(const struct wrapped *domain, void *block)
{
    if (block &&
        SHIM_UNLIKELY(python_layout.code_type &&
                      *(const void **)((char *)block + python_layout.at.object_type) ==
                          python_layout.code_type) &&
        shim_gate_open()) {
        struct hook_call call;
        if (hook_begin_work(&call)) {
            code_table_forget((uintptr_t)block);
            hook_leave(&call);
        }
    }
    free_block(domain, block);
}

/* --- the functions of the slots --- */

/* They jump: a frame of their own would stand between the hook and its caller. */
#define SLOT_NAME(function, domain, slot) function##_##domain##_##slot
#define DEFINE_SLOT(domain, slot, malloc_function, calloc_function, free_function)                 \
    static void *SLOT_NAME(malloc, domain, slot)(void *context, size_t size)                       \
    {                                                                                              \
        (void)context;                                                                             \
        return malloc_function(&wrapped[domain][slot], size);                                      \
    }                                                                                              \
    static void *SLOT_NAME(calloc, domain, slot)(void *context, size_t count, size_t size)         \
    {                                                                                              \
        (void)context;                                                                             \
        return calloc_function(&wrapped[domain][slot], count, size);                               \
    }                                                                                              \
    static void *SLOT_NAME(realloc, domain, slot)(void *context, void *old, size_t size)           \
    {                                                                                              \
        (void)context;                                                                             \
        return hook_realloc(&wrapped[domain][slot], old, size);                                    \
    }                                                                                              \
    static void SLOT_NAME(free, domain, slot)(void *context, void *block)                          \
    {                                                                                              \
        (void)context;                                                                             \
        free_function(&wrapped[domain][slot], block);                                              \
    }
#define FUNCTIONS_OF_SLOT(domain, slot, unused)                                                    \
    [slot] = {.malloc = SLOT_NAME(malloc, domain, slot),                                           \
              .calloc = SLOT_NAME(calloc, domain, slot),                                           \
              .realloc = SLOT_NAME(realloc, domain, slot),                                         \
              .free = SLOT_NAME(free, domain, slot)},
#define FOR_EACH_SLOT(what, domain, ...)                                                           \
    what(domain, 0, __VA_ARGS__) what(domain, 1, __VA_ARGS__) what(domain, 2, __VA_ARGS__)         \
        what(domain, 3, __VA_ARGS__) what(domain, 4, __VA_ARGS__) what(domain, 5, __VA_ARGS__)     \
            what(domain, 6, __VA_ARGS__) what(domain, 7, __VA_ARGS__)

FOR_EACH_SLOT(DEFINE_SLOT, PY_DOMAIN_RAW, hook_malloc_raw, hook_calloc_raw, hook_free)
FOR_EACH_SLOT(DEFINE_SLOT, PY_DOMAIN_MEM, hook_malloc, hook_calloc, hook_free)
FOR_EACH_SLOT(DEFINE_SLOT, PY_DOMAIN_OBJECT, hook_malloc, hook_calloc, hook_free_object)

static const struct py_allocator slot_functions[PY_DOMAIN_COUNT][WRAPPED_MAX] = {
    [PY_DOMAIN_RAW] = {FOR_EACH_SLOT(FUNCTIONS_OF_SLOT, PY_DOMAIN_RAW, )},
    [PY_DOMAIN_MEM] = {FOR_EACH_SLOT(FUNCTIONS_OF_SLOT, PY_DOMAIN_MEM, )},
    [PY_DOMAIN_OBJECT] = {FOR_EACH_SLOT(FUNCTIONS_OF_SLOT, PY_DOMAIN_OBJECT, )},
};

/* --- arenas --- */

/* The guard makes the mapping a part of this call, which itself is not recorded. pymalloc asks
 * inside the call of a domain, the interpreter for its frames outside of any. */
static void *hook_arena_alloc(void *context, size_t size)
{
    struct hook_call call;
    if (!hook_enter(&call)) {
        void *arena = python.arenas.alloc(context, size);
        if (arena)
            place_tell_nested(WIRE_PLACE_ARENA, (uintptr_t)arena, size);
        return arena;
    }
    hook_call_real(&call);
    void *frames = python.arenas.alloc(context, size);
    hook_record(&call);
    if (frames)
        place_tell(WIRE_PLACE_FRAMES, (uintptr_t)frames, size);
    hook_leave(&call);
    return frames;
}

static void hook_arena_free(void *context, void *arena, size_t size)
{
    struct hook_call call;
    stack_chunks_forget((uintptr_t)arena);
    if (!hook_enter(&call)) {
        place_tell_nested(WIRE_PLACE_GONE, (uintptr_t)arena, size);
        python.arenas.free(context, arena, size);
        return;
    }
    place_tell(WIRE_PLACE_GONE, (uintptr_t)arena, size);
    hook_call_real(&call);
    python.arenas.free(context, arena, size);
    hook_leave(&call);
}

/* --- wrapping --- */

/* A program may have put another domain's there. */
static bool is_hooked(const struct py_allocator *allocator)
{
    for (unsigned domain = 0; domain < PY_DOMAIN_COUNT; domain++)
        for (unsigned slot = 0; slot < WRAPPED_MAX; slot++)
            if (allocator->malloc == slot_functions[domain][slot].malloc)
                return true;
    return false;
}

static bool is_debugging(const struct py_allocator *allocator)
{
    return allocator->malloc == python.debug_malloc || allocator->malloc == python.debug_raw_malloc;
}

static bool is_cpythons_own(const struct py_allocator *allocator)
{
    return !allocator->context || is_debugging(allocator);
}

/* The slot for an allocator of a domain; WRAPPED_MAX when there is none left. */
static unsigned slot_for(enum py_domain domain, const struct py_allocator *real)
{
    static const enum wire_allocator allocators[PY_DOMAIN_COUNT] = {
        [PY_DOMAIN_RAW] = WIRE_ALLOCATOR_RAW,
        [PY_DOMAIN_MEM] = WIRE_ALLOCATOR_MEM,
        [PY_DOMAIN_OBJECT] = WIRE_ALLOCATOR_OBJECT,
    };
    for (unsigned slot = 0; slot < WRAPPED_MAX; slot++) {
        struct wrapped *entry = &wrapped[domain][slot];
        if (!entry->real.malloc)
            *entry = (struct wrapped){*real, allocators[domain]};
        if (entry->real.malloc == real->malloc && entry->real.context == real->context)
            return slot;
    }
    return WRAPPED_MAX;
}

static void wrap_domain(enum py_domain domain)
{
    struct py_allocator seen;
    python.get_allocator((int)domain, &seen);
    if (is_hooked(&seen) || !is_cpythons_own(&seen))
        return;
    unsigned slot = slot_for(domain, &seen);
    if (slot == WRAPPED_MAX)
        return;
    if (is_debugging(&seen))
        nested_free_expect_headers();
    struct py_allocator hook = slot_functions[domain][slot];
    hook.context = seen.context; /* for who asks for the allocator */
    python.set_allocator((int)domain, &hook);
}

static void wrap_all(void)
{
    for (enum py_domain domain = 0; domain < PY_DOMAIN_COUNT; domain++)
        wrap_domain(domain);
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

static bool are_arenas_seen(void)
{
    struct py_arena_allocator now;
    python.get_arena_allocator(&now);
    return now.free == hook_arena_free;
}

static void wrap_arenas(symbol_lookup *lookup, void *handle)
{
    void (*set)(struct py_arena_allocator * allocator);
    *(void **)&python.get_arena_allocator = lookup(handle, "PyObject_GetArenaAllocator");
    *(void **)&set = lookup(handle, "PyObject_SetArenaAllocator");
    if (!python.get_arena_allocator || !set)
        return;
    python.get_arena_allocator(&python.arenas);
    struct py_arena_allocator hook = {python.arenas.context, hook_arena_alloc, hook_arena_free};
    set(&hook);
    stack_chunks_begin(are_arenas_seen);
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
