/*
 * The collector's one loop.
 *
 * Each round reads what the rings hold, looks at the sockets and pidfds, and now and then commits a
 * snapshot. When the rings hold little it sleeps: with one process on a futex in that process's
 * control page, so that a burst wakes it at once, with several for a millisecond. Never longer than
 * SLEEP_IDLE_NS, because the end of a process and new connections are seen only between sleeps.
 *
 * It ends when `heapline run` says that its command has ended, or when run is gone and the last
 * traced process has ended, or at SIGTERM. Rings still open are closed then, and their processes go
 * on untraced.
 */
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "drain.h"
#include "futex.h"
#include "handshake.h"
#include "inheritance.h"
#include "process.h"
#include "recording_writer.h"
#include "text.h"

/* 2 MiB: big enough to ride out a commit, small enough for the caches. */
#define RING_LOG2_WORDS 18u

/* Less than this in all rings is left to gather: reading right behind a writer would take its cache
 * lines away from it. */
#define GATHER_WORDS 16384u

#define SLEEP_ACTIVE_NS UINT64_C(1000000)
#define SLEEP_IDLE_NS   UINT64_C(3000000)
/* Idle is who has had nothing to read for so long. */
#define IDLE_AFTER_NS UINT64_C(200000000)

/* History that may wait in memory for the next snapshot. */
#define HISTORY_WAITING_MAX (4u << 20)

#define SAMPLES_A_ROUND 2u

#define SNAPSHOT_EVERY_NS UINT64_C(1000000000)
/* A snapshot may take this part of the time. */
#define SNAPSHOT_SHARE 40u

#define HELLO_PATIENCE_US 50000

#define PROCESSES_MAX DRAIN_PROCESSES_MAX

struct session {
    const struct session_options *options;
    struct run run;
    struct drain drain;
    struct recording_writer writer;
    struct recorded_run about;
    struct process *processes[PROCESSES_MAX];
    unsigned process_count;
    unsigned sampled_last; /* index of the process that was looked at last */
    uint32_t processes_seen;
    int control; /* -1 once closed */
    bool finishing;
    int wait_status;
    bool has_wait_status;
    uint64_t lost;
    bool abandoned; /* a process went on untraced because nobody read its ring */
    uint64_t last_work_ns;
    uint64_t next_snapshot_ns;
};

static volatile sig_atomic_t terminated;

static void note_termination(int number)
{
    (void)number;
    terminated = 1;
}

static void tell_run(struct session *session, uint32_t kind, const char *text)
{
    struct control_message message = {.kind = kind};
    snprintf(message.text, sizeof message.text, "%s", text ? text : "");
    if (session->control >= 0)
        send(session->control, &message, sizeof message, MSG_NOSIGNAL);
}

/* --- processes ---------------------------------------------------------------------------------
 */

/* What `heapline run` has told of the process, if it is the command's own. */
static const int *known_status(const struct session *session, const struct process *process)
{
    bool is_main = process->pid == session->about.main_pid;
    return session->has_wait_status && is_main ? &session->wait_status : NULL;
}

static bool has_ended(const struct process *process)
{
    struct pollfd watched = {.fd = process->pidfd, .events = POLLIN};
    return poll(&watched, 1, 0) > 0;
}

/* Reads a process's ring to its very end, the others' so far as they come before, writes its rows
 * and forgets it. */
static void finish_process(struct session *session, unsigned at, bool lives_on)
{
    struct process *process = session->processes[at];
    process->is_dead |= !lives_on;
    drain_to_now(&session->drain, session->processes, session->process_count);
    drain_to_end(&session->drain, process, lives_on);
    uint64_t now = clock_now();
    process->ended = !lives_on;
    process->ended_time = run_seconds(&session->run, now);
    samples_take(&process->samples, &process->sums, process->pid, now, process->ended_time, true);
    slices_end(&session->run, process);
    endings_settle(&session->run.endings, process, known_status(session, process));
    recording_snapshot(&session->writer, &session->run, process, &session->about);
    session->lost += process->damaged + atomic_load(&process->control->dropped);
    session->abandoned |= atomic_load(&process->control->abandoned) != 0;
    process_free(process);
    session->processes[at] = session->processes[--session->process_count];
}

