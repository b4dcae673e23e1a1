/*
 * Around fork(). These run last before it and first after it, for they are registered before any of
 * the program's.
 */
#include "preload/process/fork.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "preload/base/environment.h"
#include "preload/base/memory.h"
#include "preload/base/real_functions.h"
#include "preload/base/shim.h"
#include "preload/base/signals.h"
#include "preload/carrier/ring_writer.h"
#include "preload/native/debugger_lists.h"
#include "preload/native/native_rules.h"
#include "preload/process/recording.h"
#include "preload/python/code_table.h"
#include "preload/thread/hook_call.h"
#include "preload/thread/thread_state.h"

/* Of the fork at hand; the locks are held, so that there is only one. */
static struct {
    uint32_t token; /* of its mark; 0: the mark could not be sent */
    pid_t parent;
} fork_at_hand;
static _Atomic uint32_t tokens;

/* This thread's fork. */
static SHIM_THREAD_LOCAL struct {
    struct hook_call work;
    struct signals signals;
    bool is_traced;
    uint32_t token;  /* of its mark */
    bool interrupts; /* a handler forks that has interrupted the shim's work */
} forking;

/* A token, for a mark that could be sent; else 0. */
static uint32_t send_mark(void)
{
    uint32_t token = ++tokens;
    token = token ? token : ++tokens;
    return ring_send_mark(WIRE_MARK_FORK, token) ? token : 0;
}

/* Sealed: the child will not be traced, and is missed by its mark. */
static void announce_untraced(void)
{
    struct hook_call call;
    if (!hook_begin_work(&call))
        return;
    forking.token = send_mark();
    hook_leave(&call);
}

static void prepare_fork(void)
{
    bool is_open = shim_gate_open();
    forking.token = 0;
    forking.is_traced = is_open && !shim_is_sealed();
    if (is_open && !forking.is_traced)
        announce_untraced();
    if (!forking.is_traced)
        return;
    int saved = errno;
    forking.signals = signals_block();
    forking.is_traced = hook_begin_work(&forking.work);
    if (!forking.is_traced) {
        signals_restore(forking.signals);
        errno = saved;
        return;
    }
    forking.interrupts = forking.work.busy != 0;
    ring_note(0); /* which may have to be made, with one of the locks */
    native_rules_lock();
    code_table_lock();
    thread_state_lock();
    memory_lock();
    fork_at_hand.parent = getpid();
    fork_at_hand.token = forking.token = send_mark();
    ring_flush(); /* the child's hello must not come before the mark */
    errno = saved;
}

static void release_locks(void)
{
    memory_unlock();
    thread_state_unlock();
    code_table_unlock();
    native_rules_unlock();
}

static void end_work(void)
{
    hook_leave(&forking.work);
    signals_restore(forking.signals);
}

static void in_parent(void)
{
    if (!forking.is_traced)
        return;
    int saved = errno;
    release_locks();
    end_work();
    errno = saved;
}

/* The child's own beginning: its tables are empty, its one thread unknown. */
static bool start_over(void)
{
    thread_state_reset();
    ring_notes_forget();
    debugger_lists_reset();
    native_rules_forget();
    return fork_at_hand.token && code_table_reset();
}

static void in_child(void)
{
    int saved = errno;
    bool attaches = false;
    ring_forget_connection();
    if (forking.is_traced) {
        release_locks();
        ring_writer_leave(forking.interrupts);
        attaches = !forking.interrupts && start_over();
        end_work();
    }
    if (!attaches)
        environment_forget();
    else if (recording_attach(fork_at_hand.parent, fork_at_hand.token))
        recording_begin();
    errno = saved;
}

/* There is no child: its mark is taken back. */
static void take_back_mark(void)
{
    int saved = errno;
    struct hook_call call;
    if (shim_gate_open() && hook_begin_work(&call)) {
        ring_send_mark(WIRE_MARK_NOT_FORKED, forking.token);
        hook_leave(&call);
    }
    errno = saved;
}

/* The handlers around it are not told whether it has failed. */
pid_t fork_hook(void)
{
    forking.token = 0;
    pid_t pid = REAL(fork)();
    if (SHIM_UNLIKELY(pid < 0) && forking.token)
        take_back_mark();
    return pid;
}
SHIM_HOOK(fork);

/* No handlers run around it, so that a signal handler may call it. Its child goes on untraced, and
 * so does a hook that it interrupts. */
pid_t _Fork_hook(void)
{
    if (!shim_gate_open() || shim_is_sealed())
        return REAL(_Fork)();
    struct signals signals = signals_block();
    pid_t pid = REAL(_Fork)();
    if (pid == 0) {
        ring_forget_connection();
        ring_writer_leave(true);
    }
    signals_restore(signals);
    return pid;
}
SHIM_HOOK(_Fork);

bool fork_init(void)
{
    uintptr_t guard = shim_guard_set_library(); /* glibc keeps the handlers in malloc's memory */
    bool done = pthread_atfork(prepare_fork, in_parent, in_child) == 0;
    shim_guard_set(guard);
    return done;
}
