/*
 * One socket, connected.
 */
#include "connection.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TRY_AGAIN_NS UINT64_C(50000000)

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
    bool connected = connect(connection, &address->socket.any, address->length) == 0;
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
    return connection;
}
