/*
 * Interposed: system(), which would call the C library's own posix_spawn behind our back.
 *
 * As POSIX has it, SIGINT and SIGQUIT are ignored while a command runs and SIGCHLD is blocked in
 * the calling thread. What signals do is the process's: the first caller saves their actions,
 * others that come meanwhile are counted, and the last one puts them back. A caller that is
 * cancelled while it waits kills its shell. The steps and their order are those of the C library
 * (sysdeps/posix/system.c), so that what other threads see of it is the same.
 */
#include "preload/process/system_hook.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "preload/base/process_lock.h"
#include "preload/base/real_functions.h"
#include "preload/base/shim.h"
#include "preload/process/shell.h"
#include "preload/process/wait_hooks.h"

static struct process_lock lock;
static struct {
    _Atomic unsigned callers;
    struct sigaction interrupt, quit; /* as the first of them found them */
} in_progress;

static void ignore_interrupts(void)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t mask;
    process_lock_take(&lock, &mask);
    if (in_progress.callers++ == 0) {
        sigaction(SIGINT, &ignore, &in_progress.interrupt);
        sigaction(SIGQUIT, &ignore, &in_progress.quit);
    }
    process_lock_release(&lock, &mask);
}

static void restore_interrupts(void)
{
    sigset_t mask;
    process_lock_take(&lock, &mask);
    if (--in_progress.callers == 0) {
        sigaction(SIGINT, &in_progress.interrupt, NULL);
        sigaction(SIGQUIT, &in_progress.quit, NULL);
    }
    process_lock_release(&lock, &mask);
}

/* The shell has what was before the first caller: signals ignored then stay ignored. */
static int spawn_shell(pid_t *pid, const char *command, const sigset_t *mask)
{
    sigset_t defaults;
    posix_spawnattr_t attributes;
    sigemptyset(&defaults);
    if (in_progress.interrupt.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGINT);
    if (in_progress.quit.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGQUIT);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, mask);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    int problem = shell_spawn(pid, command, NULL, &attributes);
    posix_spawnattr_destroy(&attributes);
    return problem;
}

/* By the interposed waitpid(), which tells how it ended. */
static int wait_for(pid_t pid)
{
    int status;
    while (waitpid_hook(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

static void end_cancelled(void *argument)
{
    pid_t pid = *(pid_t *)argument;
    int state, saved = errno;
    kill(pid, SIGKILL);
    errno = saved;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    wait_for(pid);
    pthread_setcancelstate(state, NULL);
    restore_interrupts();
}

static int wait_or_be_cancelled(pid_t pid)
{
    int status;
    pthread_cleanup_push(end_cancelled, &pid);
    status = wait_for(pid);
    pthread_cleanup_pop(0);
    return status;
}

/* No shell: as if it had ended with 127. No process: from 2.41 on that is another failure. */
static int status_without_shell(int problem)
{
    bool no_process = problem == EAGAIN || problem == ENOMEM;
    return no_process && shell_library_is(41) ? -1 : W_EXITCODE(127, 0);
}

static int run_shell(const char *command)
{
    sigset_t child, mask;
    pid_t pid;
    ignore_interrupts();
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &mask);
    int problem = spawn_shell(&pid, command, &mask);
    int status = problem ? status_without_shell(problem) : wait_or_be_cancelled(pid);
    int saved = errno;
    restore_interrupts();
    sigprocmask(SIG_SETMASK, &mask, NULL);
    errno = problem ? problem : saved;
    return status;
}

int system_hook(const char *command)
{
    /* No variables are handed on then, and the program may have forbidden what the lock needs. */
    if (shim_is_sealed() && real.system && !in_progress.callers)
        return real.system(command);
    /* Is there a shell? */
    return command ? run_shell(command) : run_shell("exit 0") == 0;
}
SHIM_HOOK(system);
