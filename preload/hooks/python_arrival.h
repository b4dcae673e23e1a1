/*
 * Noticing CPython: at start, when a library brings it later, and again when its own start-up has
 * replaced the allocators.
 */
#ifndef HEAPLINE_PRELOAD_PYTHON_ARRIVAL_H
#define HEAPLINE_PRELOAD_PYTHON_ARRIVAL_H

#include "preload/base/shim.h"

/* What the malloc hooks are to look out for. */
enum arrival_watch {
    WATCH_NOTHING = 0,
    WATCH_LIBRARY,  /* no CPython yet: is the caller a libpython? */
    WATCH_START_UP, /* CPython initializes: are the hooks still in place? */
};
extern _Atomic uint32_t arrival_watch;

bool python_arrival_act(const void *caller);

/* Called by every allocating malloc hook before anything else, with its return address. True: this
 * call is not to be recorded, for the block that CPython makes of it lies elsewhere. */
static inline bool python_arrival_look(const void *caller)
{
    return SHIM_UNLIKELY(atomic_load_explicit(&arrival_watch, memory_order_relaxed) !=
                         WATCH_NOTHING) &&
           python_arrival_act(caller);
}

/* At start: attaches when CPython is here, else waits for it. */
void python_arrival_init(void);

#endif
