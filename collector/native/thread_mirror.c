/*
 * The memory of a thread's levels.
 */
#include "collector/native/thread_mirror.h"

#include <stdlib.h>
#include <string.h>

bool thread_mirror_reserve(struct thread_mirror *thread, uint32_t levels)
{
    if (levels <= thread->capacity)
        return true;
    uint32_t capacity = thread->capacity ? thread->capacity : 64;
    while (capacity < levels)
        capacity *= 2;
    struct mirror_level *grown = realloc(thread->levels, capacity * sizeof *grown);
    if (!grown)
        return false;
    memset(grown + thread->capacity, 0, (capacity - thread->capacity) * sizeof *grown);
    thread->levels = grown;
    thread->capacity = capacity;
    return true;
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
