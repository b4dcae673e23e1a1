/*
 * Hellos and welcomes. Nothing that a peer says is believed beyond its length.
 */
#include "collector/peer/arrival.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

/* What all versions have in common. */
#define COMMON_BYTES 8u

bool arrival_look_at_peer(struct arrival *arrival)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    int domain = 0;
    socklen_t domain_size = sizeof domain;
    arrival->peer = (struct arrival_peer){0};
    if (getsockopt(arrival->connection, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) != 0)
        return false;
    if (domain != AF_UNIX)
        return true;
    if (getsockopt(arrival->connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    arrival->peer = (struct arrival_peer){.local = true,
                                          .is_stranger = peer.uid != geteuid() && peer.uid != 0,
                                          .user = peer.uid,
                                          .pid = peer.pid};
    return true;
}

/* Bytes that the hello has, as far as can be told. */
static size_t bytes_wanted(const struct arrival_reader *reader)
{
    const struct hello *hello = &reader->arrival.hello;
    if (reader->have < COMMON_BYTES)
        return COMMON_BYTES;
    return sizeof *hello + (reader->have < sizeof *hello ? 0 : hello->details);
}

static enum arrival_state judge_hello(const struct arrival_reader *reader)
{
    const struct hello *hello = &reader->arrival.hello;
    if (reader->have >= COMMON_BYTES && hello->magic != HANDSHAKE_MAGIC)
        return ARRIVAL_NONSENSE;
    if (reader->have >= COMMON_BYTES && hello->wire_version != WIRE_VERSION)
        return ARRIVAL_VERSION;
    if (reader->have < sizeof *hello)
        return ARRIVAL_PARTIAL;
    if (hello->details > HELLO_DETAILS_MAX || hello->carrier > HELLO_UNTRACED)
        return ARRIVAL_NONSENSE;
    return reader->have == sizeof *hello + hello->details ? ARRIVAL_WHOLE : ARRIVAL_PARTIAL;
}

enum arrival_state arrival_read(struct arrival_reader *reader)
{
    struct arrival *arrival = &reader->arrival;
    _Static_assert(offsetof(struct arrival, details) ==
                       offsetof(struct arrival, hello) + sizeof(struct hello),
                   "details stand behind their hello");
    enum arrival_state state = ARRIVAL_PARTIAL;
    while (state == ARRIVAL_PARTIAL) {
        char *at = (char *)&arrival->hello + reader->have;
        ssize_t got =
            recv(arrival->connection, at, bytes_wanted(reader) - reader->have, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return ARRIVAL_PARTIAL;
        if (got <= 0)
            return ARRIVAL_GONE;
        reader->have += (size_t)got;
        state = judge_hello(reader);
    }
    if (state == ARRIVAL_WHOLE)
        arrival->details[arrival->hello.details] = 0;
    return state;
}

const char *arrival_detail(const struct arrival *arrival, const char *name)
{
    return hello_detail(arrival->details, arrival->hello.details, name);
}

bool arrival_knows(const struct arrival *arrival, const char *name, const char *wanted)
{
    const char *given = arrival_detail(arrival, name);
    size_t length = strlen(wanted), given_length = given ? strlen(given) : 0;
    unsigned char difference = length != given_length;
    for (size_t i = 0; i < length; i++)
        difference |= (unsigned char)(wanted[i] ^ (given_length ? given[i % given_length] : 0));
    return difference == 0;
}

void arrival_answer(const struct arrival *arrival, const struct welcome *welcome,
                    const int parts[RING_PARTS])
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(RING_PARTS * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = (void *)(uintptr_t)welcome, .iov_len = sizeof *welcome};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (parts && parts[RING_READER] >= 0) {
        memset(&control, 0, sizeof control);
        control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(RING_PARTS * sizeof(int)),
                                          .cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), parts, RING_PARTS * sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    TEMP_FAILURE_RETRY(sendmsg(arrival->connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

void arrival_refuse(const struct arrival *arrival, enum welcome_verdict verdict)
{
    const struct welcome welcome = {
        .magic = HANDSHAKE_MAGIC, .wire_version = WIRE_VERSION, .verdict = verdict};
    arrival_answer(arrival, &welcome, NULL);
}

uint64_t arrival_host(const struct arrival *arrival)
{
    const char *machine = arrival_detail(arrival, "machine");
    if (arrival->peer.pid)
        return 0;
    /* FNV-1a. That two hosts have one number is as likely as it is harmless. */
    uint64_t host = UINT64_C(0xcbf29ce484222325);
    for (; machine && *machine; machine++)
        host = (host ^ (unsigned char)*machine) * UINT64_C(0x100000001b3);
    return host ? host : 1;
}
