/*
 * Addresses of collectors, as they are written:
 *
 *   unix:PATH           a Unix socket; '@' in front of the name: in Linux's abstract namespace
 *   unix-stream:PATH    the same, but the words go over the socket and not through shared memory
 *   tcp:HOST:PORT       HOST is a numeric address, in brackets when it is IPv6, or "localhost"
 *
 * Nothing is looked up and nothing allocated; any thread.
 */
#ifndef HEAPLINE_SCHEMA_ADDRESS_H
#define HEAPLINE_SCHEMA_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ADDRESS_TEXT_MAX 120u

enum address_kind {
    ADDRESS_UNIX,
    ADDRESS_UNIX_STREAM,
    ADDRESS_TCP,
};

struct address {
    enum address_kind kind;
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in internet;
        struct sockaddr_in6 internet6;
    } socket;
};

/* False when `text` is no address. */
bool address_parse(const char *text, struct address *address);

/* An abstract socket is one of its network namespace. That of a private collector has a file beside
 * it, which is in reach from others. False: it is none. */
bool address_beside(const struct address *address, struct address *file);

/* Can it be reached from this host alone? */
bool address_is_local(const struct address *address);

/* Is whoever listens at the other end of a connected socket to be told anything? Not when that is a
 * Unix socket which another user has made: who could have put it there first. Root may connect to
 * anybody's. */
bool address_is_trusted(int connection);

#endif
