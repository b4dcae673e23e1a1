/*
 * Who comes into a session: new processes, forked children with what they inherit, programs that
 * take their own place by exec, streams that go on over a new connection.
 *
 * A process is welcomed before what it inherits is copied: it need not wait for that.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/book/inheritance.h"
#include "collector/session/session_state.h"
#include "collector/stream/drain.h"
#include "wire.h"

/* 2 MiB: big enough to ride out a commit, small enough for the caches. Half of it with many
 * processes, which share the time, and the memory, and a quarter in one of many sessions; and half
 * of that for what goes through a socket, which is a buffer too. */
#define RING_LOG2_WORDS 18u
#define PROCESSES_FEW   16u

/* A fork's mark is usually there before the child; over two connections it may come later. Before
 * it another of the parent's threads may stand in the middle of a record, and wait for a processor.
 */
#define MARK_PATIENCE_NS   UINT64_C(200000000)
#define RECORD_PATIENCE_NS UINT64_C(2000000000)
#define MARK_PAUSE_MS      1

/* Only the own user and root get so far; a process that has connected may wait for a processor. */
#define HELLO_PATIENCE_NS UINT64_C(1000000000)

/* How long to wait for a mark that is not among what has just been read. */
static uint64_t mark_patience(const struct process *parent)
{
    if (parent->ring.stream)
        return MARK_PATIENCE_NS;
    return parent->ring.position < parent->ring.cut ? RECORD_PATIENCE_NS : 0;
}

/* Reads the parent's ring up to the mark that it sent before it forked, with the others' so far as
 * they come before, but not the child's: it is the last process. The cut is from before the child
 * was let in. */
static void read_up_to_fork(struct session *session, struct process *parent, uint32_t token,
                            uint64_t cut_ns)
{
    uint64_t since = clock_now();
    while (
        !inheritance_is_noted(&session->run.ledger, parent->peer.host, parent->peer.pid, token)) {
        drain_to_cut(&session->drain, session->processes, session->process_count - 1, cut_ns);
        if (clock_now() - since > mark_patience(parent))
            break;
        poll(NULL, 0, MARK_PAUSE_MS);
    }
}

static struct process *find_process(struct session *session, pid_t pid, uint64_t host)
{
    for (unsigned i = 0; i < session->process_count; i++)
        if (session->processes[i]->peer.pid == pid && session->processes[i]->peer.host == host)
            return session->processes[i];
    return NULL;
}

static bool inherit_from(struct session *session, struct process *child, pid_t pid, uint32_t token,
                         uint64_t cut_ns)
{
    struct process *parent = find_process(session, pid, child->peer.host);
    if (parent && parent != child)
        read_up_to_fork(session, parent, token, cut_ns);
    /* The parent may have ended meanwhile. */
    struct inheritance *found =
        inheritance_take(&session->run.ledger, child->peer.host, pid, token);
    if (found)
        inheritance_apply(&session->run.ledger, &child->book, found);
    return found;
}

/* A forked child: gives it what was live in its parent. The kernel may name another one, when the
 * parent has ended; the child itself may, when it sees other process ids. */
static void inherit_from_parent(struct session *session, struct process *child,
                                const struct hello *hello, uint64_t cut_ns)
{
    pid_t told = (pid_t)hello->parent;
    if (!inherit_from(session, child, child->peer.parent, hello->fork_token, cut_ns) &&
        (child->peer.parent == told ||
         !inherit_from(session, child, told, hello->fork_token, cut_ns))) {
        book_damage(&child->book,
                    DAMAGE_INHERITANCE); /* what it frees of its parent's will be unmatched */
        session->run.ledger.absences.counts[ABSENCE_INHERITANCE]++;
    }
}

/* Nobody waits for this process's hello any more. */
static void hear_arrival(struct session *session, const struct arrival *arrival)
{
    absences_hear(&session->run.ledger.absences,
                  &(struct heard){.host = arrival_host(arrival),
                                  .pid = arrival_pid(arrival),
                                  .told = (pid_t)arrival->hello.process,
                                  .since_ns = clock_now()});
}