/* Tells all processes that nothing more will be read, then finishes them. */
static void close_processes(struct session *session)
{
    for (unsigned i = 0; i < session->process_count; i++)
        atomic_store(&session->processes[i]->control->state, RING_CLOSED);
    while (session->process_count) {
        unsigned last = session->process_count - 1;
        finish_process(session, last, !has_ended(session->processes[last]));
    }
}

/* A connection from a process that is already known: it has executed another program. */
static void finish_predecessor(struct session *session, pid_t pid)
{
    for (unsigned i = 0; i < session->process_count; i++)
        if (session->processes[i]->pid == pid) {
            finish_process(session, i, false);
            return;
        }
}

static void send_welcome(int connection, int ring)
{
    struct welcome welcome = {
        .magic = HANDSHAKE_MAGIC, .wire_version = WIRE_VERSION, .accepted = ring >= 0};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = &welcome, .iov_len = sizeof welcome};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (ring >= 0) {
        memset(&control, 0, sizeof control);
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof ring), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &ring, sizeof ring);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    sendmsg(connection, &message, MSG_NOSIGNAL);
}

/* Reads the hello; false when the peer is not one of ours, or another user's. */
static bool receive_hello(int connection, struct ucred *peer, struct hello *hello)
{
    socklen_t size = sizeof *peer;
    struct timeval patience = {.tv_usec = HELLO_PATIENCE_US};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, peer, &size) == 0 &&
           (peer->uid == geteuid() || peer->uid == 0) &&
           recv(connection, hello, sizeof *hello, MSG_WAITALL) == (ssize_t)sizeof *hello &&
           hello->magic == HANDSHAKE_MAGIC && hello->wire_version == WIRE_VERSION;
}

/* Reads the parent's ring up to the mark that it sent before it forked, with the others' so far as
 * they come before, but not the child's: it is the last process. */
static void read_up_to_fork(struct session *session, struct process *parent, struct process *child,
                            uint32_t token)
{
    struct inheritance *found = inheritance_take(&session->run, parent->pid, token);
    if (!found) {
        drain_to_now(&session->drain, session->processes, session->process_count - 1);
        found = inheritance_take(&session->run, parent->pid, token);
    }
    if (!found)
        return;
    /* What the child's rows refer to is the parent's and must be in the recording before. */
    recording_append(&session->writer, &session->run, parent);
    inheritance_apply(&session->run, child, found);
    inheritance_free(found);
}

/* A forked child: gives it what was live in its parent. */
static void inherit(struct session *session, struct process *child, const struct hello *hello)
{
    for (unsigned i = 0; i < session->process_count; i++)
        if (session->processes[i]->pid == (pid_t)hello->parent && session->processes[i] != child) {
            read_up_to_fork(session, session->processes[i], child, hello->fork_token);
            return;
        }
    /* The parent has ended meanwhile. */
    struct inheritance *found =
        inheritance_take(&session->run, (pid_t)hello->parent, hello->fork_token);
    if (found)
        inheritance_apply(&session->run, child, found);
    inheritance_free(found);
}

static bool is_wanted(const struct session *session, pid_t pid)
{
    return session->process_count < PROCESSES_MAX && !session->finishing &&
           (!session->options->no_children || pid == session->about.main_pid);
}

/* Takes a process in; returns the descriptor of its ring, -1 when it is not to be traced. */
static int admit(struct session *session, pid_t pid, const struct hello *hello)
{
    int ring = -1;
    finish_predecessor(session, pid);
    if (!is_wanted(session, pid))
        return -1;
    struct process *process =
        process_new(&session->run, pid, RING_LOG2_WORDS, session->options->overflow,
                    session->options->patience_ns, &ring);
    if (!process)
        return -1;
    process->number = ++session->processes_seen;
    process->python_version = hello->python_version;
    session->processes[session->process_count++] = process;
    session->last_work_ns = clock_now();
    return ring;
}

