/*
 * Attaching: one connection and one message each way; then a ring is mapped, or the connection
 * becomes a stream. Where the kernel gives no ring through (a sandbox that lets no descriptor
 * pass), or the daemon cannot see this process (another pid namespace), a stream is asked for in a
 * second attempt. All waits are bounded.
 */
#include "attach.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "complaint.h"
#include "connection.h"
#include "environment.h"
#include "handshake.h"
#include "real_mapping.h"
#include "ring_writer.h"
#include "sealing.h"
#include "shared_ring.h"
#include "stream_writer.h"
#include "wire.h"

#define UNTRACED "; this process runs untraced"

/* A forked child waits no longer than a writer would that finds no room. */
#define HANDSHAKE_NS UINT64_C(10000000000)
static uint64_t handshake_ns = HANDSHAKE_NS;

/* Seconds. */
#define WAIT_MAX 3600ul

/* A ring or a stream's buffer, what is kept of code and threads, and as much again several times
 * for the program. */
#define ROOM_BYTES ((size_t)24 << 20)
/* Besides the one that a stream keeps. */
#define DESCRIPTORS_LEFT 8u

#define NO_ROOM       "the limit on memory (ulimit -v, -d) leaves too little to trace with" UNTRACED
#define NO_DESCRIPTOR "the limit on open files (ulimit -n) leaves too few to trace with" UNTRACED
#define NO_PATIENCE                                                                                \
    "cannot reach the collector, nor wait for it: " ENVIRONMENT_WAIT                               \
    " is no number of seconds from 0 to 3600" UNTRACED

/* Too large for the stack. */
static struct {
    struct hello hello;
    char details[HELLO_DETAILS_MAX];
} message;
static char scratch[4096];

/* --- what is said --- */

static void add_bytes(const char *bytes, size_t count)
{
    memcpy(message.details + message.hello.details, bytes, count);
    message.hello.details += (uint32_t)count;
}

/* Leaves out what there is no room for. */
static void add_detail(const char *name, const char *value)
{
    if (!value || strlen(name) + strlen(value) + 2 > sizeof message.details - message.hello.details)
        return;
    add_bytes(name, strlen(name));
    add_bytes("=", 1);
    add_bytes(value, strlen(value) + 1);
}

/* The beginning of a file; bytes read. */
static size_t read_file(const char *path, char *bytes, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t got = file < 0 ? -1 : read(file, bytes, size);
    if (file >= 0)
        close(file);
    return got > 0 ? (size_t)got : 0;
}

static void add_token(void)
{
    char token[HELLO_TOKEN_MAX + 1];
    const char *file = environment_value(ENVIRONMENT_TOKEN_FILE);
    if (!file || environment_value(ENVIRONMENT_TOKEN)) {
        add_detail("token", environment_value(ENVIRONMENT_TOKEN));
        return;
    }
    token[read_file(file, token, sizeof token - 1)] = 0;
    token[strcspn(token, "\r\n")] = 0;
    add_detail("token", token);
}

/* What the collector cannot see from another host. */
static void add_whereabouts(void)
{
    char *text = scratch, space[64];
    size_t bytes = read_file("/proc/sys/kernel/random/boot_id", text, 64);
    text[bytes] = 0;
    ssize_t length = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[length > 0 ? length : 0] = 0;
    char *end = text + strcspn(text, "\n");
    *end++ = '/';
    strcpy(end, space);
    add_detail("machine", text);
    if (getcwd(text, sizeof scratch))
        add_detail("folder", text);
    bytes = read_file("/proc/self/cmdline", text, sizeof scratch - 1);
    text[bytes] = 0;
    for (const char *word = text; word < text + bytes; word += strlen(word) + 1)
        add_detail("argument", word);
}

static void compose(const struct attach_request *request, enum hello_carrier carrier)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    message.hello = (struct hello){
        .magic = HANDSHAKE_MAGIC,
        .wire_version = WIRE_VERSION,
        .python_version = request->python_version,
        .fork_token = request->fork_token,
        .process = (uint32_t)getpid(),
        .parent = (uint32_t)(request->parent ? request->parent : getppid()),
        .carrier = carrier,
        .clock_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
    };
    add_token();
    add_detail("session", environment_value(ENVIRONMENT_SESSION));
    add_detail("run", environment_value(ENVIRONMENT_RUN));
    add_detail("ancestor", environment_ancestor());
    if (carrier == HELLO_STREAM)
        add_whereabouts();
}

/* --- what comes back --- */

