/*
 * Thread states come from carved memory and are recycled, never returned. A recycled state keeps
 * its slot; `resend` makes the walk tell the reader that the slot has a new owner.
 */
#include "thread_state.h"

#include <pthread.h>
#include <string.h>

#include "lock.h"
#include "memory.h"
#include "shim.h"
#include "wire.h"

SHIM_THREAD_LOCAL struct shim_thread shim_thread;

static struct lock states_lock;
static struct thread_state *free_states;
static uint32_t slots_used;
static pthread_key_t key;

/* Runs when the thread ends, maybe before other destructors that allocate: then
 * thread_state_acquire() starts anew. */
static void give_back(void *value)
{
    struct thread_state *thread = value;
    uintptr_t guard = shim_thread.guard;
    shim_guard_set(SHIM_RECORDING);
    shim_thread.state = NULL;
    lock_take(&states_lock);
    thread->next_free = free_states;
    free_states = thread;
    lock_release(&states_lock);
    shim_guard_set(guard);
}

bool thread_state_init(void)
{
    return pthread_key_create(&key, give_back) == 0;
}

static bool allocate_levels(struct thread_state *thread, uint32_t capacity)
{
    size_t bytes = capacity * (sizeof *thread->levels + sizeof *thread->scratch);
    char *memory = bytes <= 8192 ? memory_carve(bytes) : memory_map(bytes);
    if (!memory)
        return false;
    struct level *levels = (struct level *)memory;
    if (thread->levels)
        memcpy(levels, thread->levels, thread->capacity * sizeof *levels);
    uintptr_t *scratch = (uintptr_t *)(memory + capacity * sizeof *levels);
    if (thread->scratch)
        memcpy(scratch, thread->scratch, thread->capacity * sizeof *scratch);
    size_t old_bytes = thread->capacity * (sizeof *thread->levels + sizeof *thread->scratch);
    if (old_bytes > 8192)
        memory_unmap(thread->levels, old_bytes);
    thread->levels = levels;
    thread->scratch = scratch;
    thread->capacity = capacity;
    return true;
}

bool thread_state_grow(struct thread_state *thread)
{
    return thread->capacity < WIRE_LEVELS_MAX && allocate_levels(thread, thread->capacity * 2);
}

static struct thread_state *take_state(void)
{
    lock_take(&states_lock);
    struct thread_state *thread = free_states;
    uint32_t slot = slots_used;
    if (thread)
        free_states = thread->next_free;
    else if (slot < WIRE_THREAD_SHARED_SLOT)
        slots_used++;
    lock_release(&states_lock);
    if (thread || slot == WIRE_THREAD_SHARED_SLOT)
        return thread;
    thread = memory_carve(sizeof *thread);
    if (!thread || !allocate_levels(thread, LEVELS_AT_FIRST))
        return NULL;
    thread->slot = slot;
    return thread;
}

struct thread_state *thread_state_acquire(void)
{
    struct thread_state *thread = take_state();
    if (!thread)
        return NULL;
    thread->depth = 0;
    thread->used = 0;
    thread->sent = 0;
    thread->bottom = 0;
    thread->resend = true;
    shim_thread.state = thread;
    pthread_setspecific(key, thread);
    return thread;
}
