/*
 * Thread states come from carved memory and are recycled, never returned. A recycled state keeps
 * its slot; `resend` makes the walk tell the reader that the slot has a new owner.
 */
#include "preload/thread/thread_state.h"

#include <pthread.h>
#include <string.h>

#include "assertion.h"
#include "preload/base/lock.h"
#include "preload/base/memory.h"
#include "preload/base/shim.h"
#include "preload/base/signals.h"
#include "wire.h"

/* Arrays above this size are mapped and unmapped, smaller ones carved and left. */
#define CARVED_MAX 8192

static struct lock states_lock;
static struct thread_state *free_states;
static uint32_t slots_used;
static pthread_key_t key;

/* Under the lock. */
static bool is_free(const struct thread_state *thread)
{
    const struct thread_state *other = free_states;
    while (other && other != thread)
        other = other->next_free;
    return other;
}

static void give_back(struct thread_state *thread)
{
    if (!thread)
        return;
    lock_take(&states_lock);
    ASSERT(thread->slot < slots_used && slots_used <= WIRE_THREAD_SHARED_SLOT);
    ASSERT_SLOWLY(!is_free(thread));
    thread->next_free = free_states;
    free_states = thread;
    lock_release(&states_lock);
}

void thread_state_give_back(void)
{
    for (unsigned i = 0; i < SHIM_STATES; i++) {
        give_back(shim_thread.states[i]);
        shim_thread.states[i] = NULL;
    }
}

bool thread_state_init(void (*at_end)(void *nothing))
{
    return pthread_key_create(&key, at_end) == 0;
}

/* The three arrays stand behind one another in one piece. */
static size_t arrays_size(uint32_t capacity)
{
    const struct thread_state *thread;
    return capacity * (sizeof *thread->walked + sizeof *thread->levels + sizeof *thread->scratch);
}

/* memcpy() must not be given a null pointer, whatever the length. */
static void copy_bytes(void *to, const void *from, size_t bytes)
{
    if (bytes)
        memcpy(to, from, bytes);
}

static bool allocate_levels(struct thread_state *thread, uint32_t capacity)
{
    size_t bytes = arrays_size(capacity), old_bytes = arrays_size(thread->capacity);
    char *memory = bytes <= CARVED_MAX ? memory_carve(bytes) : memory_map(bytes);
    if (!memory)
        return false;
    struct walked_frame *walked = (struct walked_frame *)memory;
    struct level *levels = (struct level *)(walked + capacity);
    uintptr_t *scratch = (uintptr_t *)(levels + capacity);
    copy_bytes(walked, thread->walked, thread->capacity * sizeof *walked);
    copy_bytes(levels, thread->levels, thread->capacity * sizeof *levels);
    copy_bytes(scratch, thread->scratch, thread->capacity * sizeof *scratch);
    if (old_bytes > CARVED_MAX)
        memory_unmap(thread->walked, old_bytes);
    thread->walked = walked;
    thread->levels = levels;
    thread->scratch = scratch;
    thread->capacity = capacity;
    return true;
}

bool thread_state_grow(struct thread_state *thread)
{
    struct signals signals = signals_block();
    bool grown =
        thread->capacity < WIRE_LEVELS_MAX && allocate_levels(thread, thread->capacity * 2);
    signals_restore(signals);
    return grown;
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

void thread_state_forget(struct thread_state *thread)
{
    thread->depth = 0;
    thread->used = 0;
    thread->sent = 0;
    thread->bottom = 0;
    thread->resend = true;
    thread->native_is_void = true;
}

void thread_state_expect_end(void)
{
    uintptr_t guard = shim_guard_set_library(); /* glibc may allocate for it */
    pthread_setspecific(key, &key);
    shim_guard_set(guard);
}

struct thread_state *thread_state_acquire(unsigned which)
{
    ASSERT(which < SHIM_STATES && !shim_thread.states[which]);
    struct signals signals = signals_block();
    struct thread_state *thread = take_state();
    if (thread) {
        thread_state_forget(thread);
        shim_thread.states[which] = thread;
        thread_state_expect_end();
    }
    signals_restore(signals);
    return thread;
}

void thread_state_lock(void)
{
    lock_take(&states_lock);
}

void thread_state_unlock(void)
{
    lock_release(&states_lock);
}

void thread_state_reset(void)
{
    for (unsigned i = 0; i < SHIM_STATES; i++)
        if (shim_thread.states[i])
            thread_state_forget(shim_thread.states[i]);
}