/* Bytes of the welcome that are awaited: of another version only what all have in common. */
static size_t welcome_bytes(const struct welcome *welcome, size_t have)
{
    size_t common = offsetof(struct welcome, verdict);
    bool same = have >= common && welcome->wire_version == WIRE_VERSION;
    return same ? sizeof *welcome : common;
}

_Static_assert(RING_PARTS == CONNECTION_DESCRIPTORS, "a welcome carries a ring's descriptors");

static void close_parts(const int parts[RING_PARTS])
{
    for (int i = 0; i < RING_PARTS; i++)
        if (parts[i] >= 0)
            close(parts[i]);
}

/* Receives the welcome and the ring's descriptors, each -1 without one. They come with its first
 * byte. */
static bool receive_welcome(int connection, struct welcome *welcome, int parts[RING_PARTS])
{
    size_t have = 0;
    parts[RING_READER] = parts[RING_WRITERS] = -1;
    *welcome = (struct welcome){0};
    while (have < welcome_bytes(welcome, have)) {
        int more[RING_PARTS];
        ssize_t got = connection_receive(connection, (char *)welcome + have,
                                         welcome_bytes(welcome, have) - have, have ? more : parts,
                                         handshake_ns);
        if (got <= 0)
            break;
        if (have)
            close_parts(more);
        have += (size_t)got;
    }
    return have == welcome_bytes(welcome, have) && welcome->magic == HANDSHAKE_MAGIC;
}

/* Null when it cannot be mapped, or is smaller than a page of a ring. */
static void *map_part(int descriptor, int protection, size_t *bytes)
{
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0 ||
        status.st_size < (off_t)RING_PAGE_BYTES)
        return NULL;
    *bytes = (size_t)status.st_size;
    void *memory = real_mmap(NULL, *bytes, protection, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED)
        return NULL;
    return memory;
}

static bool map_ring(const int parts[RING_PARTS])
{
    size_t reader_bytes = 0, bytes = 0;
    void *reader = map_part(parts[RING_READER], PROT_READ, &reader_bytes);
    void *writers = map_part(parts[RING_WRITERS], PROT_READ | PROT_WRITE, &bytes);
    if (reader && writers && ring_writer_init(&shared_ring, reader, writers, bytes))
        return true;
    if (reader)
        real_munmap(reader, reader_bytes);
    if (writers)
        real_munmap(writers, bytes);
    return false;
}

#define NO_ANSWER "the collector does not answer" UNTRACED
#define NO_RING   "cannot share memory with the collector" UNTRACED

/* Null when it accepts. Empty: without a word. Else what went wrong. */
static const char *read_verdict(const struct welcome *welcome)
{
    if (welcome->wire_version != WIRE_VERSION)
        return "the collector is of another version of heapline than libheapline.so" UNTRACED;
    switch (welcome->verdict) {
    case WELCOME_ACCEPTED:
        return NULL;
    case WELCOME_DECLINED:
        return "";
    case WELCOME_TOKEN:
        return "the daemon wants another token (" ENVIRONMENT_TOKEN ")" UNTRACED;
    case WELCOME_LIMIT:
        return "the collector has reached a limit, heapline run or the log says which" UNTRACED;
    case WELCOME_STREAM:
        return NO_RING;
    default:
        return "the collector does not understand this process" UNTRACED;
    }
}

/* From now on. Twice as long as for room in the ring: a forked child does not see the collector at
 * work, and hundreds of others may be before it. */
static void limit_handshakes(void)
{
    uint64_t patience = ring_writer.reader->patience_ns;
    handshake_ns = patience && patience < HANDSHAKE_NS / 2 ? patience * 2 : HANDSHAKE_NS;
}

/* Says what is composed. Null: attached, and a stream has taken the connection over. Empty:
 * declined. Else what went wrong. */
static const char *shake_hands(int *connection)
{
    struct welcome welcome;
    int parts[RING_PARTS];
    size_t size = sizeof message.hello + message.hello.details;
    if (!connection_send(*connection, &message, size, handshake_ns))
        return NO_ANSWER;
    bool answered = receive_welcome(*connection, &welcome, parts);
    const char *trouble = answered ? read_verdict(&welcome) : NO_ANSWER;
    if (!trouble && welcome.carrier == HELLO_STREAM) {
        if (!stream_writer_init(*connection, &welcome))
            trouble = "no memory to trace this process; it runs untraced";
        *connection = -1;
    } else if (!trouble && !map_ring(parts)) {
        trouble = NO_RING;
    }
    close_parts(parts);
    if (!trouble)
        limit_handshakes();
    return trouble;
}

/* False when what is set is no whole number of seconds, or too large a one: then nobody is waited
 * for. */
