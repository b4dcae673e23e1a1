/*
 * Waits for the command, passes signals on, follows its stops.
 *
 * The command is to get every signal once, as it would without us. It is in our process group: what
 * is sent to the group (by a terminal, by `kill -- -PGID`) has reached it already, as has what is
 * sent to every process of a service, one by one; what is sent to heapline alone has not, and is
 * passed on. Which it was, nothing about a signal says, so two witnesses are asked (witness.h).
 * While the command is in our group the one inside counts. When it has left the group, and with it
 * what is sent there, the one outside does: only what was sent to everybody has reached the command
 * then.
 *
 * A group is signalled from its youngest member to its oldest, which we are: what we get a witness
 * has got, and nothing has to be waited for. Who signals many processes one after the other takes
 * some time; so what no witness has got yet is undecided for RELAY_PATIENCE.
 *
 * What the kernel sends to heapline alone is passed on when a terminal has gone: as leader of a
 * session we are told in the command's stead. Of a group that the command has left it is passed on
 * if we are the leader: then the command would be that without us, and could not have left.
 * SIGCONT is passed on like the others, which is what continues a stopped command.
 *
 * Without witnesses (no more processes could be had) what comes from a process is taken to be meant
 * for heapline alone.
 */
#include "viewer/run/supervise.h"

#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "viewer/run/job.h"
#include "viewer/run/relay.h"

/* A witness may have got a signal so long before us, as when somebody ends a tree of processes from
 * its leaves. */
#define AHEAD_NS UINT64_C(1000000000)

struct supervision {
    pid_t command;
    const struct signals *signals;
    struct witness *witnesses;
    struct relay relay;
    bool was_away; /* nothing has been read for a while: what witnesses have got may be older */
};

static bool command_has_left(const struct supervision *supervision)
{
    pid_t group = getpgid(supervision->command);
    return group >= 0 && group != getpgrp();
}

static bool is_from_process(const struct signalfd_siginfo *signal)
{
    return signal->ssi_code == SI_USER || signal->ssi_code == SI_QUEUE ||
           signal->ssi_code == SI_TKILL;
}

/* Signals of the kernel that are not about what heapline itself does. */
static bool is_of_terminal(const struct signalfd_siginfo *signal)
{
    static const uint32_t numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};
    bool found = false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        found |= signal->ssi_signo == numbers[i];
    return found && signal->ssi_code == SI_KERNEL;
}

static bool may_be_for_command(const struct supervision *supervision,
                               const struct signalfd_siginfo *signal)
{
    pid_t sender = (pid_t)signal->ssi_pid;
    if (is_from_process(signal))
        return signal->ssi_signo != SIGCHLD && sender != supervision->command && sender != getpid();
    return is_of_terminal(signal) && (!command_has_left(supervision) || getpgrp() == getpid());
}

/* Looks what has become of the command. True when it has ended. */
static bool command_has_ended(struct supervision *supervision, int *status)
{
    while (waitpid(supervision->command, status, WNOHANG | WUNTRACED) == supervision->command) {
        if (!WIFSTOPPED(*status))
            return true;
        job_stop(supervision->command, WSTOPSIG(*status));
        supervision->was_away = true;
    }
    return false;
}

/* Takes in those that may be for the command. */
static void take_signals(struct supervision *supervision)
{
    struct signalfd_siginfo signal;
    while (relay_has_room(&supervision->relay) && signals_next(supervision->signals, 0, &signal)) {
        supervision->was_away |= signal.ssi_signo == SIGCONT;
        if (may_be_for_command(supervision, &signal))
            relay_receive(&supervision->relay, &signal, witness_now());
    }
}

/* With its value, where it has one, and then also with its sender. */
static void pass_on(pid_t command, const struct signalfd_siginfo *signal)
{
    int number = (int)signal->ssi_signo;
    siginfo_t information;
    memset(&information, 0, sizeof information);
    information.si_signo = number;
    information.si_code = signal->ssi_code;
    information.si_pid = (pid_t)signal->ssi_pid;
    information.si_uid = signal->ssi_uid;
    information.si_value.sival_ptr = (void *)(uintptr_t)signal->ssi_ptr;
    if (signal->ssi_code != SI_QUEUE ||
        syscall(SYS_rt_sigqueueinfo, command, number, &information) != 0)
        kill(command, number);
}

static struct witness *witness_that_counts(const struct supervision *supervision)
{
    return &supervision
                ->witnesses[command_has_left(supervision) ? WITNESS_OUTSIDE : WITNESS_INSIDE];
}

/* What the witness has by now we have too, and together with what is pending it is one. */
static void look_at_witness(const struct supervision *supervision, struct testimony *testimony)
{
    testimony->pending = witness_pending(witness_that_counts(supervision));
    testimony->looked_ns = witness_now();
}

static void ask_witness(struct supervision *supervision, struct testimony *testimony)
{
    struct witnessed heard[WITNESSED_MAX];
    testimony->seen = heard;
    testimony->count = witness_ask(witness_that_counts(supervision), heard);
    if (!supervision->was_away && testimony->looked_ns > AHEAD_NS)
        testimony->oldest_ns = testimony->looked_ns - AHEAD_NS;
    relay_witness(&supervision->relay, testimony);
    supervision->was_away = false;
    take_signals(supervision);
    relay_receive_late(&supervision->relay);
}

static void pass_on_all_due(struct supervision *supervision)
{
    /* Nobody to ask: there is nothing to wait for. */
    bool is_alone = witness_that_counts(supervision)->channel < 0;
    uint64_t now = is_alone ? UINT64_MAX : witness_now();
    struct signalfd_siginfo signal;
    while (relay_take(&supervision->relay, now, &signal))
        if (!is_alone || is_from_process(&signal))
            pass_on(supervision->command, &signal);
}

int command_supervise(pid_t command, const struct signals *signals,
                      struct witness witnesses[WITNESS_POSTS])
{
    struct supervision supervision = {
        .command = command,
        .signals = signals,
        .witnesses = witnesses,
        .was_away = true,
    };
    int status = 0;
    while (!command_has_ended(&supervision, &status)) {
        struct testimony testimony = {0};
        signals_wait(signals, relay_timeout(&supervision.relay, witness_now()));
        look_at_witness(&supervision, &testimony);
        take_signals(&supervision);
        if (!supervision.relay.count)
            continue;
        ask_witness(&supervision, &testimony);
        pass_on_all_due(&supervision);
    }
    return status;
}
