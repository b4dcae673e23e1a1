/*
 * The collector's one loop.
 *
 * Each round reads what the rings hold, looks at the sockets and pidfds, and now and then commits a
 * snapshot. When the rings hold little it sleeps: with one process on a futex in that process's
 * ring, so that a burst wakes it at once, with several for a millisecond. Never longer than
 * SLEEP_IDLE_NS, because the end of a process and new connections are seen only between sleeps. A
 * daemon may have a hundred sessions in which nothing happens: those sleep longer, and give the
 * memory back that they have for their work.
 *
 * It ends when `heapline run` says that its command has ended, or when run is gone and the last
 * traced process has ended; a session of the daemon also at SIGTERM. And it ends early where its
 * memory is bounded (own_memory.h): a private one then stays at the door until the command has
 * ended, without the memory, and declines who comes. Rings still open are closed
 * then, and their processes go on untraced.
 */
#include "collector/session/session.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/base/text.h"
#include "collector/book/inheritance.h"
#include "collector/book/looking.h"
#include "collector/book/slices.h"
#include "collector/session/handover.h"
#include "collector/session/session_state.h"
#include "collector/stream/drain.h"
#include "collector/survey/survey.h"
#include "collector/symbols/debug_file.h"
#include "collector/system/members.h"
#include "futex.h"

/* Less than this in all rings is left to gather: reading right behind a writer would take its cache
 * lines away from it. */
#define GATHER_WORDS 16384u

#define SLEEP_ACTIVE_NS UINT64_C(1000000)
#define SLEEP_IDLE_NS   UINT64_C(3000000)
/* Idle is who has had nothing to read for so long. */
#define IDLE_AFTER_NS UINT64_C(200000000)
/* Where writers wait and yet nothing can be read: one of them stands in the middle of a record, and
 * may be in need of our processor to end it. */
#define SLEEP_STUCK_NS UINT64_C(50000)
/* Where nobody waits for the end of a command, and only one process may have to be woken for. */
#define SLEEP_RESTING_NS UINT64_C(10000000)
#define REST_AFTER_NS    UINT64_C(2000000000)

/* Who has forked is taken to fork again for so long. */
#define FORKS_FOR_NS UINT64_C(2000000000)

/* History that may wait in memory for the next snapshot. */
#define HISTORY_WAITING_MAX (4u << 20)
/* And for a file that another program has locked: minutes of a busy process. */
#define HISTORY_PUT_OFF_MAX (256u << 20)

#define SAMPLES_A_ROUND 2u

#define SNAPSHOT_EVERY_NS UINT64_C(1000000000)
#define SNAPSHOT_QUIET_NS UINT64_C(10000000000)
/* A snapshot may take this part of the time; there are many that do where it is crowded. */
#define SNAPSHOT_SHARE         40u
#define SNAPSHOT_SHARE_CROWDED 1000u

/* How long a stream whose connection has closed may take to come back. */
#define STREAM_PATIENCE_NS  UINT64_C(2000000000)
#define LAST_WORDS_PAUSE_MS 10
/* How long others that the command has started may take to end, or to say hello, unless the user
 * waits for them. */
#define OTHERS_PATIENCE_NS UINT64_C(2000000000)
#define MEMBERS_EVERY_NS   UINT64_C(100000000)
/* How long a session of the daemon stays when nobody is there. */
#define LINGER_NS UINT64_C(300000000)

static volatile sig_atomic_t terminated;

static void note_termination(int number)
{
    (void)number;
    terminated = 1;
}

/* Has it ended early, for a reason of its own that the user has been told? */
static bool has_said_why(const struct session *session)
{
    return session->stopped[0] && session->options->handover < 0;
}

static void tell_run(struct session *session, uint32_t kind, const char *text)
{
    struct control_message message = {.kind = kind, .value = (int32_t)session->command.told};
    snprintf(message.text, sizeof message.text, "%s", text ? text : "");
    if (session->command.control >= 0)
        TEMP_FAILURE_RETRY(send(session->command.control, &message, sizeof message, MSG_NOSIGNAL));
}

/* --- processes ---------------------------------------------------------------------------------
 */

/* Brings the file up to date for a process; one that has said nothing since has only samples to be
 * written, which can wait. */
static bool update_process(struct session *session, struct process *process, uint64_t now)
{
    if (process->ring.position == process->snapshot_position &&
        now - process->snapshot_ns < SNAPSHOT_QUIET_NS)
        return false;
    process->snapshot_position = process->ring.position;
    process->snapshot_ns = now;
    recording_snapshot(&session->writer, &session->run, process, &session->about);
    return true;
}

