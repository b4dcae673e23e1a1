/*
 * One socket, connected. Programs may have signals come every millisecond: a call that one has
 * interrupted is made again, as long as its time is not over.
 */
#include "preload/carrier/connection.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TRY_AGAIN_NS UINT64_C(50000000)

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Is a call that has failed to be made again? */
static bool goes_on(uint64_t since_ns, uint64_t limit_ns)
{
    return errno == EINTR && monotonic_ns() - since_ns < limit_ns;
}

void connection_limit(int connection, uint64_t limit_ns)
{
    struct timeval limit = {.tv_sec = (time_t)(limit_ns / 1000000000),
                            .tv_usec = (suseconds_t)(limit_ns % 1000000000 / 1000)};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static int connect_once(const struct address *address, uint64_t limit_ns)
{
    int family = address->socket.any.sa_family, one = 1;
    int connection = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0)
        return -1;
    connection_limit(connection, limit_ns);
    if (family != AF_UNIX)
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    /* On Linux a second call goes on waiting for the first. */
    uint64_t since = monotonic_ns();
    int result;
    do
        result = connect(connection, &address->socket.any, address->length);
    while (result != 0 && goes_on(since, limit_ns));
    bool connected = result == 0;
    if (connected && address_is_trusted(connection))
        return connection;
    int saved = connected ? EPERM : errno;
    close(connection);
    errno = saved;
    return -1;
}

int connection_open(const struct address *address, uint64_t limit_ns, uint64_t patience_ns)
{
    const struct timespec pause = {.tv_nsec = TRY_AGAIN_NS};
    int connection;
    while ((connection = connect_once(address, limit_ns)) < 0 &&
           (errno == ECONNREFUSED || errno == ENOENT) && patience_ns >= TRY_AGAIN_NS) {
        nanosleep(&pause, NULL);
        patience_ns -= TRY_AGAIN_NS;
    }
    struct address file;
    if (connection < 0 && errno == ECONNREFUSED && address_beside(address, &file))
        connection = connect_once(&file, limit_ns);
    return connection;
}

bool connection_send(int connection, const void *bytes, size_t size, uint64_t limit_ns)
{
    uint64_t since = monotonic_ns();
    size_t sent = 0;
    while (sent < size) {
        ssize_t now = send(connection, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
        if (now < 0 && !goes_on(since, limit_ns))
            return false;
        sent += now > 0 ? (size_t)now : 0;
    }
    return true;
}

/* No more than there is room for: the kernel has closed the others. */
static void take_descriptors(struct msghdr *message, int descriptors[CONNECTION_DESCRIPTORS])
{
    const struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len <= CMSG_LEN(CONNECTION_DESCRIPTORS * sizeof(int)))
        memcpy(descriptors, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
}

ssize_t connection_receive(int connection, void *bytes, size_t size,
                           int descriptors[CONNECTION_DESCRIPTORS], uint64_t limit_ns)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(CONNECTION_DESCRIPTORS * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    uint64_t since = monotonic_ns();
    ssize_t got;
    do {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        got = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && goes_on(since, limit_ns));
    for (int i = 0; i < CONNECTION_DESCRIPTORS; i++)
        descriptors[i] = -1;
    if (got > 0)
        take_descriptors(&message, descriptors);
    return got;
}
