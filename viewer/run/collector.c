/*
 * Starts heaplined, and waits for what it says.
 *
 * heaplined gets a session of its own, so that neither Ctrl-C nor the terminal's end reaches it;
 * only stderr, the listening socket and its end of the control pair of our descriptors; and ignores
 * all signals but those of faults: what is sent to every process of a service must not end it
 * before the command. If it cannot be executed the child says so itself, as heaplined would.
 *
 * Waiting is bounded: READY_PATIENCE for the file to be made, FINISH_PATIENCE for what is left in
 * the rings to be written, STOPPED_PATIENCE for somebody to continue one that is stopped. An
 * impatient user (an interrupt or termination signal, but not one that came with the command's own
 * end) shortens the last two.
 */
#include "viewer/run/collector.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "handshake.h"
#include "memory_cgroup.h"
#include "viewer/base/null.h"
#include "viewer/base/cleanup.h"
#include "viewer/run/control_channel.h"
#include "viewer/run/daemon.h"
#include "viewer/run/job.h"
#include "viewer/run/message.h"

/* Who is in the queue is served in turn; who waits for a place in it is not. */
#define LISTEN_BACKLOG    1024
#define RANDOM_BYTES      16
#define READY_PATIENCE    30.0
#define FINISH_PATIENCE   60.0
#define STOPPED_PATIENCE  5.0
#define EXIT_PATIENCE     5.0
#define INTERRUPT_GRACE   1.0
#define POLL_MILLISECONDS 100

/* Where heaplined finds its descriptors. */
#define LISTENER_DESCRIPTOR 3
#define CONTROL_DESCRIPTOR  4
#define BESIDE_DESCRIPTOR   5

static double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

bool collector_key(char key[COLLECTOR_KEY_MAX])
{
    unsigned char bytes[RANDOM_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        sprintf(key + 2 * i, "%02x", bytes[i]);
    return true;
}

bool collector_address(char address[COLLECTOR_ADDRESS_MAX])
{
    char name[COLLECTOR_KEY_MAX];
    if (!collector_key(name))
        return false;
    snprintf(address, COLLECTOR_ADDRESS_MAX, "unix:@heapline-%s", name);
    return true;
}

/* A socket that listens at an address; -1 when that fails. */
static int listen_at(const struct address *address)
{
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener >= 0 && bind(listener, &address->socket.any, address->length) == 0 &&
        listen(listener, LISTEN_BACKLOG) == 0)
        return listener;
    int number = errno;
    cleanup_close(&listener);
    errno = number;
    return -1;
}

/* The same as a file; -1 where none can be made, and then there is none. Who is let in is decided
 * by who they are. */
static int listen_beside(const struct address *address, char path[COLLECTOR_BESIDE_MAX])
{
    struct address file;
    if (!address_beside(address, &file))
        return -1;
    mode_t mask = umask(geteuid() == 0 ? 0111 : 0177);
    int listener = listen_at(&file);
    umask(mask);
    if (listener >= 0)
        snprintf(path, COLLECTOR_BESIDE_MAX, "%s", file.socket.local.sun_path);
    return listener;
}

/* heaplined's arguments; the array is allocated. */
static const char **collector_words(const struct collector_plan *plan, bool has_beside)
{
    size_t count = 0;
    while (plan->command[count])
        count++;
    const char **words = calloc(count + 20, sizeof *words);
    if (!words)
        return NULL;
    static const char *const begin[] = {"heaplined", "--private", "3", "4", "--output"};
    memcpy(words, begin, sizeof begin);
    const char **out = words + sizeof begin / sizeof *begin;
    *out++ = plan->output;
    if (has_beside) {
        *out++ = "--beside";
        *out++ = "5";
    }
    if (plan->force)
        *out++ = "--force";
    if (plan->overflow) {
        *out++ = "--overflow";
        *out++ = plan->overflow;
    }
    if (plan->frames_max) {
        *out++ = "--max-frames";
        *out++ = plan->frames_max;
    }
    if (plan->no_children)
        *out++ = "--no-children";
    if (plan->no_history)
        *out++ = "--no-history";
    if (plan->resident_ms) {
        static char number[16];
        snprintf(number, sizeof number, "%u", plan->resident_ms);
        *out++ = "--resident-ms";
        *out++ = number;
    }
    if (plan->debuginfod)
        *out++ = "--debuginfod";
    *out++ = "--";
    memcpy(out, plan->command, count * sizeof *words);
    return words;
}