/* Those whose rows are still to be written. */
static struct process **ended_processes(const struct session *session)
{
    return session->ended.list.data;
}

/* Writes the rows of those who have ended; of them all is known now. */
static bool write_ended(struct session *session)
{
    bool is_news = session->ended.count;
    while (session->ended.count) {
        struct process *process = ended_processes(session)[--session->ended.count];
        recording_snapshot(&session->writer, &session->run, process, &session->about);
        process_free(process);
    }
    return is_news;
}

/* All in one transaction: what a process inherits is told by where another one stood. */
static void bring_up_to_date(struct session *session, uint64_t now)
{
    bool is_news = false;
    if (!recording_begin(&session->writer) && !session->writer.database.trouble[0])
        return; /* put off */
    for (unsigned i = 0; i < session->process_count; i++)
        is_news |= update_process(session, session->processes[i], now);
    is_news |= write_ended(session);
    recording_put_absences(&session->writer, &session->run.ledger.absences);
    recording_commit(&session->writer);
    if (is_news)
        recording_peak(&session->writer, &session->run, session->processes, session->process_count);
}

/* What `heapline run` has told of the process, if it is the command's own. */
static const int *known_status(const struct session *session, const struct process *process)
{
    bool is_main = process->peer.pid == session->about.main_pid;
    return session->command.has_wait_status && is_main ? &session->command.wait_status : NULL;
}

void session_count_processes(const struct session *session)
{
    if (session->options->counts)
        atomic_store(&session->options->counts->both,
                     (uint64_t)session->settled << 32 | session->process_count);
}

void session_log_process(const struct session *session, const struct process *process,
                         const char *event)
{
    bool broken = process->ring.stream && process->ring.stream->problem;
    log_begin(broken ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, event);
    log_text("file", session->options->output);
    log_number("pid", process->peer.pid);
    log_text("carrier", process->ring.stream ? "stream" : "ring");
    log_text("trouble", broken ? process->ring.stream->problem : NULL);
    log_end();
}

static void put_with_ended(struct session *session, struct process *process)
{
    if (vector_reserve(&session->ended.list, session->ended.count + 1, sizeof process)) {
        ended_processes(session)[session->ended.count++] = process;
        return;
    }
    process_free(process);
    NOTE_HERE(&session->run.ledger.memory_short);
}

/* Reads a process's ring to its very end, the others' so far as they come before. */
void session_finish_process(struct session *session, unsigned at, bool lives_on)
{
    struct process *process = session->processes[at];
    process->peer.is_dead |= !lives_on;
    drain_to_now(&session->drain, session->processes, session->process_count);
    drain_to_end(&session->drain, process, lives_on);
    uint64_t now = clock_now();
    process->peer.ended = !lives_on;
    process->peer.ended_time = run_seconds(&session->run, now);
    samples_take(&process->book.samples, &process->book.sums, process->peer.local, now,
                 process->peer.ended_time, true);
    slices_end(&session->run.ledger, &process->book);
    endings_settle(&session->run.endings, &process->peer,
                   process_has_ended(process) && !process->peer.is_replaced,
                   known_status(session, process));
    session->run.ledger.absences.counts[ABSENCE_UNHEARD] += peer_went_on_alone(&process->peer);
    if (process->ring.stream && process->ring.stream->problem) {
        session->loss.broken = process->ring.stream->problem;
        book_damage(&process->book, DAMAGE_STREAM);
    }
    if (process->ring.stream && !process->ring.stream->problem && process->ring.stream->have &&
        !lives_on)
        book_damage(&process->book,
                    DAMAGE_STREAM); /* killed, or had given up, in the middle of a frame */
    session->loss.events += process_lost(process);
    session->loss.abandoned |= atomic_load(&process->ring.writers->abandoned) != 0;
    session_log_process(session, process, "process_ends");
    lineages_end(&session->run.lineages, &process->peer);
    book_finish_chunk(&session->run.ledger, &process->book);
    history_writer_deinit(&process->book.history.writer);
    /* Files are read in the root of who has named them, which is closed then. */
    if (session->writer.files < session->run.stacks.codes.file_count)
        recording_append(&session->writer, &session->run, process);
    process_retire(process);
    session->processes[at] = session->processes[--session->process_count];
    session_count_processes(session);
    put_with_ended(session, process);
    if (session->ended.count >= ENDED_MAX)
        bring_up_to_date(session, now);
}

