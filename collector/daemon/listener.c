/*
 * Opening, taking over and closing listening sockets.
 */
#include "collector/daemon/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 1024
/* Where the service manager puts them (sd_listen_fds(3)). */
#define INHERITED_FIRST 3

/* Is somebody listening there? Otherwise the file is a left-over. */
static bool is_alive(const struct address *address)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = probe >= 0 && connect(probe, &address->socket.any, address->length) == 0;
    if (probe >= 0)
        close(probe);
    return alive;
}

/* Removes a socket that nobody listens on any more. */
static void remove_stale(const struct address *address)
{
    struct stat status;
    const char *path = address->socket.local.sun_path;
    if (*path && lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) &&
        status.st_uid == geteuid() && !is_alive(address))
        unlink(path);
}

/* Where all users may connect, who they are decides. */
static bool bind_with(int descriptor, const struct address *address, bool for_all)
{
    mode_t mask = umask(for_all ? 0111 : 0177);
    bool bound = bind(descriptor, &address->socket.any, address->length) == 0;
    umask(mask);
    return bound;
}

/* Where it listens after all, when the system was to choose the port. */
static void note_port(struct listener *listener, struct address *address)
{
    socklen_t length = sizeof address->socket;
    if (getsockname(listener->descriptor, &address->socket.any, &length) != 0)
        return;
    bool six = address->socket.any.sa_family == AF_INET6;
    char *colon = strrchr(listener->text, ':');
    snprintf(colon, (size_t)(listener->text + sizeof listener->text - colon), ":%u",
             ntohs(six ? address->socket.internet6.sin6_port : address->socket.internet.sin_port));
}

bool listener_open(struct listener *listener, const char *text, bool for_all)
{
    struct address address;
    int one = 1;
    *listener = (struct listener){.descriptor = -1};
    errno = 0;
    if (strlen(text) > ADDRESS_TEXT_MAX || !address_parse(text, &address))
        return false;
    int family = address.socket.any.sa_family;
    strcpy(listener->text, text);
    listener->local = address_is_local(&address);
    if (family == AF_UNIX)
        remove_stale(&address);
    listener->descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->descriptor < 0)
        return false;
    if (family != AF_UNIX)
        setsockopt(listener->descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!bind_with(listener->descriptor, &address, for_all) ||
        listen(listener->descriptor, BACKLOG) != 0) {
        int number = errno;
        close(listener->descriptor);
        errno = number;
        return false;
    }
    if (family != AF_UNIX)
        note_port(listener, &address);
    listener->owns_path = family == AF_UNIX && *address.socket.local.sun_path;
    return true;
}

static bool inherit_socket(struct listener *listener, int descriptor)
{
    struct address address = {.length = sizeof address.socket};
    int listens = 0;
    socklen_t size = sizeof listens;
    *listener = (struct listener){.descriptor = descriptor};
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens ||
        getsockname(descriptor, &address.socket.any, &address.length) != 0)
        return false;
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    listener->local = address_is_local(&address);
    snprintf(listener->text, sizeof listener->text, "inherited:%d", descriptor);
    return true;
}

unsigned listeners_inherit(struct listener *listeners, unsigned most)
{
    const char *process = getenv("LISTEN_PID"), *number = getenv("LISTEN_FDS");
    unsigned count = 0;
    if (!process || !number || strtol(process, NULL, 10) != (long)getpid())
        return 0;
    long descriptors = strtol(number, NULL, 10);
    for (long i = 0; i < descriptors && count < most; i++)
        count += inherit_socket(&listeners[count], INHERITED_FIRST + (int)i);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return count;
}

void listener_close(struct listener *listener)
{
    struct address address;
    close(listener->descriptor);
    if (listener->owns_path && address_parse(listener->text, &address))
        unlink(address.socket.local.sun_path);
}
