/*
 * Interposed: wait, waitpid, wait3, wait4, waitid.
 *
 * A kernel before 6.15 forgets how a process ended once its parent has waited for it, and a
 * collector elsewhere never knew. So the parent says it, with a mark in its stream. Only the end of
 * a child is told: not that it stopped or went on, and not a look that leaves it waitable.
 *
 * The real functions are points of cancellation, so nothing is held or set while they run; the mark
 * is sent behind them. It is one word: also a signal handler may send it, whatever it interrupted,
 * and a vfork child, whose mark is then its parent's and names nobody that the collector knows.
 */
#include "preload/process/wait_hooks.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "preload/base/real_functions.h"
#include "preload/base/shim.h"
#include "preload/carrier/ring_writer.h"
#include "preload/thread/hook_call.h"
#include "wire.h"

static void tell_ending(pid_t pid, int status)
{
    if (!shim_gate_open())
        return;
    int saved = errno;
    struct hook_call call;
    if (!hook_begin_work(&call))
        return;
    /* What this process does from now on comes after all that the child has done. */
    ring_send_time();
    ring_send_mark(WIRE_MARK_CHILD_ENDED,
                   (uint64_t)(uint32_t)pid << WIRE_CHILD_PID_SHIFT |
                       ((uint64_t)(unsigned)status & WIRE_CHILD_STATUS_MASK));
    hook_leave(&call);
    errno = saved;
}

/* Hands on what a wait has returned. */
static pid_t tell_waited(pid_t pid, int status)
{
    if (pid > 0 && (WIFEXITED(status) || WIFSIGNALED(status)))
        tell_ending(pid, status);
    return pid;
}

/* The caller's variable for the status, or ours where it wants none. */
#define STATUS_OR_OWN(status)                                                                      \
    int own = 0;                                                                                   \
    int *const into = (status) ? (status) : &own

pid_t wait_hook(int *status)
{
    STATUS_OR_OWN(status);
    pid_t pid = REAL(wait)(into);
    return tell_waited(pid, pid > 0 ? *into : 0);
}
SHIM_HOOK(wait);

pid_t waitpid_hook(pid_t which, int *status, int options)
{
    STATUS_OR_OWN(status);
    pid_t pid = REAL(waitpid)(which, into, options);
    return tell_waited(pid, pid > 0 ? *into : 0);
}
SHIM_HOOK(waitpid);

pid_t wait3_hook(int *status, int options, struct rusage *usage)
{
    STATUS_OR_OWN(status);
    pid_t pid = REAL(wait3)(into, options, usage);
    return tell_waited(pid, pid > 0 ? *into : 0);
}
SHIM_HOOK(wait3);

pid_t wait4_hook(pid_t which, int *status, int options, struct rusage *usage)
{
    STATUS_OR_OWN(status);
    pid_t pid = REAL(wait4)(which, into, options, usage);
    return tell_waited(pid, pid > 0 ? *into : 0);
}
SHIM_HOOK(wait4);

/* Tells what waitid() has found out; nothing when it found nobody that ended. */
static void tell_information(const siginfo_t *found)
{
    if (found->si_signo != SIGCHLD || found->si_pid <= 0)
        return;
    if (found->si_code == CLD_EXITED)
        tell_ending(found->si_pid, W_EXITCODE(found->si_status, 0));
    else if (found->si_code == CLD_KILLED)
        tell_ending(found->si_pid, found->si_status);
    else if (found->si_code == CLD_DUMPED)
        tell_ending(found->si_pid, found->si_status | WCOREFLAG);
}

int waitid_hook(idtype_t kind, id_t which, siginfo_t *found, int options)
{
    siginfo_t own = {0};
    siginfo_t *const into = found ? found : &own;
    int result = REAL(waitid)(kind, which, into, options);
    if (result == 0 && !(options & WNOWAIT))
        tell_information(into);
    return result;
}
SHIM_HOOK(waitid);