/* Tells all processes that nothing more will be read, then finishes them. */
static void close_processes(struct session *session)
{
    uint32_t farewell = session_farewell(session);
    for (unsigned i = 0; i < session->process_count; i++) {
        struct process *process = session->processes[i];
        atomic_store(&process->ring.reader->state,
                     farewell == WELCOME_LIMIT ? RING_STOPPED : RING_CLOSED);
        process->ring.farewell = farewell;
    }
    while (session->process_count) {
        unsigned last = session->process_count - 1;
        bool lives_on = !process_has_ended(session->processes[last]);
        session->run.ledger.absences.counts[ABSENCE_WENT_ON] += lives_on;
        session_finish_process(session, last, lives_on);
    }
}

/* --- one round ---------------------------------------------------------------------------------
 */

/* Sleeps, but not on when the only process's writers have filled half of its ring. `idle`: there
 * was nothing to read. A writer that wakes it for nothing does so once and not without end. */
static void sleep_on_ring(struct process *process, uint64_t sleep_ns, bool idle)
{
    struct ring_writers_page *writers = process->ring.writers;
    atomic_store(&writers->reader_sleeps, 1);
    bool awaited = atomic_load(&writers->writers_wait) &&
                   atomic_load(&writers->head) != process->ring.position;
    if (idle && process->ring.roused)
        nanosleep(&(struct timespec){.tv_nsec = (long)(awaited ? SLEEP_STUCK_NS : sleep_ns)}, NULL);
    else if (idle || !awaited)
        futex_wait(&writers->reader_sleeps, 1, awaited ? SLEEP_STUCK_NS : sleep_ns);
    process->ring.roused = atomic_exchange(&writers->reader_sleeps, 0) == 0;
}

static bool is_deserted(const struct session *session)
{
    return session->command.control < 0 && session->process_count == 0 &&
           !session->options->named && session->options->handover >= 0 && !session->daemon.leaving;
}

/* Waits for something to do; returns the time that poll() may wait, in ms. */
static int wait_time(struct session *session, uint64_t now)
{
    if (session->process_count == 0 && session->command.has_wait_status)
        return LAST_WORDS_PAUSE_MS;
    if (session->process_count == 0)
        return is_deserted(session)   ? (int)(LINGER_NS / 1000000)
               : session->ended.count ? (int)(SNAPSHOT_EVERY_NS / 1000000)
                                      : -1;
    bool active = now - session->last_work_ns <= IDLE_AFTER_NS && !session->options->crowded;
    uint64_t sleep_ns = active ? SLEEP_ACTIVE_NS : SLEEP_IDLE_NS;
    if (session->rests && session->command.control < 0 && session->process_count == 1)
        sleep_ns = SLEEP_RESTING_NS;
    /* A child says hello on a socket, and is not to wait for the end of a sleep. */
    bool forks = session->run.ledger.inheritances.forked_ns &&
                 now - session->run.ledger.inheritances.forked_ns < FORKS_FOR_NS;
    if (session->process_count > 1 || forks || session->processes[0]->ring.stream)
        return (int)(sleep_ns / 1000000);
    sleep_on_ring(session->processes[0], sleep_ns, session->last_work_ns != now);
    return 0;
}

/* Closes the connection to `heapline run`. */
static void drop_control(struct session *session)
{
    close(session->command.control);
    session->command.control = -1;
    session->command.heard_bytes = 0;
}

/* Takes over the connection to a `heapline run`. */
static void take_control(struct session *session, int connection)
{
    if (session->command.control >= 0) { /* a run has one command */
        close(connection);
        return;
    }
    session->command.control = connection;
    tell_run(session, CONTROL_READY, session->options->output);
    if (session->options->named) /* it goes on whatever becomes of one command */
        drop_control(session);
}

static void heed_control(struct session *session, const struct control_message *message)
{
    if (message->kind == CONTROL_STARTED) {
        session->about.main_pid = message->value;
    } else if (message->kind == CONTROL_ENDED) {
        session->command.wait_status = message->value;
        session->command.has_wait_status = true;
        session->command.ended_ns = clock_now();
    } else if (message->kind == CONTROL_UNDO) {
        session->finishing = session->undone = true;
    } else if (message->kind == CONTROL_WAIT) {
        session->command.others_patience_ns =
            message->value > 0 ? (uint64_t)message->value * 1000000000u : UINT64_MAX;
    } else if (message->kind == CONTROL_FINISH) {
        session->finishing = true;
    }
}

