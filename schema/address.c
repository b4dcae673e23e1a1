/*
 * Reading addresses. Compiled into the shim too: no allocation, no look-up, no locale.
 */
#include "address.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define PORT_MAX 65535u
/* Where the files of private collectors' sockets are, and how their names begin. */
#define BESIDE  "/tmp/"
#define PRIVATE "heapline-"

static bool parse_unix(const char *path, struct address *address)
{
    size_t size = strlen(path);
    struct sockaddr_un *local = &address->socket.local;
    if (size == 0 || size >= sizeof local->sun_path)
        return false;
    *local = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(local->sun_path, path, size);
    bool abstract = path[0] == '@';
    if (abstract)
        local->sun_path[0] = 0;
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + !abstract);
    return true;
}

static bool parse_port(const char *text, in_port_t *port)
{
    unsigned number = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || number > PORT_MAX)
            return false;
        number = number * 10 + (unsigned)(*text - '0');
    }
    *port = htons((uint16_t)number);
    return number <= PORT_MAX;
}

static bool parse_internet(const char *host, in_port_t port, struct address *address)
{
    struct sockaddr_in *internet = &address->socket.internet;
    struct sockaddr_in6 *internet6 = &address->socket.internet6;
    *internet = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    address->length = sizeof *internet;
    if (strcmp(host, "localhost") == 0) {
        internet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return true;
    }
    if (inet_pton(AF_INET, host, &internet->sin_addr) == 1)
        return true;
    *internet6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
    address->length = sizeof *internet6;
    return inet_pton(AF_INET6, host, &internet6->sin6_addr) == 1;
}

static bool parse_tcp(const char *text, struct address *address)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    in_port_t port;
    if (!colon || (size_t)(colon - text) >= sizeof host || !parse_port(colon + 1, &port))
        return false;
    size_t length = (size_t)(colon - text);
    bool bracketed = length > 1 && text[0] == '[' && text[length - 1] == ']';
    memcpy(host, text + bracketed, length - 2 * bracketed);
    host[length - 2 * bracketed] = 0;
    return (bracketed || !strchr(host, ':')) && parse_internet(host, port, address);
}

/* What follows `scheme` in `text`; null when it begins with something else. */
static const char *text_behind(const char *text, const char *scheme)
{
    size_t length = strlen(scheme);
    return strncmp(text, scheme, length) == 0 ? text + length : NULL;
}

bool address_parse(const char *text, struct address *address)
{
    const char *rest;
    *address = (struct address){.kind = ADDRESS_UNIX};
    if ((rest = text_behind(text, "unix:")))
        return parse_unix(rest, address);
    address->kind = ADDRESS_UNIX_STREAM;
    if ((rest = text_behind(text, "unix-stream:")))
        return parse_unix(rest, address);
    address->kind = ADDRESS_TCP;
    return (rest = text_behind(text, "tcp:")) && parse_tcp(rest, address);
}

bool address_beside(const struct address *address, struct address *file)
{
    const char *name = address->socket.local.sun_path + 1;
    struct sockaddr_un *local = &file->socket.local;
    size_t bytes = address->length - offsetof(struct sockaddr_un, sun_path);
    if (address->socket.any.sa_family != AF_UNIX || address->socket.local.sun_path[0] ||
        bytes + strlen(BESIDE) > sizeof local->sun_path || memchr(name, '/', bytes - 1) ||
        memcmp(name, PRIVATE, strlen(PRIVATE)) != 0)
        return false;
    *file = (struct address){.kind = address->kind};
    local->sun_family = AF_UNIX;
    memcpy(stpcpy(local->sun_path, BESIDE), name, bytes - 1);
    file->length =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(BESIDE) + bytes - 1 + 1);
    return true;
}

bool address_is_local(const struct address *address)
{
    switch (address->socket.any.sa_family) {
    case AF_INET:
        return ntohl(address->socket.internet.sin_addr.s_addr) >> 24 == 127;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&address->socket.internet6.sin6_addr);
    default:
        return true;
    }
}

bool address_is_trusted(int connection)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    int domain = AF_INET;
    socklen_t domain_size = sizeof domain;
    if (getsockopt(connection, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) != 0 ||
        domain != AF_UNIX)
        return domain != AF_UNIX;
    return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0 || geteuid() == 0);
}
