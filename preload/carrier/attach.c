/*
 * Attaching: a greeting; then a ring is mapped, or the connection becomes a stream. Where the
 * kernel gives no ring through (a sandbox that lets no descriptor pass), or the daemon cannot see
 * this process (another pid namespace), a stream is asked for in a second attempt. All waits are
 * bounded.
 */
#include "preload/carrier/attach.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/base/complaint.h"
#include "preload/base/environment.h"
#include "preload/base/real_mapping.h"
#include "preload/carrier/greeting.h"
#include "preload/carrier/ring_writer.h"
#include "preload/carrier/shared_ring.h"
#include "preload/carrier/stream_writer.h"

/* Seconds. */
#define WAIT_MAX 3600ul

/* A ring or a stream's buffer, what is kept of code and threads, and as much again several times
 * for the program. */
#define ROOM_BYTES ((size_t)24 << 20)
/* Besides the one that a stream keeps. */
#define DESCRIPTORS_LEFT 8u

#define NO_ROOM                                                                                    \
    "the limit on memory (ulimit -v, -d) leaves too little to trace with" GREETING_UNTRACED
#define NO_DESCRIPTOR                                                                              \
    "the limit on open files (ulimit -n) leaves too few to trace with" GREETING_UNTRACED
#define NO_PATIENCE                                                                                \
    "cannot reach the collector, nor wait for it: " ENVIRONMENT_WAIT                               \
    " is no number of seconds from 0 to 3600" GREETING_UNTRACED

/* --- the carriers --- */

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

/* Says what is composed. Null: attached, and a stream has taken the connection over. Empty:
 * declined. Else what went wrong. */
static const char *shake_hands(int *connection)
{
    struct welcome welcome;
    int parts[RING_PARTS];
    const char *trouble = greeting_exchange(*connection, &welcome, parts);
    if (!trouble && welcome.carrier == HELLO_STREAM) {
        if (!stream_writer_init(*connection, &welcome))
            trouble = "no memory to trace this process; it runs untraced";
        *connection = -1;
    } else if (!trouble && !map_ring(parts)) {
        trouble = GREETING_NO_RING;
    }
    greeting_close_parts(parts);
    if (!trouble)
        greeting_limit(ring_writer.reader->patience_ns);
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
        return "the collector's socket is another user's" GREETING_UNTRACED;
    case EMFILE:
    case ENFILE:
        return NO_DESCRIPTOR;
    default:
        return is_patience_good ? "cannot reach the collector" GREETING_UNTRACED : NO_PATIENCE;
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
static void tell_untraced(const struct greeting_sender *sender)
{
    struct address address;
    int connection = -1;
    if (address_parse(environment_value(ENVIRONMENT_DAEMON), &address))
        connection = greeting_connect(&address, 0);
    if (connection < 0)
        return;
    greeting_send_untraced(sender, connection);
    close(connection);
}

static const char *try_carrier(const struct greeting_sender *sender, const struct address *address,
                               enum hello_carrier carrier)
{
    uint64_t patience_ns;
    bool is_patience_good = read_patience(&patience_ns);
    int connection = greeting_connect(address, patience_ns);
    if (connection < 0)
        return no_connection(errno, is_patience_good);
    if (carrier == HELLO_STREAM && !leaves_descriptors(connection)) {
        greeting_send_untraced(sender, connection);
        close(connection);
        return NO_DESCRIPTOR;
    }
    greeting_compose(sender, carrier);
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

static bool attach_somehow(const struct greeting_sender *sender)
{
    struct address address;
    const char *trouble;
    if (!has_room(RLIMIT_AS) || !has_room(RLIMIT_DATA)) {
        complain(NO_ROOM);
        tell_untraced(sender);
        return false;
    }
    if (!address_parse(environment_value(ENVIRONMENT_DAEMON), &address)) {
        complain(ENVIRONMENT_DAEMON
                 " is no address (unix:PATH or tcp:HOST:PORT)" GREETING_UNTRACED);
        return false;
    }
    bool local = address.kind == ADDRESS_UNIX;
    trouble = try_carrier(sender, &address, local ? HELLO_RING : HELLO_STREAM);
    if (local && trouble && strcmp(trouble, GREETING_NO_RING) == 0)
        trouble = try_carrier(sender, &address, HELLO_STREAM);
    if (trouble && *trouble)
        complain(trouble);
    if (!trouble)
        environment_set_ancestor(getpid());
    return !trouble;
}

bool attach(const struct greeting_sender *sender)
{
    int cancellation;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
    bool attached = attach_somehow(sender);
    pthread_setcancelstate(cancellation, NULL);
    return attached;
}