/* A message may come in pieces when heapline run is on another host. */
static void handle_control(struct session *session)
{
    ssize_t got = recv(session->command.control,
                       (char *)&session->command.heard + session->command.heard_bytes,
                       sizeof session->command.heard - session->command.heard_bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        drop_control(session);
        return;
    }
    session->command.heard_bytes += (size_t)got;
    if (session->command.heard_bytes < sizeof session->command.heard)
        return;
    session->command.heard_bytes = 0;
    heed_control(session, &session->command.heard);
}

/* The daemon hands something over. */
static void handle_handover(struct session *session)
{
    struct handover handover;
    switch (handover_receive(session->options->handover, &handover)) {
    case HANDOVER_ARRIVAL:
        session_admit(session, &handover.arrival);
        session->settled++;
        session_count_processes(session);
        break;
    case HANDOVER_CONTROL:
        if (handover.arrival.connection >= 0)
            take_control(session, handover.arrival.connection);
        break;
    case HANDOVER_REFUSED:
        session_count_absent(session, &handover.arrival, ABSENCE_DAEMON_LIMIT);
        if (handover.arrival.connection >= 0)
            close(handover.arrival.connection);
        break;
    case HANDOVER_GOODBYE:
        session->daemon.left = true;
        break;
    case HANDOVER_STOP:
        snprintf(session->stopped, sizeof session->stopped, "%s", handover.text);
        break;
    case HANDOVER_END:
        session->daemon.left = true;
        session->daemon.is_closed = true;
        break;
    case HANDOVER_LEAVE:
    case HANDOVER_NOTHING:
        break;
    }
}

/* The command's own end is told by `heapline run`, with its status. */
static bool awaits_status(const struct session *session, const struct process *process)
{
    return session->command.control >= 0 && !session->command.has_wait_status &&
           process->peer.pid == session->about.main_pid;
}

/* Has a stream ended for good whose process cannot be watched? */
static bool stream_is_over(const struct process *process, uint64_t now)
{
    const struct stream_reader *stream = process->ring.stream;
    return stream && stream->gone_ns &&
           (stream->problem ||
            (process->peer.pidfd < 0 && now - stream->gone_ns > STREAM_PATIENCE_NS));
}

static void finish_ended(struct session *session, const struct pollfd *pidfds, unsigned count)
{
    uint64_t now = clock_now();
    for (unsigned i = count; i-- > 0;)
        if (pidfds[i].revents || (!awaits_status(session, session->processes[i]) &&
                                  stream_is_over(session->processes[i], now)))
            session_finish_process(session, i, false);
}

/* What they held went with the program that said so. */
static void finish_replaced(struct session *session)
{
    for (unsigned i = session->process_count; i-- > 0;) {
        struct process *process = session->processes[i];
        if (!process_is_replaced(process))
            continue;
        process->peer.is_replaced = true;
        session_finish_process(session, i, false);
    }
}

/* Looks at the sockets and at which processes have ended; waits at most `timeout_ms`. */
static void look_around(struct session *session, int timeout_ms)
{
    struct pollfd watched[2 * PROCESSES_MAX + 4 + STRANGERS_MAX];
    unsigned count = session->process_count;
    for (unsigned i = 0; i < count; i++) {
        const struct process *process = session->processes[i];
        int pidfd = awaits_status(session, process) ? -1 : process->peer.pidfd;
        watched[i] = (struct pollfd){.fd = pidfd, .events = POLLIN};
        watched[count + i] = (struct pollfd){
            .fd = process->ring.stream ? process->ring.stream->connection : -1, .events = POLLIN};
    }
    struct pollfd *sockets = watched + 2 * count;
    sockets[0] = (struct pollfd){.fd = session->options->listener, .events = POLLIN};
    sockets[1] = (struct pollfd){.fd = session->command.control, .events = POLLIN};
    sockets[2] = (struct pollfd){.fd = session->daemon.is_closed ? -1 : session->options->handover,
                                 .events = POLLIN};
    sockets[3] = (struct pollfd){.fd = session->options->beside, .events = POLLIN};
    strangers_watch(&session->strangers, sockets + 4);
    unsigned used = 2 * count + 4 + STRANGERS_MAX;
    /* The kernel takes no more than descriptors may be open. */
    while (used > 1 && watched[used - 1].fd < 0)
        used--;
    const struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                                     .tv_nsec = timeout_ms % 1000 * 1000000L};
    if (ppoll(watched, used, timeout_ms < 0 ? NULL : &timeout, &session->unblocked) < 0)
        return;
    if (sockets[1].revents)
        handle_control(session);
    finish_ended(session, watched, count);
    finish_replaced(session);
    if (sockets[0].revents)
        session_accept(session, session->options->listener);
    if (sockets[3].revents)
        session_accept(session, session->options->beside);
    strangers_hear(&session->strangers, sockets + 4);
    if (sockets[2].revents)
        handle_handover(session);
}