/* In the child: arranges the descriptors as heaplined expects them. */
static bool place_descriptors(int listener, int control, int beside)
{
    int null = null_open();
    int first = fcntl(listener, F_DUPFD_CLOEXEC, BESIDE_DESCRIPTOR + 1);
    int second = fcntl(control, F_DUPFD_CLOEXEC, BESIDE_DESCRIPTOR + 1);
    int third = beside < 0 ? -1 : fcntl(beside, F_DUPFD_CLOEXEC, BESIDE_DESCRIPTOR + 1);
    if (null < 0 || first < 0 || second < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(null, STDOUT_FILENO) < 0 || dup2(first, LISTENER_DESCRIPTOR) < 0 ||
        dup2(second, CONTROL_DESCRIPTOR) < 0)
        return false;
    bool placed = third >= 0 && dup2(third, BESIDE_DESCRIPTOR) >= 0;
    closefrom(placed ? BESIDE_DESCRIPTOR + 1 : BESIDE_DESCRIPTOR);
    return third < 0 || placed;
}

static _Noreturn void child_run(const struct collector_plan *plan, int listener, int control,
                                int beside)
{
    setsid();
    unsetenv(ENVIRONMENT_DAEMON);
    setenv(ENVIRONMENT_RUN, plan->key, 1); /* arguments are everybody's to read */
    const char **words = collector_words(plan, beside >= 0);
    if (words && place_descriptors(listener, control, beside)) {
        control = CONTROL_DESCRIPTOR;
        signals_refuse();
        execv(plan->program, (char *const *)(uintptr_t)words);
    }
    char text[CONTROL_TEXT_MAX];
    snprintf(text, sizeof text, "cannot start %s: %s", plan->program, strerror(errno));
    control_send(control, CONTROL_FAILED, 0, text);
    _exit(RUN_FAILED);
}

/* Forks heaplined. False, with a message, when that is not possible. */
static bool collector_fork(struct collector *collector, const struct collector_plan *plan)
{
    int pair[2] = {-1, -1};
    struct address address;
    address_parse(plan->address, &address); /* it is our own */
    CLEANUP(cleanup_close) int listener = listen_at(&address);
    CLEANUP(cleanup_close) int beside = listen_beside(&address, collector->beside);
    if (listener < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 ||
        (collector->pid = fork()) < 0) {
        run_fail("cannot start the collector: %s", strerror(errno));
        cleanup_close(&pair[0]);
        cleanup_close(&pair[1]);
        return false;
    }
    if (collector->pid == 0)
        child_run(plan, listener, pair[1], beside);
    close(pair[1]);
    collector->control = pair[0];
    collector->oom_file = oom_kills_file(collector->pid);
    oom_kills_read(collector->oom_file, &collector->oom_kills);
    return true;
}

/* It does so itself, unless it has been killed. */
static void remove_beside(const struct collector *collector)
{
    if (*collector->beside)
        unlink(collector->beside);
}

static void collector_kill(struct collector *collector)
{
    close(collector->control);
    remove_beside(collector);
    if (!collector->pid)
        return;
    kill(collector->pid, SIGKILL);
    waitpid(collector->pid, NULL, 0);
}

bool collector_start(struct collector *collector, const struct collector_plan *plan)
{
    *collector =
        (struct collector){.control = -1, .waits = plan->waits, .wait_seconds = plan->wait_seconds};
    if (plan->is_daemon ? (collector->control = daemon_connect(plan)) < 0
                        : !collector_fork(collector, plan))
        return false;
    struct control_message message;
    enum reception reception =
        control_receive(collector->control, (int)(READY_PATIENCE * 1000), &message);
    if (reception == RECEIVED && message.kind == CONTROL_READY) {
        snprintf(collector->file, sizeof collector->file, "%s", message.text);
        return true;
    }
    if (reception == RECEIVED && message.kind == CONTROL_FAILED)
        run_fail("%s", message.text);
    else
        run_fail("the collector %s has not started properly",
                 reception == RECEIVED_END ? "ended and" : "does not answer and");
    collector_kill(collector);
    return false;
}

void collector_tell_started(struct collector *collector, pid_t pid)
{
    control_send(collector->control, CONTROL_STARTED, (int)pid, "");
}

static bool is_stopped(const struct collector *collector)
{
    return collector->pid && process_is_stopped(collector->pid);
}