static bool read_patience(uint64_t *patience_ns)
{
    const char *text = environment_value(ENVIRONMENT_WAIT);
    unsigned long seconds = 0;
    for (; text && *text >= '0' && *text <= '9' && seconds <= WAIT_MAX; text++)
        seconds = seconds * 10 + (unsigned long)(*text - '0');
    bool is_good = seconds <= WAIT_MAX && (!text || !*text);
    *patience_ns = is_good ? seconds * UINT64_C(1000000000) : 0;
    return is_good;
}

/* Why there is no connection. */
static const char *no_connection(int number, bool is_patience_good)
{
    switch (number) {
    case EPERM:
    case EACCES:
        return "the collector's socket is another user's" UNTRACED;
    case EMFILE:
    case ENFILE:
        return NO_DESCRIPTOR;
    default:
        return is_patience_good ? "cannot reach the collector" UNTRACED : NO_PATIENCE;
    }
}

/* A stream keeps a descriptor of the program's. */
static bool leaves_descriptors(int connection)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
           (rlim_t)connection + DESCRIPTORS_LEFT < limit.rlim_cur;
}

/* The collector counts those that it cannot trace. */
static void say_untraced(const struct attach_request *request, int connection)
{
    compose(request, HELLO_UNTRACED);
    connection_send(connection, &message, sizeof message.hello + message.hello.details,
                    handshake_ns);
}

static void tell_untraced(const struct attach_request *request)
{
    struct address address;
    int connection = -1;
    if (address_parse(environment_value(ENVIRONMENT_DAEMON), &address))
        connection = connection_open(&address, handshake_ns, 0);
    if (connection < 0)
        return;
    say_untraced(request, connection);
    close(connection);
}

static const char *try_carrier(const struct attach_request *request, const struct address *address,
                               enum hello_carrier carrier)
{
    uint64_t patience_ns;
    bool is_patience_good = read_patience(&patience_ns);
    int connection = connection_open(address, handshake_ns, patience_ns);
    if (connection < 0)
        return no_connection(errno, is_patience_good);
    if (carrier == HELLO_STREAM && !leaves_descriptors(connection)) {
        say_untraced(request, connection);
        close(connection);
        return NO_DESCRIPTOR;
    }
    compose(request, carrier);
    const char *trouble = shake_hands(&connection);
    if (connection >= 0)
        close(connection);
    return trouble;
}

/* What tracing maps must be a small part of what the program may map: it would miss it. Nothing is
 * touched. */
static bool has_room(int resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return true;
    void *room = real_mmap(NULL, ROOM_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return false;
    real_munmap(room, ROOM_BYTES);
    return true;
}

static bool attach_somehow(const struct attach_request *request)
{
    struct address address;
    const char *trouble;
    if (!has_room(RLIMIT_AS) || !has_room(RLIMIT_DATA)) {
        complain(NO_ROOM);
        tell_untraced(request);
        return false;
    }
    if (!address_parse(environment_value(ENVIRONMENT_DAEMON), &address)) {
        complain(ENVIRONMENT_DAEMON " is no address (unix:PATH or tcp:HOST:PORT)" UNTRACED);
        return false;
    }
    bool local = address.kind == ADDRESS_UNIX;
    trouble = try_carrier(request, &address, local ? HELLO_RING : HELLO_STREAM);
    if (local && trouble && strcmp(trouble, NO_RING) == 0)
        trouble = try_carrier(request, &address, HELLO_STREAM);
    if (trouble && *trouble)
        complain(trouble);
    if (!trouble) {
        environment_set_ancestor(getpid());
        sealing_begin();
    }
    return !trouble;
}

bool attach(const struct attach_request *request)
{
    int cancellation;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
    bool attached = attach_somehow(request);
    pthread_setcancelstate(cancellation, NULL);
    return attached;
}

int attach_again(uint64_t stream, uint64_t position)
{
    struct address address;
    struct welcome welcome;
    int parts[RING_PARTS], connection = -1;
    if (!address_parse(environment_value(ENVIRONMENT_DAEMON), &address) ||
        (connection = connection_open(&address, handshake_ns, 0)) < 0)
        return -1;
    compose(&(struct attach_request){0}, HELLO_STREAM);
    message.hello.stream = stream;
    message.hello.position = position;
    size_t size = sizeof message.hello + message.hello.details;
    if (connection_send(connection, &message, size, handshake_ns)) {
        bool answered = receive_welcome(connection, &welcome, parts);
        close_parts(parts);
        if (answered && parts[RING_READER] < 0 && !read_verdict(&welcome))
            return connection;
    }
    close(connection);
    return -1;
}