/* What it has written up to now is read first: else what lies in its memory already would be
 * nobody's. */
static void survey_process(struct session *session, struct process *process, uint64_t now)
{
    struct survey_order order = {.now_ns = now,
                                 .every_ns = session->options->resident_every_ns,
                                 .seconds = run_seconds(&session->run, now)};
    if (!survey_is_due(&process->book, now, order.every_ns, &order.moment))
        return;
    drain_to_now(&session->drain, session->processes, session->process_count);
    const struct survey_subject subject = process_subject(&session->run, process);
    survey_take(&subject, &order);
}

/* In turn, and few at a time: asking the kernel costs more than reading a ring. */
static void take_samples(struct session *session, uint64_t now)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < session->process_count && taken < SAMPLES_A_ROUND; i++) {
        session->sampled_last = (session->sampled_last + 1) % session->process_count;
        struct process *process = session->processes[session->sampled_last];
        peer_look_at_title(&process->peer, now);
        looking_step(&session->run.ledger, &process->book, process->peer.local, now);
        survey_process(session, process, now);
        taken += samples_take(&process->book.samples, &process->book.sums, process->peer.local, now,
                              run_seconds(&session->run, now), false);
    }
}

static void take_slices(struct session *session, uint64_t now)
{
    for (unsigned i = 0; i < session->process_count; i++)
        slices_take(&session->run.ledger, &session->processes[i]->book, now);
}

/* What is needed only while there is something to be read and written. */
static void give_memory_back(struct session *session)
{
    for (unsigned i = 0; i < session->process_count; i++)
        history_writer_rest(&session->processes[i]->book.history.writer);
    chunk_writer_rest(&session->run.ledger.chunk);
    recording_rest(&session->writer);
    malloc_trim(0);
}

static void take_snapshots(struct session *session, uint64_t now)
{
    if (now < session->next_snapshot_ns)
        return;
    inheritance_drop_old(&session->run.ledger, now);
    absences_drop_old(&session->run.ledger.absences, now);
    bring_up_to_date(session, now);
    if (session->options->crowded)
        give_memory_back(session);
    uint64_t share = session->options->crowded ? SNAPSHOT_SHARE_CROWDED : SNAPSHOT_SHARE;
    uint64_t after = clock_now(), pause = (after - now) * share;
    session->next_snapshot_ns = after + (pause > SNAPSHOT_EVERY_NS ? pause : SNAPSHOT_EVERY_NS);
}

/* Where events come faster than snapshots, what waits must not grow; not without end either where
 * another program has locked the file. */
static void write_waiting_history(struct session *session)
{
    for (unsigned i = 0; i < session->process_count; i++) {
        struct process *process = session->processes[i];
        if (process->book.history.waiting_bytes <= HISTORY_WAITING_MAX ||
            recording_append(&session->writer, &session->run, process) != RECORDING_PUT_OFF ||
            process->book.history.waiting_bytes <= HISTORY_PUT_OFF_MAX)
            continue;
        history_queue_deinit(&process->book.history);
        session->loss.locked_out = true;
    }
}

/* Their rows must be there. */
static void put_late_endings(struct session *session)
{
    if (!session->ended.count)
        recording_put_late_endings(&session->writer, &session->run.endings);
}

/* Is there anybody yet who may start others? It is a look at all processes, and now and then. */
static bool awaits_members(struct session *session)
{
    uint64_t now = clock_now();
    if (session->options->key && now >= session->command.next_members_ns) {
        session->command.members = members_are_there(session->options->key);
        session->command.next_members_ns = now + MEMBERS_EVERY_NS;
    }
    return session->command.members;
}

/* Who ends with the command, as the helpers of multiprocessing do, or has been started just before,
 * is given a moment. */
