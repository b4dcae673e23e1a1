/*
 * States: not Python yet (WATCH_LIBRARY), Python starting up (WATCH_START_UP), settled
 * (WATCH_NOTHING). The watch is taken (set to WATCH_NOTHING) while someone acts on it, so that
 * neither another thread nor the action's own allocations act twice.
 *
 * A libpython that comes by dlopen is noticed by its first call of malloc: wrapping dlopen would
 * break $ORIGIN look-ups of its caller.
 */
#include "preload/hooks/python_arrival.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>

#include "handshake.h"
#include "preload/base/complaint.h"
#include "preload/base/environment.h"
#include "preload/carrier/ring_writer.h"
#include "preload/hooks/pymem_hooks.h"
#include "preload/native/native_rules.h"
#include "preload/process/fork.h"
#include "preload/process/recording.h"
#include "preload/python/code_table.h"
#include "preload/python/python_layout.h"
#include "preload/python/python_objects.h"
#include "preload/thread/hook_call.h"
#include "preload/thread/thread_state.h"

_Atomic uint32_t arrival_watch;

/* CPython's symbols can be had from `handle`: attach, wrap, record. */
static bool python_arrived(void *handle)
{
    python_layout_init(dlsym, handle);
    python_objects_init(dlsym, handle);
    if (shim_walks_native)
        native_rules_set_interpreter(&(struct native_interpreter){
            .evaluation = (uintptr_t)dlsym(handle, "_PyEval_EvalFrameDefault"),
            .recursion_check = (uintptr_t)dlsym(handle, "_Py_CheckRecursiveCall"),
            .any = (uintptr_t)dlsym(handle, "PyMem_SetAllocator")});
    if (!recording_attach(0, 0))
        return false;
    if (!code_table_init() || !thread_state_init(hook_thread_ends) || !fork_init()) {
        complain("no memory to trace this process; it runs untraced");
        return false;
    }
    ring_note_taken = thread_state_expect_end;
    ring_has_lost = code_table_forget_all;
    recording_begin();
    if (environment_value(ENVIRONMENT_NATIVE) && !shim_walks_native)
        complain("libunwind 8 is missing (Debian: libunwind8): native frames are not recorded");
    if (!python_layout_is_known())
        complain("this version or build of Python is not known: allocations are recorded without "
                 "Python stacks");
    if (pymem_hooks_install(dlsym, handle))
        atomic_store(&arrival_watch, WATCH_START_UP);
    return true;
}

void python_arrival_init(void)
{
    if (dlsym(RTLD_DEFAULT, "PyMem_SetAllocator"))
        python_arrived(RTLD_DEFAULT);
    else
        atomic_store(&arrival_watch, WATCH_LIBRARY);
}

static bool is_libpython(const char *path)
{
    const char *name = strrchr(path, '/');
    return strncmp(name ? name + 1 : path, "libpython", strlen("libpython")) == 0;
}

/* The library that `caller` lies in, when it is a libpython. No lock: _dl_find_object. */
static const char *libpython_of(const void *caller)
{
    static _Atomic(const void *) last_other; /* the library seen last that is none */
    struct dl_find_object object;
    if (_dl_find_object((void *)caller, &object) != 0 ||
        object.dlfo_map_start == atomic_load_explicit(&last_other, memory_order_relaxed))
        return NULL;
    const char *path = object.dlfo_link_map->l_name;
    if (is_libpython(path))
        return path;
    atomic_store_explicit(&last_other, object.dlfo_map_start, memory_order_relaxed);
    return NULL;
}

static bool act_on_library(const void *caller)
{
    const char *path = libpython_of(caller);
    if (!path)
        return false;
    uint32_t watch = WATCH_LIBRARY;
    if (shim_is_sealed() || !atomic_compare_exchange_strong(&arrival_watch, &watch, WATCH_NOTHING))
        return false;
    int saved = errno;
    void *handle = dlopen(path, RTLD_NOLOAD | RTLD_LAZY);
    bool arrived = handle && dlsym(handle, "PyMem_SetAllocator") && python_arrived(handle);
    errno = saved;
    return arrived && pymem_hooks_began_with_headers();
}

static bool act_on_start_up(void)
{
    uint32_t watch = WATCH_START_UP;
    if (!atomic_compare_exchange_strong(&arrival_watch, &watch, WATCH_NOTHING))
        return false;
    bool initialized = pymem_hooks_initialized();
    bool elsewhere = pymem_hooks_renew();
    if (!initialized)
        atomic_store(&arrival_watch, WATCH_START_UP);
    return elsewhere;
}

bool python_arrival_act(const void *caller)
{
    if (atomic_load(&arrival_watch) == WATCH_START_UP)
        return act_on_start_up();
    return act_on_library(caller);
}