static void accept_process(struct session *session)
{
    struct ucred peer;
    struct hello hello;
    int connection = accept4(session->options->listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0)
        return;
    if (receive_hello(connection, &peer, &hello)) {
        int ring = admit(session, peer.pid, &hello);
        send_welcome(connection, ring);
        if (ring >= 0)
            close(ring);
        /* Before any ring is read, but the process need not wait for it. */
        if (ring >= 0)
            endings_watch(&session->run.endings, session->processes[session->process_count - 1]);
        if (ring >= 0 && hello.fork_token)
            inherit(session, session->processes[session->process_count - 1], &hello);
    }
    close(connection);
}

/* --- one round ---------------------------------------------------------------------------------
 */

/* Sleeps, but not on when the only process's writers have filled half of its ring. */
static void sleep_on_ring(struct ring_control *control, uint64_t sleep_ns)
{
    atomic_store(&control->reader_sleeps, 1);
    if (!atomic_load(&control->writers_wait))
        futex_wait(&control->reader_sleeps, 1, sleep_ns);
    atomic_store(&control->reader_sleeps, 0);
}

/* Waits for something to do; returns the time that poll() may wait, in ms. */
static int wait_time(struct session *session, uint64_t now)
{
    if (session->process_count == 0)
        return -1;
    uint64_t sleep_ns =
        now - session->last_work_ns > IDLE_AFTER_NS ? SLEEP_IDLE_NS : SLEEP_ACTIVE_NS;
    if (session->process_count > 1)
        return (int)(sleep_ns / 1000000);
    sleep_on_ring(session->processes[0]->control, sleep_ns);
    return 0;
}

static void handle_control(struct session *session)
{
    struct control_message message;
    ssize_t got = recv(session->control, &message, sizeof message, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got != (ssize_t)sizeof message) {
        close(session->control);
        session->control = -1;
    } else if (message.kind == CONTROL_STARTED) {
        session->about.main_pid = message.value;
    } else if (message.kind == CONTROL_ENDED) {
        session->wait_status = message.value;
        session->has_wait_status = true;
        session->finishing = true;
    }
}

/* The command's own end is told by `heapline run`, with its status. */
static bool awaits_status(const struct session *session, const struct process *process)
{
    return session->control >= 0 && process->pid == session->about.main_pid;
}

/* Looks at the sockets and at which processes have ended; waits at most `timeout_ms`. */
static void look_around(struct session *session, int timeout_ms)
{
    struct pollfd watched[PROCESSES_MAX + 2];
    unsigned count = session->process_count;
    for (unsigned i = 0; i < count; i++)
        watched[i] = (struct pollfd){
            .fd = awaits_status(session, session->processes[i]) ? -1 : session->processes[i]->pidfd,
            .events = POLLIN};
    watched[count] = (struct pollfd){.fd = session->options->listener, .events = POLLIN};
    watched[count + 1] = (struct pollfd){.fd = session->control, .events = POLLIN};
    if (poll(watched, count + 2, timeout_ms) <= 0)
        return;
    if (watched[count + 1].revents)
        handle_control(session);
    for (unsigned i = count; i-- > 0;)
        if (watched[i].revents)
            finish_process(session, i, false);
    if (watched[count].revents)
        accept_process(session);
}

/* In turn, and few at a time: asking the kernel costs more than reading a ring. */
static void take_samples(struct session *session, uint64_t now)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < session->process_count && taken < SAMPLES_A_ROUND; i++) {
        session->sampled_last = (session->sampled_last + 1) % session->process_count;
        struct process *process = session->processes[session->sampled_last];
        taken += samples_take(&process->samples, &process->sums, process->pid, now,
                              run_seconds(&session->run, now), false);
    }
}

static void take_slices(struct session *session, uint64_t now)
{
    for (unsigned i = 0; i < session->process_count; i++)
        slices_take(&session->run, session->processes[i], now);
}

static void take_snapshots(struct session *session, uint64_t now)
{
    if (now < session->next_snapshot_ns)
        return;
    for (unsigned i = 0; i < session->process_count; i++)
        recording_snapshot(&session->writer, &session->run, session->processes[i], &session->about);
    recording_peak(&session->writer, &session->run, session->processes, session->process_count);
    uint64_t after = clock_now(), pause = (after - now) * SNAPSHOT_SHARE;
    session->next_snapshot_ns = after + (pause > SNAPSHOT_EVERY_NS ? pause : SNAPSHOT_EVERY_NS);
}