static bool awaits_others(struct session *session)
{
    bool others =
        session->run.ledger.inheritances.first || session->run.ledger.absences.expected_count;
    for (unsigned i = 0; i < session->process_count; i++) {
        const struct process *process = session->processes[i];
        others |= !process->ring.stream || !process->ring.stream->gone_ns;
    }
    if (!others && session->command.others_patience_ns > OTHERS_PATIENCE_NS)
        others = awaits_members(session);
    return others && clock_now() - session->command.ended_ns < session->command.others_patience_ns;
}

static bool is_over(struct session *session)
{
    if (session->finishing || terminated || session->stopped[0])
        return true;
    if (session->command.has_wait_status)
        return !awaits_others(session);
    return session->command.control < 0 && session->process_count == 0 &&
           (session->options->handover < 0 || session->daemon.left);
}

/* A session of the daemon that nobody is in any more tells it so: it must not hand over anybody who
 * would find the door closed. */
static void take_leave(struct session *session, uint64_t now)
{
    if (is_deserted(session) && now - session->last_work_ns > LINGER_NS)
        session->daemon.leaving = handover_send(session->options->handover, HANDOVER_LEAVE, NULL);
}

/* After some time without work. What has not been written yet is, so that no chunk is begun. */
static void take_rest(struct session *session, uint64_t now)
{
    bool rests = now - session->last_work_ns > REST_AFTER_NS;
    if (rests && !session->rests && session->options->handover >= 0) {
        bring_up_to_date(session, now);
        give_memory_back(session);
    }
    session->rests = rests;
}

static void watch_own_memory(struct session *session, uint64_t now)
{
    if (own_share_is_looked_at(&session->share, now))
        own_share_is_used_up(&session->share, now, session->stopped, sizeof session->stopped);
}

static void record_run(struct session *session)
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
        put_late_endings(session);
        take_snapshots(session, now);
        watch_own_memory(session, now);
        take_leave(session, now);
        take_rest(session, now);
    }
}

/* --- beginning and end -------------------------------------------------------------------------
 */

static const char *tell_shortage(char *text, size_t size, const char *consequence,
                                 struct origin origin)
{
    snprintf(text, size, "the collector ran out of memory; %s (%s:%d)", consequence, origin.file,
             origin.line);
    return text;
}

/* What was not recorded of the processes that are there, in words; null when nothing. */
static const char *describe_loss(const struct session *session, char *text, size_t size)
{
    if (session->stopped[0])
        return session->stopped;
    if (session->writer.database.trouble[0])
        return session->writer.database.trouble;
    struct origin origin = run_memory_short(&session->run);
    if (origin.file)
        return tell_shortage(text, size, "some allocations are not counted", origin);
    origin = session->run.ledger.history_short;
    if (origin.file)
        return tell_shortage(text, size, "the history ends early", origin);
    if (session->loss.locked_out)
        return "another program kept the recording locked; the history ends early";
    if (session->loss.abandoned)
        return "the collector did not answer for too long; from then on nothing was recorded";
    if (session->loss.broken) {
        snprintf(text, size, "a stream made no sense and was given up (%s)", session->loss.broken);
        return text;
    }
    if (session->loss.events == 0 &&
        session->writer.sources.left_out + session->run.stacks.codes.texts_left_out) {
        snprintf(text, size, "the source of %u files is left out: there was too much of it",
                 session->writer.sources.left_out + session->run.stacks.codes.texts_left_out);
        return text;
    }
    if (session->loss.events == 0)
        return NULL;
    snprintf(text, size, "%llu events were lost", (unsigned long long)session->loss.events);
    return text;
}

/* All that is not in the recording, in words; null when nothing. */
static const char *describe_trouble(const struct session *session, char *text, size_t size)
{
    char own[128];
    const char *loss = describe_loss(session, own, sizeof own);
    size_t length = (size_t)snprintf(text, size, "%s", loss ? loss : "");
    if (length + sizeof "; " < size && !session->forgotten) {
        size_t separator = length ? strlen("; ") : 0;
        absences_describe(&session->run.ledger.absences, text + length + separator,
                          size - length - separator);
        if (separator && text[length + separator])
            memcpy(text + length, "; ", separator);
    }
    return *text ? text : NULL;
}

/* Has the program's own standard error said all that is missing? */
static bool is_told_by_programs(const struct session *session)
{
    char text[128];
    return !describe_loss(session, text, sizeof text) &&
           absences_are_told(&session->run.ledger.absences);
}