void session_count_absent(struct session *session, const struct arrival *arrival,
                          enum absence reason)
{
    const struct hello *hello = &arrival->hello;
    if (session->forgotten)
        return;
    session->run.ledger.absences.counts[reason]++;
    hear_arrival(session, arrival);
    if (!hello->fork_token)
        return;
    drain_to_now(&session->drain, session->processes, session->process_count);
    inheritance_free(inheritance_take(&session->run.ledger, arrival_host(arrival),
                                      (pid_t)hello->parent, hello->fork_token));
}

/* A hello from a process that is already known: it has executed another program. Returns the number
 * of what it was; 0: it is not known. */
static uint32_t finish_predecessor(struct session *session, pid_t pid, uint64_t host)
{
    for (unsigned i = 0; i < session->process_count; i++)
        if (session->processes[i]->peer.pid == pid && session->processes[i]->peer.host == host) {
            uint32_t number = session->processes[i]->peer.number;
            session_finish_process(session, i, false);
            return number;
        }
    return 0;
}

static bool is_of_the_run(const struct session *session, pid_t pid)
{
    return !session->options->no_children || pid == session->about.main_pid;
}

static bool is_wanted(const struct session *session, pid_t pid)
{
    return !session->finishing && !session->stopped[0] && is_of_the_run(session, pid);
}

static void welcome_process(const struct arrival *arrival, const struct process *process,
                            int parts[RING_PARTS])
{
    const struct welcome answer = {
        .magic = HANDSHAKE_MAGIC,
        .wire_version = WIRE_VERSION,
        .verdict = WELCOME_ACCEPTED,
        .carrier = process->ring.stream ? HELLO_STREAM : HELLO_RING,
        .log2_words = process->ring.log2_words,
        .overflow = process->ring.reader->overflow,
        .patience_ns = process->ring.reader->patience_ns,
        .stream = process->ring.stream ? process->ring.stream->number : 0,
    };
    arrival_answer(arrival, &answer, parts);
    if (parts)
        ring_close_parts(parts);
    if (!process->ring.stream)
        close(arrival->connection);
}

static unsigned ring_size(const struct session *session, const struct arrival *arrival)
{
    unsigned many = session->options->crowded ? 2 : session->process_count >= PROCESSES_FEW;
    return RING_LOG2_WORDS - many - (arrival->hello.carrier == HELLO_STREAM);
}

/* Memory or descriptors are short. */
static void refuse_for_want(struct session *session, const struct arrival *arrival)
{
    session_count_absent(session, arrival, ABSENCE_NO_MEMORY);
    log_begin(LOG_LEVEL_ERROR, "refused");
    log_text("file", session->options->output);
    log_number("pid", arrival_pid(arrival));
    log_text("reason", "no memory or descriptors for another process");
    log_end();
    if (arrival->connection < 0)
        return;
    arrival_refuse(arrival, WELCOME_LIMIT);
    close(arrival->connection);
}

static void begin_process(struct session *session, const struct arrival *arrival,
                          uint32_t predecessor)
{
    const struct ring_plan plan = {
        .log2_words = ring_size(session, arrival),
        .overflow = session->options->overflow,
        .patience_ns = session->options->patience_ns,
    };
    int parts[RING_PARTS];
    struct process *process = process_new(&session->run, arrival, &plan, parts);
    if (!process) {
        refuse_for_want(session, arrival);
        return;
    }
    /* Before the child may do anything: what its parent does when that is done comes later. */
    uint64_t cut_ns = drain_make_cut(session->processes, session->process_count);
    process->peer.number = ++session->processes_seen;
    session->processes[session->process_count++] = process;
    session->last_work_ns = clock_now();
    if (session->options->handover >= 0 && !session->options->named && !session->about.main_pid)
        session->about.main_pid = process->peer.pid; /* without heapline run: whoever comes first */
    session_log_process(session, process, "process_begins");
    welcome_process(arrival, process, parts);
    /* Before any ring is read, but the process need not wait for it. */
    endings_watch(&session->run.endings, &process->peer);
    if (arrival->hello.fork_token) {
        samples_postpone_costly(&process->book.samples, session->last_work_ns);
        inherit_from_parent(session, process, &arrival->hello, cut_ns);
    }
    struct inherited_from from = {0};
    inheritance_of(&process->book, &from);
    lineages_add(&session->run.lineages, &process->peer, arrival, predecessor, from.process);
}

