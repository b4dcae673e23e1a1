/*
 * While the command runs every signal is blocked and read from a signalfd. So nothing interrupts a
 * system call, nothing kills heapline before the command has ended, and for each signal it is known
 * who sent it. Only two dispositions are changed: SIGCHLD, which would make children vanish if it
 * came in ignored, and SIGPIPE, as a message on a closed stderr must not be our end. An alarm that
 * was set before heapline was executed is the command's: exec hands it on.
 */
#include "viewer/run/signals.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

bool signals_init(struct signals *signals)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &signals->mask);
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, &signals->child);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, &signals->pipe);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, &signals->alarm);
    signals->descriptor = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    return signals->descriptor >= 0;
}

void signals_restore(const struct signals *signals)
{
    sigaction(SIGCHLD, &signals->child, NULL);
    sigaction(SIGPIPE, &signals->pipe, NULL);
    setitimer(ITIMER_REAL, &signals->alarm, NULL);
    sigprocmask(SIG_SETMASK, &signals->mask, NULL);
}

static bool is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
           number == SIGTRAP || number == SIGABRT || number == SIGSYS;
}

void signals_refuse(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, is_fault(number) || number == SIGCHLD ? SIG_DFL : SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void signals_wait(const struct signals *signals, int timeout_ms)
{
    struct pollfd watched = {.fd = signals->descriptor, .events = POLLIN};
    poll(&watched, 1, timeout_ms);
}

bool signals_next(const struct signals *signals, int timeout_ms, struct signalfd_siginfo *signal)
{
    struct pollfd watched = {.fd = signals->descriptor, .events = POLLIN};
    while (read(signals->descriptor, signal, sizeof *signal) != (ssize_t)sizeof *signal) {
        if (errno != EAGAIN && errno != EINTR)
            return false;
        if (poll(&watched, 1, timeout_ms) == 0)
            return false;
    }
    return true;
}

_Noreturn void die_alike(int wait_status)
{
    if (!WIFSIGNALED(wait_status))
        _exit(WEXITSTATUS(wait_status));
    int number = WTERMSIG(wait_status);
    /* One core dump is enough; a limit alone does not stop a core_pattern that is a program. */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    prctl(PR_SET_DUMPABLE, 0);
    signal(number, SIG_DFL);
    kill(getpid(), number);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(128 + number);
}