/* Those who stand at a door. */
static void turn_away_at(struct session *session, int listener)
{
    struct pollfd door = {.fd = listener, .events = POLLIN};
    while (listener >= 0 && poll(&door, 1, 0) > 0 && door.revents & POLLIN)
        session_accept(session, listener);
}

/* Also those whom the daemon has handed over meanwhile. */
static void turn_away(struct session *session)
{
    struct handover handover;
    turn_away_at(session, session->options->listener);
    turn_away_at(session, session->options->beside);
    strangers_dismiss(&session->strangers);
    if (session->options->handover < 0)
        return;
    for (enum handover_kind kind = HANDOVER_GOODBYE;
         kind != HANDOVER_NOTHING && kind != HANDOVER_END;) {
        kind = handover_receive(session->options->handover, &handover);
        if (kind == HANDOVER_ARRIVAL)
            session_admit(session, &handover.arrival);
    }
}

/* What the command said last may still be on its way when `heapline run` says that it has ended:
 * these are two connections. */
static void await_last_words(struct session *session)
{
    uint64_t since = clock_now();
    for (unsigned i = 0; i < session->process_count; i++) {
        const struct process *process = session->processes[i];
        if (!process->ring.stream || !known_status(session, process))
            continue;
        while (process->ring.stream->connection >= 0 && clock_now() - since < STREAM_PATIENCE_NS) {
            struct pollfd watched = {.fd = process->ring.stream->connection, .events = POLLIN};
            poll(&watched, 1, LAST_WORDS_PAUSE_MS);
            drain_to_now(&session->drain, session->processes, session->process_count);
        }
    }
}

static void log_completion(const struct session *session, const char *trouble)
{
    log_begin(trouble ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "run_ends");
    log_text("file", session->options->output);
    log_number("processes", session->processes_seen);
    log_text("trouble", trouble);
    log_end();
}

static void forget_run(struct session *session)
{
    if (!session->forgotten)
        run_deinit(&session->run);
    session->forgotten = true;
}

/* The recording has ended before the command: nobody who comes now is to find that nobody is there.
 */
static void keep_the_door(struct session *session)
{
    forget_run(session);
    malloc_trim(0);
    while (session->command.control >= 0 && !session->command.has_wait_status && !session->undone) {
        struct pollfd watched[] = {{.fd = session->options->listener, .events = POLLIN},
                                   {.fd = session->command.control, .events = POLLIN},
                                   {.fd = session->options->beside, .events = POLLIN}};
        poll(watched, 3, -1);
        if (watched[0].revents)
            session_accept(session, session->options->listener);
        if (watched[2].revents)
            session_accept(session, session->options->beside);
        if (watched[1].revents)
            handle_control(session);
    }
}

/* A private collector has the user's stderr. The daemon's sessions have its log. */
static void say_stopped(const struct session *session)
{
    if (has_said_why(session))
        dprintf(STDERR_FILENO,
                "heapline: the recording ends here, the program goes on untraced: %s\n",
                session->stopped);
}

static void say_divided(const struct session *session)
{
    log_begin(LOG_LEVEL_WARNING, "recording_divided");
    log_text("file", session->options->output);
    log_end();
    if (session->options->handover < 0)
        dprintf(STDERR_FILENO,
                "heapline: another program reads the recording: a part of it stays in %s-wal "
                "until heapline opens it; keep both together\n",
                session->options->output);
}

static void complete_recording(struct session *session)
{
    char text[CONTROL_TEXT_MAX], gone[CONTROL_TEXT_MAX];
    session->finishing = true;
    say_stopped(session);
    recording_be_patient(&session->writer, session->options->handover < 0);
    turn_away(session);
    await_last_words(session);
    close_processes(session);
    double seconds = run_seconds(&session->run, clock_now());
    inheritance_drop_all(&session->run.ledger);
    absences_drop_all(&session->run.ledger.absences);
    bring_up_to_date(session, clock_now());
    recording_peak(&session->writer, &session->run, session->processes, 0);
    recording_put_late_endings(&session->writer, &session->run.endings);
    const char *trouble = describe_trouble(session, text, sizeof text);
    recording_complete(&session->writer, seconds, !trouble, trouble);
    trouble = describe_trouble(session, text, sizeof text);
    bool is_gone = recording_is_gone(&session->writer, gone, sizeof gone);
    if (!recording_close(&session->writer) && !session->undone && !is_gone)
        say_divided(session);
    if (session->undone && !is_gone)
        unlink(session->options->output);
    log_completion(session, is_gone ? gone : trouble);
    session->command.told = has_said_why(session)          ? CONTROL_TOLD_BY_COLLECTOR
                            : is_told_by_programs(session) ? CONTROL_TOLD_BY_PROGRAMS
                                                           : CONTROL_TOLD_BY_NOBODY;
    if (has_said_why(session))
        keep_the_door(session);
    tell_run(session, is_gone ? CONTROL_GONE : CONTROL_DONE, is_gone ? gone : trouble);
}

