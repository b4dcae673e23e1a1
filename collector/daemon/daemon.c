/*
 * The daemon's loop: listens, reads hellos, checks tokens, hands over.
 *
 * A connection is given HELLO_PATIENCE to say its hello, and there are at most PENDING_MAX of those
 * that have not. When there are as many, each gets less time, so that those who say nothing do not
 * keep others out for long.
 *
 * Who says a wrong token is told so. From an address that has been wrong too often (guesses.h) no
 * token is looked at for LATE_NS: such arrivals wait in slots of their own, of which an address
 * has a few, and those that find none are turned away unseen. So guesses come to a few a second,
 * however many there are at a time, and who knows the token comes in from there too, a little
 * later.
 *
 * Without descriptors for another one nobody is let in for a moment. It
 * reads no events: sessions do. SIGTERM and SIGINT end it, in order: nobody more is let in, the
 * sessions finish their files.
 */
#include "collector/daemon/daemon.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/daemon/guesses.h"
#include "collector/daemon/listener.h"
#include "collector/daemon/runs.h"
#include "control.h"

#define PENDING_MAX       64u
#define HELLO_PATIENCE_NS UINT64_C(2000000000)
/* When all slots are taken. */
#define HELLO_PATIENCE_FULL_NS UINT64_C(250000000)
#define LOOK_EVERY_MS          250
#define FULL_PAUSE_NS          UINT64_C(100000000)
/* Who is on another host and gone without a word is noticed after two minutes. */
#define KEEPALIVE_IDLE   60
#define KEEPALIVE_EVERY  20
#define KEEPALIVE_PROBES 3
#define QUOTA_EVERY_NS   UINT64_C(1000000000)
/* How long a token from where there have been too many wrong ones is not looked at, and how many
 * such arrivals there are at a time, in all and from one address. */
#define LATE_NS             UINT64_C(500000000)
#define LATE_MAX            64u
#define LATE_OF_ADDRESS_MAX 8u

struct pending {
    struct arrival_reader *reader; /* null: free */
    uint64_t since_ns;
};

/* An arrival whose token is not looked at yet. */
struct late {
    struct arrival_reader *reader; /* null: free */
    uint64_t address, since_ns;
};

struct daemon {
    const struct daemon_options *options;
    struct listener listeners[DAEMON_LISTENERS_MAX];
    unsigned listener_count;
    struct pending pending[PENDING_MAX];
    struct late late[LATE_MAX];
    struct guesses guesses;
    struct log_limit drops; /* lines about those who are not let in */
    struct runs runs;
    uint64_t next_quota_ns;
    uint64_t full_since_ns; /* there are no descriptors for another connection; 0: there are */
    uint64_t next_accept_ns;
};

static volatile sig_atomic_t told_to_end;

static void note_signal(int number)
{
    if (number != SIGCHLD)
        told_to_end = 1;
}

/* --- hellos --- */

static void log_drop(struct daemon *daemon, const struct arrival *arrival, const char *reason)
{
    if (!log_limit_pass(&daemon->drops, clock_now()))
        return;
    log_begin(LOG_LEVEL_WARNING, "dropped");
    if (arrival->peer.pid)
        log_number("pid", arrival->peer.pid);
    log_text("peer", arrival->peer.local ? "local" : "tcp");
    log_text("reason", reason);
    log_end();
}

/* Says how many lines have been left out. */
static void log_left_out(struct daemon *daemon, uint64_t now, bool at_end)
{
    uint64_t count = log_limit_sum(&daemon->drops, now, at_end);
    if (!count)
        return;
    log_begin(LOG_LEVEL_WARNING, "dropped_more");
    log_number("count", (int64_t)count);
    log_end();
}

static void reader_free(struct arrival_reader **reader)
{
    free(*reader);
    *reader = NULL;
}

static void reader_drop(struct daemon *daemon, struct arrival_reader **reader, const char *reason)
{
    log_drop(daemon, &(*reader)->arrival, reason);
    close((*reader)->arrival.connection);
    reader_free(reader);
}

static void pending_drop(struct daemon *daemon, struct pending *pending, const char *reason)
{
    reader_drop(daemon, &pending->reader, reason);
}

/* A peer on this host is known by the kernel's word; one that is not needs the token. */
static bool needs_token(const struct daemon *daemon, const struct arrival *arrival)
{
    return !arrival->peer.local && daemon->options->token;
}