/* Does the user want to wait no longer? */
static bool is_impatient(const struct signals *signals, double since)
{
    struct signalfd_siginfo signal;
    bool impatient = false;
    while (signals_next(signals, 0, &signal))
        impatient |= signal.ssi_signo == SIGINT || signal.ssi_signo == SIGTERM ||
                     signal.ssi_signo == SIGHUP || signal.ssi_signo == SIGQUIT;
    return impatient && seconds_now() - since > INTERRUPT_GRACE;
}

/* The user does not wait any longer for what goes on; there is still the file to be finished. */
static void stop_waiting(struct collector *collector)
{
    control_send(collector->control, CONTROL_FINISH, 0, "");
    collector->waits = false;
}

static enum collector_end collector_await(struct collector *collector,
                                          const struct signals *signals,
                                          struct control_message *message,
                                          struct progress *progress)
{
    double since = seconds_now(), moved = since; /* when it was last seen not to be stopped */
    while ((collector->waits || seconds_now() - since < FINISH_PATIENCE) &&
           seconds_now() - moved < STOPPED_PATIENCE) {
        if (is_impatient(signals, since)) {
            if (!collector->waits)
                break;
            stop_waiting(collector);
            since = seconds_now();
        }
        if (!is_stopped(collector))
            moved = seconds_now();
        progress_step(progress, 0);
        switch (control_receive(collector->control, POLL_MILLISECONDS, message)) {
        case RECEIVED:
            if (message->kind == CONTROL_DONE)
                return COLLECTOR_DONE;
            if (message->kind == CONTROL_GONE)
                return COLLECTOR_GONE;
            break;
        case RECEIVED_END:
            return COLLECTOR_DIED;
        case RECEIVED_NOTHING:
            break;
        }
    }
    return COLLECTOR_SILENT;
}

/* Waits until it has closed its end, which it does when it ends. Returns its wait status, 0 when it
 * does not end. */
static int collector_await_exit(struct collector *collector)
{
    struct control_message message;
    double since = seconds_now();
    int status = 0;
    while (seconds_now() - since < EXIT_PATIENCE)
        if (control_receive(collector->control, POLL_MILLISECONDS, &message) == RECEIVED_END) {
            waitpid(collector->pid, &status, 0);
            break;
        }
    return status;
}

/* Has the kernel killed it for want of memory? One kill may be the command's, but the collector is
 * taken first. */
static bool is_oom_kill(const struct collector *collector, int wait_status)
{
    uint64_t kills;
    return WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL &&
           oom_kills_read(collector->oom_file, &kills) && kills > collector->oom_kills;
}

/* Waits for the collector's end after its last message. */
static enum collector_end collector_conclude(struct collector *collector,
                                             const struct signals *signals,
                                             struct control_message *message,
                                             struct progress *progress)
{
    progress_begin(
        progress,
        collector->waits ? "waiting for the processes that go on" : "finishing the recording", 0);
    enum collector_end end = collector_await(collector, signals, message, progress);
    progress_end(progress);
    if (end == COLLECTOR_SILENT && is_stopped(collector)) {
        collector_kill(collector);
        return COLLECTOR_DIED;
    }
    if (end != COLLECTOR_SILENT && collector->pid &&
        is_oom_kill(collector, collector_await_exit(collector)) && end == COLLECTOR_DIED)
        end = COLLECTOR_KILLED;
    remove_beside(collector);
    close(collector->control);
    free(collector->oom_file);
    return end;
}

enum collector_end collector_finish(struct collector *collector, const struct signals *signals,
                                    int wait_status, char trouble[CONTROL_TEXT_MAX],
                                    struct progress *progress)
{
    struct control_message message = {0};
    if (collector->waits)
        control_send(collector->control, CONTROL_WAIT, collector->wait_seconds, "");
    control_send(collector->control, CONTROL_ENDED, wait_status, "");
    enum collector_end end = collector_conclude(collector, signals, &message, progress);
    collector->told =
        end == COLLECTOR_DONE ? (enum control_told)message.value : CONTROL_TOLD_BY_NOBODY;
    bool has_text = end == COLLECTOR_DONE || end == COLLECTOR_GONE;
    snprintf(trouble, CONTROL_TEXT_MAX, "%s", has_text ? message.text : "");
    return end;
}

void collector_undo(struct collector *collector, const struct signals *signals)
{
    struct control_message message;
    control_send(collector->control, CONTROL_UNDO, 0, "");
    collector_conclude(collector, signals, &message, NULL);
}
