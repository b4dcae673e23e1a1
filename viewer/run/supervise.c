/*
 * Waits for the command, forwards signals, follows its stops.
 *
 * The command is in our process group. A signal from the terminal, or from the kernel in general,
 * goes to the whole group and has reached it already; what a process sent with kill() is taken to
 * be meant for heapline alone and is passed on, unless the command sent it itself, to its group.
 * (A signal that somebody else sends to the whole group comes to the command twice: there is no
 * telling.) SIGCONT is passed on like the others, which is what continues a stopped command.
 */
#include "viewer/run/supervise.h"

#include <stdbool.h>
#include <sys/wait.h>

#include "viewer/run/job.h"

static bool is_meant_for_command(const struct signalfd_siginfo *signal, pid_t command)
{
    bool from_process =
        signal->ssi_code == SI_USER || signal->ssi_code == SI_QUEUE || signal->ssi_code == SI_TKILL;
    return from_process && signal->ssi_signo != SIGCHLD && (pid_t)signal->ssi_pid != command;
}

/* Looks what has become of the command. True when it has ended. */
static bool command_has_ended(pid_t command, int *status)
{
    while (waitpid(command, status, WNOHANG | WUNTRACED) == command) {
        if (!WIFSTOPPED(*status))
            return true;
        job_stop(command, WSTOPSIG(*status));
    }
    return false;
}

int supervise(pid_t command, const struct signals *signals)
{
    int status = 0;
    while (!command_has_ended(command, &status)) {
        struct signalfd_siginfo signal;
        if (signals_next(signals, -1, &signal) && is_meant_for_command(&signal, command))
            kill(command, (int)signal.ssi_signo);
    }
    return status;
}
