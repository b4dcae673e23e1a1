/*
 * The memory of a thread's levels.
 */
#include "collector/native/thread_mirror.h"

#include <stdlib.h>
#include <string.h>

#include "collector/base/array.h"

bool thread_mirror_reserve(struct thread_mirror *thread, uint32_t levels)
{
    if (levels <= thread->capacity)
        return true;
    struct mirror_level *grown =
        array_grow(thread->levels, &thread->capacity, levels, sizeof *grown);
    thread->levels = grown ? grown : thread->levels;
    return grown;
}

void thread_mirror_restart(struct thread_mirror *thread)
{
    thread->depth = thread->valid = thread->known = 0;
    thread->native.depth = thread->native.valid = 0;
    thread->native.top = NULL;
}

struct thread_mirror *thread_mirror_free(struct thread_mirror *thread)
{
    if (!thread)
        return NULL;
    free(thread->levels);
    native_mirror_deinit(&thread->native);
    free(thread);
    return NULL;
}