static bool begin_session(struct session *session)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    if (!run_init(&session->run))
        return false;
    drain_init(&session->drain, &session->run);
    session->run.started_ns = clock_now();
    session->run.started = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9;
    session->run.stacks.native.modules.since = wall;
    session->run.stacks.native.download = session->options->downloads;
    session->run.stacks.frames_max = session->options->frames_max;
    session->run.ledger.keeps_history = session->options->keeps_history;
    session->run.has_no_children = session->options->no_children;
    session->about.keeps_history = session->options->keeps_history;
    session->next_snapshot_ns = session->run.started_ns + SNAPSHOT_EVERY_NS;
    session->last_work_ns = session->run.started_ns;
    session->about.started = session->run.started;
    session->about.command = session->options->command;
    session->about.directory = session->options->directory;
    return true;
}

/* Nobody can connect any more. */
static void remove_file(int listener)
{
    struct sockaddr_un address = {0};
    socklen_t size = sizeof address - 1;
    if (listener >= 0 && getsockname(listener, (struct sockaddr *)&address, &size) == 0 &&
        address.sun_path[0])
        unlink(address.sun_path);
}

static void end_session(struct session *session)
{
    strangers_dismiss(&session->strangers);
    remove_file(session->options->beside);
    forget_run(session);
    vector_deinit(&session->ended.list);
    own_share_deinit(&session->share);
    free(session);
}

/* SIGTERM comes while the session waits, and at no other time: it must not wait on behind it. Only
 * the daemon tells a session its end so; a private one ends with its command, and what is sent to
 * every process of a service must not end it before that. */
static void set_signals(struct session *session)
{
    bool is_private = session->options->handover < 0;
    struct sigaction action = {.sa_handler = is_private ? SIG_IGN : note_termination};
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &session->unblocked);
    sigdelset(&session->unblocked, SIGTERM);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of write(), not our end */
    signal(SIGHUP, SIG_IGN);
}

/* The recording cannot be made: whoever the session was made for is told. */
static void refuse_first(struct session *session)
{
    struct handover handover;
    if (session->options->handover < 0 ||
        handover_receive(session->options->handover, &handover) == HANDOVER_NOTHING)
        return;
    if (handover.kind == HANDOVER_CONTROL)
        session->command.control = handover.arrival.connection;
    else if (handover.kind == HANDOVER_ARRIVAL)
        arrival_refuse(&handover.arrival, WELCOME_LIMIT);
}

static void admit_arrival(void *session, const struct arrival *arrival)
{
    session_admit(session, arrival);
}

int session_run(const struct session_options *options)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return 1;
    session->options = options;
    session->command.control = options->control;
    session->command.others_patience_ns = OTHERS_PATIENCE_NS;
    session->strangers =
        (struct strangers){.key = options->key, .admit = admit_arrival, .context = session};
    set_signals(session);
    own_memory_go_first();
    own_share_init(&session->share);
    int status = 1;
    bool is_checked = options->handover >= 0; /* by the daemon */
    const char *trouble = options->downloads && !is_checked ? debug_files_download_trouble() : NULL;
    if (trouble) {
        tell_run(session, CONTROL_FAILED, trouble);
    } else if (!begin_session(session)) {
        tell_run(session, CONTROL_FAILED, "the collector has no memory");
    } else if (!recording_create(&session->writer, options->output, options->force,
                                 &session->about)) {
        log_begin(LOG_LEVEL_ERROR, "cannot_record");
        log_text("trouble", session->writer.database.trouble);
        log_end();
        refuse_first(session);
        tell_run(session, CONTROL_FAILED, session->writer.database.trouble);
    } else {
        tell_run(session, CONTROL_READY, NULL);
        record_run(session);
        complete_recording(session);
        status = session->writer.database.trouble[0] != 0;
    }
    end_session(session);
    return status;
}
