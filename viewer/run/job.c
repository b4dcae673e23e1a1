/*
 * Stopping and going on together with the command.
 *
 * The shell sees only heapline. When the command stops, heapline stops by the same signal; when the
 * shell continues the job, it continues the whole process group, command and heapline. But the
 * command can also be continued alone, by somebody who knows its process id. A stopped process
 * cannot notice that, so for the time of the stop a helper looks at both, and continues heapline
 * when the command runs on.
 */
#include "viewer/run/job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"

#define LOOK_EVERY_US     20000
#define LOOK_EVERY_US_MAX 500000

/* As in /proc/PID/stat; 0 when there is no such process. */
static char process_state(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    CLEANUP(cleanup_close) int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    /* "pid (name) state": the name may hold anything. */
    const char *state = strrchr(text, ')');
    return state ? state[2] : (char)0;
}

bool process_is_stopped(pid_t pid)
{
    char state = process_state(pid);
    return state == 'T' || state == 't';
}

bool process_is_running(pid_t pid)
{
    char state = process_state(pid);
    return state == 'R' || state == 'D';
}

static _Noreturn void helper_watch(pid_t heapline, pid_t command)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (useconds_t pause = LOOK_EVERY_US; getppid() == heapline; pause += pause / 8) {
        if (!process_is_stopped(command) && process_is_stopped(heapline)) {
            kill(heapline, SIGCONT);
            break;
        }
        usleep(pause < LOOK_EVERY_US_MAX ? pause : LOOK_EVERY_US_MAX);
        if (pause > LOOK_EVERY_US_MAX)
            pause = LOOK_EVERY_US_MAX;
    }
    _exit(0);
}

/* Stops this process by a signal that is blocked and may be pending already: unblocking it delivers
 * it once, where raising it afterwards would stop twice. */
static void stop_self(int stop_signal)
{
    if (stop_signal == SIGSTOP) {
        kill(getpid(), SIGSTOP);
        return;
    }
    struct sigaction before;
    sigset_t one, mask;
    sigemptyset(&one);
    sigaddset(&one, stop_signal);
    sigaction(stop_signal, &(struct sigaction){.sa_handler = SIG_DFL}, &before);
    kill(getpid(), stop_signal);
    sigprocmask(SIG_UNBLOCK, &one, &mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    sigaction(stop_signal, &before, NULL);
}

void job_stop(pid_t command, int stop_signal)
{
    pid_t heapline = getpid(), helper = fork();
    if (helper == 0)
        helper_watch(heapline, command);
    stop_self(stop_signal);
    if (helper > 0) {
        kill(helper, SIGKILL);
        waitpid(helper, NULL, 0);
    }
}