/* Reads what its old connection has brought, as much as the ring holds at a time. */
static void receive_waiting(struct session *session, struct process *process)
{
    uint64_t left = STREAM_REST_WORDS, received;
    while ((received = ring_end_receive(&process->ring, left))) {
        left -= received < left ? received : left;
        drain_to_now(&session->drain, session->processes, session->process_count);
    }
}

static void resume_stream(struct session *session, const struct arrival *arrival)
{
    for (unsigned i = 0; i < session->process_count; i++) {
        struct process *process = session->processes[i];
        if (!process->ring.stream || process->ring.stream->number != arrival->hello.stream)
            continue;
        receive_waiting(session, process);
        if (!stream_reader_resume(process->ring.stream, arrival->connection,
                                  arrival->hello.position))
            break;
        welcome_process(arrival, process, NULL);
        return;
    }
    arrival_refuse(arrival, WELCOME_NONSENSE);
    close(arrival->connection);
}

void session_admit(struct session *session, const struct arrival *arrival)
{
    pid_t pid = arrival_pid(arrival);
    if (arrival->connection < 0) {
        refuse_for_want(session, arrival);
        return;
    }
    if (arrival->hello.carrier == HELLO_UNTRACED) {
        session_count_absent(session, arrival, ABSENCE_OWN_LIMIT);
        close(arrival->connection);
        return;
    }
    if (arrival->hello.stream) {
        resume_stream(session, arrival);
        return;
    }
    if (arrival->hello.carrier == HELLO_RING && !ring_can_be_shared()) {
        arrival_refuse(arrival, WELCOME_STREAM);
        close(arrival->connection);
        return;
    }
    uint32_t predecessor = finish_predecessor(session, pid, arrival_host(arrival));
    if (is_wanted(session, pid) && session->process_count < PROCESSES_MAX) {
        hear_arrival(session, arrival);
        begin_process(session, arrival, predecessor);
        return;
    }
    if (is_of_the_run(session, pid))
        session_count_absent(session, arrival,
                             session->finishing || session->stopped[0] ? ABSENCE_WENT_ON
                                                                       : ABSENCE_TOO_MANY);
    arrival_refuse(arrival, session_farewell(session));
    close(arrival->connection);
}

/* Waits for a hello that has just been sent. */
static enum arrival_state await_hello(struct arrival_reader *reader)
{
    uint64_t since = clock_now();
    enum arrival_state state;
    while ((state = arrival_read(reader)) == ARRIVAL_PARTIAL &&
           clock_now() - since < HELLO_PATIENCE_NS) {
        struct pollfd watched = {.fd = reader->arrival.connection, .events = POLLIN};
        poll(&watched, 1, (int)(HELLO_PATIENCE_NS / 1000000));
    }
    return state;
}

void session_accept(struct session *session, int listener)
{
    struct arrival_reader reader = {.have = 0};
    struct arrival *arrival = &reader.arrival;
    arrival->connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (arrival->connection < 0)
        return;
    bool trusted = arrival_look_at_peer(arrival) && arrival->peer.local;
    if (trusted && arrival->peer.is_stranger) {
        strangers_greet(&session->strangers, arrival);
        return;
    }
    enum arrival_state state = trusted ? await_hello(&reader) : ARRIVAL_NONSENSE;
    if (state == ARRIVAL_WHOLE && arrival->hello.carrier != HELLO_RUN) {
        session_admit(session, arrival);
        return;
    }
    if (state == ARRIVAL_VERSION)
        arrival_refuse(arrival, WELCOME_VERSION);
    close(arrival->connection);
}