static void refuse_token(const struct arrival *arrival)
{
    struct control_message message = {
        .kind = CONTROL_FAILED, .text = "the daemon wants another token (" ENVIRONMENT_TOKEN ")"};
    if (arrival->hello.carrier == HELLO_RUN)
        send(arrival->connection, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
    else
        arrival_refuse(arrival, WELCOME_TOKEN);
}

/* Lets an arrival in, or tells it that its token is wrong. */
static void settle_arrival(struct daemon *daemon, struct arrival_reader **reader)
{
    struct arrival *arrival = &(*reader)->arrival;
    if (needs_token(daemon, arrival) && !arrival_knows(arrival, "token", daemon->options->token)) {
        guesses_note_wrong(&daemon->guesses, guesser_of(arrival->connection), clock_now());
        refuse_token(arrival);
        reader_drop(daemon, reader, "wrong token");
        return;
    }
    if (arrival->hello.carrier == HELLO_RING && !arrival->peer.pid) {
        /* What is out of sight (in another pid namespace) must say more of itself. */
        arrival_refuse(arrival, WELCOME_STREAM);
        close(arrival->connection);
    } else {
        runs_hand_over(&daemon->runs, arrival);
    }
    reader_free(reader);
}

/* A free slot for another late arrival from an address; null: it has its share. */
static struct late *late_place(struct daemon *daemon, uint64_t address)
{
    struct late *free_place = NULL;
    unsigned of_address = 0;
    for (unsigned i = 0; i < LATE_MAX; i++) {
        struct late *late = &daemon->late[i];
        if (!late->reader)
            free_place = late;
        else
            of_address += late->address == address;
    }
    return of_address < LATE_OF_ADDRESS_MAX ? free_place : NULL;
}

/* From there too many wrong tokens have come. */
static void make_late(struct daemon *daemon, struct pending *pending, uint64_t address)
{
    struct late *late = late_place(daemon, address);
    if (!late) {
        refuse_token(&pending->reader->arrival);
        pending_drop(daemon, pending, "too many wrong tokens");
        return;
    }
    *late = (struct late){.reader = pending->reader, .address = address, .since_ns = clock_now()};
    pending->reader = NULL;
}

static void settle_late(struct daemon *daemon, uint64_t now)
{
    for (unsigned i = 0; i < LATE_MAX; i++)
        if (daemon->late[i].reader && now - daemon->late[i].since_ns >= LATE_NS)
            settle_arrival(daemon, &daemon->late[i].reader);
}

static void pending_settle(struct daemon *daemon, struct pending *pending)
{
    const struct arrival *arrival = &pending->reader->arrival;
    if (arrival->peer.is_stranger && !runs_include(&daemon->runs, arrival)) {
        pending_drop(daemon, pending, "another user's process");
        return;
    }
    uint64_t address = needs_token(daemon, arrival) ? guesser_of(arrival->connection) : 0;
    if (needs_token(daemon, arrival) && guesses_are_spent(&daemon->guesses, address, clock_now()))
        make_late(daemon, pending, address);
    else
        settle_arrival(daemon, &pending->reader);
}

static void pending_read(struct daemon *daemon, struct pending *pending)
{
    switch (arrival_read(pending->reader)) {
    case ARRIVAL_PARTIAL:
        break;
    case ARRIVAL_WHOLE:
        pending_settle(daemon, pending);
        break;
    case ARRIVAL_VERSION:
        arrival_refuse(&pending->reader->arrival, WELCOME_VERSION);
        pending_drop(daemon, pending, "another version of heapline");
        break;
    case ARRIVAL_NONSENSE:
        pending_drop(daemon, pending, "no hello");
        break;
    case ARRIVAL_GONE:
        pending_drop(daemon, pending, "closed before it said hello");
        break;
    }
}

static struct pending *pending_slot(struct daemon *daemon)
{
    for (unsigned i = 0; i < PENDING_MAX; i++)
        if (!daemon->pending[i].reader)
            return &daemon->pending[i];
    return NULL;
}

static void drop_silent(struct daemon *daemon, uint64_t now)
{
    uint64_t patience = pending_slot(daemon) ? HELLO_PATIENCE_NS : HELLO_PATIENCE_FULL_NS;
    for (unsigned i = 0; i < PENDING_MAX; i++)
        if (daemon->pending[i].reader && now - daemon->pending[i].since_ns > patience)
            pending_drop(daemon, &daemon->pending[i], "said nothing in time");
}

/* --- connections --- */

static void keep_alive(int connection)
{
    static const struct {
        int level, name, value;
    } options[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                   {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE},
                   {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY},
                   {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        setsockopt(connection, options[i].level, options[i].name, &options[i].value,
                   sizeof options[i].value);
}

static void begin_pending(struct daemon *daemon, struct pending *pending, int connection)
{
    pending->reader = malloc(sizeof *pending->reader);
    pending->since_ns = clock_now();
    if (!pending->reader) {
        close(connection);
        return;
    }
    pending->reader->have = 0;
    pending->reader->arrival.connection = connection;
    bool is_known = arrival_look_at_peer(&pending->reader->arrival);
    if (!is_known || (pending->reader->arrival.peer.is_stranger && !daemon->options->all_users))
        pending_drop(daemon, pending, "another user's process");
    else if (!pending->reader->arrival.peer.local)
        keep_alive(connection);
}

/* Lets nobody in for a moment, and says so once. */
static void note_fullness(struct daemon *daemon, const char *reason)
{
    uint64_t now = clock_now();
    daemon->next_accept_ns = now + FULL_PAUSE_NS;
    if (daemon->full_since_ns)
        return;
    daemon->full_since_ns = now;
    log_begin(LOG_LEVEL_ERROR, "cannot_accept");
    log_text("reason", reason);
    log_end();
}

static void note_room(struct daemon *daemon)
{
    if (!daemon->full_since_ns)
        return;
    log_begin(LOG_LEVEL_INFO, "accepts_again");
    log_number("seconds", (int64_t)((clock_now() - daemon->full_since_ns) / 1000000000));
    log_end();
    daemon->full_since_ns = 0;
}

/* Those who wait behind a full table wait in the listening socket's queue. */
static void accept_from(struct daemon *daemon, const struct listener *listener)
{
    struct pending *pending;
    while ((pending = pending_slot(daemon))) {
        int connection = accept4(listener->descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                note_fullness(daemon, strerror(errno));
            return;
        }
        note_room(daemon);
        begin_pending(daemon, pending, connection);
    }
}

/* --- the loop --- */

/* What is looked at in one round. Only what is open: poll() refuses more entries than the process
 * may have descriptors. */
struct watch {
    struct pollfd entries[DAEMON_LISTENERS_MAX + PENDING_MAX + RUNS_MAX];
    unsigned pending_at[PENDING_MAX]; /* by entry: which one it is */
    unsigned pending_count, run_count, listener_count;
};

static void watch_pending(struct watch *watch, const struct daemon *daemon)
{
    for (unsigned i = 0; i < PENDING_MAX; i++) {
        const struct arrival_reader *reader = daemon->pending[i].reader;
        if (!reader)
            continue;
        watch->entries[watch->pending_count] =
            (struct pollfd){.fd = reader->arrival.connection, .events = POLLIN};
        watch->pending_at[watch->pending_count++] = i;
    }
}

/* Listeners come last: while there is no room for those who come they are left out. */
static void watch_listeners(struct watch *watch, struct daemon *daemon)
{
    struct pollfd *entries = watch->entries + watch->pending_count + watch->run_count;
    if (!pending_slot(daemon) || clock_now() < daemon->next_accept_ns)
        return;
    watch->listener_count = daemon->listener_count;
    for (unsigned i = 0; i < watch->listener_count; i++)
        entries[i] = (struct pollfd){.fd = daemon->listeners[i].descriptor, .events = POLLIN};
}

static void look_around(struct daemon *daemon, const sigset_t *mask)
{
    struct watch watch = {.run_count = daemon->runs.count};
    watch_pending(&watch, daemon);
    const struct pollfd *runs = watch.entries + watch.pending_count;
    const struct pollfd *listeners = runs + watch.run_count;
    runs_watch(&daemon->runs, watch.entries + watch.pending_count);
    watch_listeners(&watch, daemon);
    const struct timespec timeout = {.tv_nsec = watch.listener_count ? LOOK_EVERY_MS * 1000000L
                                                                     : (long)FULL_PAUSE_NS};
    nfds_t count = watch.pending_count + watch.run_count + watch.listener_count;
    if (ppoll(watch.entries, count, &timeout, mask) <= 0)
        return;
    runs_hear(&daemon->runs, runs, watch.run_count);
    for (unsigned i = 0; i < watch.pending_count; i++)
        if (watch.entries[i].revents)
            pending_read(daemon, &daemon->pending[watch.pending_at[i]]);
    for (unsigned i = 0; i < watch.listener_count; i++)
        if (listeners[i].revents)
            accept_from(daemon, &daemon->listeners[i]);
}

static void serve_connections(struct daemon *daemon, const sigset_t *mask)
{
    while (!told_to_end) {
        look_around(daemon, mask);
        runs_reap(&daemon->runs);
        uint64_t now = clock_now();
        drop_silent(daemon, now);
        settle_late(daemon, now);
        log_left_out(daemon, now, false);
        if (now >= daemon->next_quota_ns) {
            runs_check_quota(&daemon->runs);
            daemon->next_quota_ns = now + QUOTA_EVERY_NS;
        }
    }
}

/* --- beginning and end --- */

static void close_in_session(void *context)
{
    struct daemon *daemon = context;
    for (unsigned i = 0; i < daemon->listener_count; i++)
        close(daemon->listeners[i].descriptor);
    for (unsigned i = 0; i < PENDING_MAX; i++)
        if (daemon->pending[i].reader)
            close(daemon->pending[i].reader->arrival.connection);
    for (unsigned i = 0; i < LATE_MAX; i++)
        if (daemon->late[i].reader)
            close(daemon->late[i].reader->arrival.connection);
}

static bool complain_of(const char *what, const char *name, const char *why)
{
    char reason[160];
    snprintf(reason, sizeof reason, "%s%s", *why ? ": " : "", why);
    log_complain(what, name, reason);
    return false;
}

static bool listen_everywhere(struct daemon *daemon)
{
    const struct daemon_options *options = daemon->options;
    daemon->listener_count = listeners_inherit(daemon->listeners, DAEMON_LISTENERS_MAX);
    for (unsigned i = 0; i < options->listen_count; i++) {
        if (daemon->listener_count == DAEMON_LISTENERS_MAX)
            return complain_of("too many addresses to listen at", "", "");
        if (!listener_open(&daemon->listeners[daemon->listener_count], options->listen[i],
                           options->all_users))
            return complain_of("cannot listen at ", options->listen[i],
                               errno ? strerror(errno)
                                     : "an address is unix:PATH or tcp:HOST:PORT");
        daemon->listener_count++;
    }
    for (unsigned i = 0; i < daemon->listener_count; i++)
        if (!daemon->listeners[i].local && !options->token)
            return complain_of("will not listen at ", daemon->listeners[i].text,
                               "other hosts can reach it; give a secret (--token-file)");
    return daemon->listener_count > 0 ||
           complain_of("no address to listen at (--listen, or socket activation)", "", "");
}

static bool check_folder(const char *folder)
{
    return access(folder, W_OK | X_OK) == 0 ||
           complain_of("cannot write recordings to ", folder, strerror(errno));
}

static void set_signals(sigset_t *unblocked)
{
    const struct sigaction action = {.sa_handler = note_signal};
    static const int signals[] = {SIGTERM, SIGINT, SIGCHLD};
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaction(signals[i], &action, NULL);
        sigaddset(&blocked, signals[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &blocked, unblocked);
}

static void end_daemon(struct daemon *daemon)
{
    for (unsigned i = 0; i < daemon->listener_count; i++)
        listener_close(&daemon->listeners[i]);
    for (unsigned i = 0; i < PENDING_MAX; i++)
        if (daemon->pending[i].reader)
            pending_drop(daemon, &daemon->pending[i], "the daemon ends");
    for (unsigned i = 0; i < LATE_MAX; i++)
        if (daemon->late[i].reader)
            reader_drop(daemon, &daemon->late[i].reader, "the daemon ends");
    log_left_out(daemon, clock_now(), true);
    runs_end(&daemon->runs);
    log_begin(LOG_LEVEL_INFO, "ends");
    log_end();
}

static void log_beginning(const struct daemon *daemon)
{
    for (unsigned i = 0; i < daemon->listener_count; i++) {
        log_begin(LOG_LEVEL_INFO, "listens");
        log_text("address", daemon->listeners[i].text);
        log_text("folder", daemon->options->folder);
        log_end();
    }
}

int daemon_run(const struct daemon_options *options)
{
    static struct daemon daemon; /* too large for the stack */
    sigset_t unblocked;
    daemon.options = options;
    daemon.runs.options = options;
    daemon.runs.close_in_session = close_in_session;
    daemon.runs.context = &daemon;
    if (!check_folder(options->folder) || !listen_everywhere(&daemon))
        return 1;
    set_signals(&unblocked);
    log_open();
    log_beginning(&daemon);
    serve_connections(&daemon, &unblocked);
    end_daemon(&daemon);
    return 0;
}
