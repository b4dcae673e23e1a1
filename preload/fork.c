/*
 * Around fork(). A fork inside a hook (of a signal handler that interrupted one) is left alone, for
 * the thread may hold a lock: its child goes on untraced.
 */
#include "fork.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "code_table.h"
#include "environment.h"
#include "memory.h"
#include "native_rules.h"
#include "python_arrival.h"
#include "ring_writer.h"
#include "shim.h"
#include "stream_writer.h"
#include "thread_state.h"

/* Of the fork at hand; the locks are held, so that there is only one. */
static struct {
    uint32_t token; /* of its mark; 0: the mark could not be sent */
    pid_t parent;
} fork_at_hand;
static uint32_t tokens;

/* Does this thread go through the fork below? Its child asks it. */
static SHIM_THREAD_LOCAL bool forking;

static void before(void)
{
    int saved = errno;
    forking = shim_gate_open() && shim_thread.guard == 0;
    if (!forking)
        return;
    shim_guard_set(SHIM_RECORDING);
    native_rules_lock();
    code_table_lock();
    thread_state_lock();
    memory_lock();
    fork_at_hand.parent = getpid();
    fork_at_hand.token = ++tokens ? tokens : ++tokens;
    if (!ring_send_word(wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_FORK << WIRE_MARK_SHIFT |
                        fork_at_hand.token))
        fork_at_hand.token = 0;
    stream_flush(); /* the child's hello must not come before the mark */
    errno = saved;
}

static void release(void)
{
    memory_unlock();
    thread_state_unlock();
    code_table_unlock();
    native_rules_unlock();
}

static void in_parent(void)
{
    if (!forking)
        return;
    int saved = errno;
    release();
    shim_guard_set(0);
    forking = false;
    errno = saved;
}

static void in_child(void)
{
    int saved = errno;
    stream_forget();
    if (forking) {
        release();
        thread_state_reset();
        native_rules_forget();
        if (fork_at_hand.token && code_table_reset())
            python_arrival_in_child(fork_at_hand.parent, fork_at_hand.token);
        else
            environment_forget();
        shim_guard_set(0);
        forking = false;
    } else {
        environment_forget();
    }
    errno = saved;
}

bool fork_init(void)
{
    uintptr_t guard = shim_thread.guard;
    shim_guard_set(SHIM_RECORDING); /* glibc keeps the handlers in memory of malloc's */
    bool done = pthread_atfork(before, in_parent, in_child) == 0;
    shim_guard_set(guard);
    return done;
}
