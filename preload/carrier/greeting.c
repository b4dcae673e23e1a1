/*
 * One message each way. All waits are bounded: a first one by a time of its own, later ones by what
 * the collector has said of its patience. What there is no room for in the hello is left out.
 */
#include "preload/carrier/greeting.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "preload/base/environment.h"
#include "preload/carrier/connection.h"
#include "wire.h"

/* A forked child waits no longer than a writer would that finds no room. */
#define HANDSHAKE_NS UINT64_C(10000000000)
static uint64_t handshake_ns = HANDSHAKE_NS;

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

void greeting_compose(const struct greeting_sender *sender, enum hello_carrier carrier)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    message.hello = (struct hello){
        .magic = HANDSHAKE_MAGIC,
        .wire_version = WIRE_VERSION,
        .python_version = sender->python_version,
        .fork_token = sender->fork_token,
        .process = (uint32_t)getpid(),
        .parent = (uint32_t)(sender->parent ? sender->parent : getppid()),
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

void greeting_close_parts(const int parts[RING_PARTS])
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
    *welcome = (struct welcome){0};
    while (have < welcome_bytes(welcome, have)) {
        int more[RING_PARTS];
        ssize_t got = connection_receive(connection, (char *)welcome + have,
                                         welcome_bytes(welcome, have) - have, have ? more : parts,
                                         handshake_ns);
        if (got <= 0)
            break;
        if (have)
            greeting_close_parts(more);
        have += (size_t)got;
    }
    return have == welcome_bytes(welcome, have) && welcome->magic == HANDSHAKE_MAGIC;
}

#define NO_ANSWER "the collector does not answer" GREETING_UNTRACED

/* Null when it accepts. Empty: without a word. Else what went wrong. */
static const char *read_verdict(const struct welcome *welcome)
{
    if (welcome->wire_version != WIRE_VERSION)
        return "the collector is of another version of heapline than "
               "libheapline.so" GREETING_UNTRACED;
    switch (welcome->verdict) {
    case WELCOME_ACCEPTED:
        return NULL;
    case WELCOME_DECLINED:
        return "";
    case WELCOME_TOKEN:
        return "the daemon wants another token (" ENVIRONMENT_TOKEN ")" GREETING_UNTRACED;
    case WELCOME_LIMIT:
        return "the collector has reached a limit, heapline run or the log says "
               "which" GREETING_UNTRACED;
    case WELCOME_STREAM:
        return GREETING_NO_RING;
    default:
        return "the collector does not understand this process" GREETING_UNTRACED;
    }
}

/* --- the whole --- */

/* Twice as long as for room in the ring: a forked child does not see the collector at
 * work, and hundreds of others may be before it. */
void greeting_limit(uint64_t patience_ns)
{
    handshake_ns = patience_ns && patience_ns < HANDSHAKE_NS / 2 ? patience_ns * 2 : HANDSHAKE_NS;
}

int greeting_connect(const struct address *address, uint64_t patience_ns)
{
    return connection_open(address, handshake_ns, patience_ns);
}

static bool send_message(int connection)
{
    return connection_send(connection, &message, sizeof message.hello + message.hello.details,
                           handshake_ns);
}

void greeting_send_untraced(const struct greeting_sender *sender, int connection)
{
    greeting_compose(sender, HELLO_UNTRACED);
    send_message(connection);
}

const char *greeting_exchange(int connection, struct welcome *welcome, int parts[RING_PARTS])
{
    parts[RING_READER] = parts[RING_WRITERS] = -1;
    if (!send_message(connection) || !receive_welcome(connection, welcome, parts))
        return NO_ANSWER;
    return read_verdict(welcome);
}

int greeting_again(uint64_t stream, uint64_t position)
{
    struct address address;
    struct welcome welcome;
    int parts[RING_PARTS], connection = -1;
    if (!address_parse(environment_value(ENVIRONMENT_DAEMON), &address) ||
        (connection = greeting_connect(&address, 0)) < 0)
        return -1;
    greeting_compose(&(struct greeting_sender){0}, HELLO_STREAM);
    message.hello.stream = stream;
    message.hello.position = position;
    const char *trouble = greeting_exchange(connection, &welcome, parts);
    greeting_close_parts(parts);
    if (!trouble && parts[RING_READER] < 0)
        return connection;
    close(connection);
    return -1;
}