/* Where events come faster than snapshots, what waits must not grow. */
static void write_waiting_history(struct session *session)
{
    for (unsigned i = 0; i < session->process_count; i++)
        if (session->processes[i]->history.waiting_bytes > HISTORY_WAITING_MAX)
            recording_append(&session->writer, &session->run, session->processes[i]);
}

static bool is_over(const struct session *session)
{
    return session->finishing || terminated ||
           (session->control < 0 && session->process_count == 0);
}

static void record(struct session *session)
{
    while (!is_over(session)) {
        uint64_t now = clock_now();
        uint64_t words =
            drain_round(&session->drain, session->processes, session->process_count, now);
        if (words)
            session->last_work_ns = now;
        look_around(session, words < GATHER_WORDS ? wait_time(session, now) : 0);
        take_samples(session, now);
        take_slices(session, now);
        write_waiting_history(session);
        recording_put_late_endings(&session->writer, &session->run.endings);
        take_snapshots(session, now);
    }
}

/* --- beginning and end -------------------------------------------------------------------------
 */

/* What was not recorded, in words; null when nothing. */
static const char *describe_trouble(const struct session *session, char *text, size_t size)
{
    if (session->writer.trouble[0])
        return session->writer.trouble;
    if (session->run.memory_short)
        return "the collector ran out of memory; some allocations are not counted";
    if (session->run.history_short)
        return "the collector ran out of memory; the history ends early";
    if (session->abandoned)
        return "the collector did not answer for too long; from then on nothing was recorded";
    if (session->lost == 0)
        return NULL;
    snprintf(text, size, "%llu events were lost", (unsigned long long)session->lost);
    return text;
}

static void complete(struct session *session)
{
    char text[64];
    close_processes(session);
    recording_peak(&session->writer, &session->run, session->processes, 0);
    recording_put_late_endings(&session->writer, &session->run.endings);
    const char *trouble = describe_trouble(session, text, sizeof text);
    recording_complete(&session->writer, run_seconds(&session->run, clock_now()), !trouble,
                       trouble);
    trouble = describe_trouble(session, text, sizeof text);
    recording_close(&session->writer);
    tell_run(session, CONTROL_DONE, trouble);
}

static char *command_json(char *const *command)
{
    char *list = NULL;
    size_t size;
    FILE *stream = open_memstream(&list, &size);
    if (!stream)
        return NULL;
    for (; *command; command++)
        fwrite(*command, 1, strlen(*command) + 1, stream);
    fclose(stream);
    char *json = text_list_to_json(list, size);
    free(list);
    return json;
}

static bool begin(struct session *session)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    if (!run_init(&session->run))
        return false;
    session->drain.run = &session->run;
    session->run.started_ns = clock_now();
    session->run.started = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9;
    session->run.frames_max = session->options->frames_max;
    session->run.keeps_history = session->options->keeps_history;
    session->about.keeps_history = session->options->keeps_history;
    session->next_snapshot_ns = session->run.started_ns + SNAPSHOT_EVERY_NS;
    session->about.started = session->run.started;
    session->about.command = command_json(session->options->command);
    session->about.directory = getcwd(NULL, 0);
    return session->about.command && session->about.directory;
}

static void end(struct session *session)
{
    free((char *)session->about.command);
    free((char *)session->about.directory);
    run_deinit(&session->run);
    free(session);
}

static void set_signals(void)
{
    struct sigaction action = {.sa_handler = note_termination};
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of write(), not our end */
    signal(SIGHUP, SIG_IGN);
}

int session_run(const struct session_options *options)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return 1;
    session->options = options;
    session->control = options->control;
    set_signals();
    int status = 1;
    if (!begin(session)) {
        tell_run(session, CONTROL_FAILED, "the collector has no memory");
    } else if (!recording_create(&session->writer, options->output, options->force,
                                 &session->about)) {
        tell_run(session, CONTROL_FAILED, session->writer.trouble);
    } else {
        tell_run(session, CONTROL_READY, NULL);
        record(session);
        complete(session);
        status = session->writer.trouble[0] != 0;
    }
    end(session);
    return status;
}
