/*
 * A process that has connected and said hello, on its way into a session.
 */
#ifndef HEAPLINE_COLLECTOR_ARRIVAL_H
#define HEAPLINE_COLLECTOR_ARRIVAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "handshake.h"

/* What the kernel says of the other side of a socket. */
struct arrival_peer {
    bool local;       /* a Unix socket, */
    bool is_stranger; /* of another user, who is not root */
    uid_t user;       /* of a Unix socket */
    pid_t pid;        /* as this process sees it; 0: on another host, or out of sight */
};

struct arrival {
    int connection;
    struct arrival_peer peer;
    struct hello hello;
    char details[HELLO_DETAILS_MAX + 1]; /* NUL-terminated */
};

/* Reads the hello, bit by bit, from a socket that does not block. */
struct arrival_reader {
    size_t have; /* bytes */
    struct arrival arrival;
};

enum arrival_state {
    ARRIVAL_PARTIAL,
    ARRIVAL_WHOLE,
    ARRIVAL_GONE,     /* closed before the hello was whole */
    ARRIVAL_NONSENSE, /* no hello */
    ARRIVAL_VERSION,  /* a hello of another version */
};

/* Finds out about a connection that has just been accepted; false when that cannot be. */
bool arrival_look_at_peer(struct arrival *arrival);

enum arrival_state arrival_read(struct arrival_reader *reader);

/* A detail of the hello, null when it was not given. */
const char *arrival_detail(const struct arrival *arrival, const char *name);

/* Is this detail of the hello the one that is wanted? In a time that does not depend on where they
 * differ. */
bool arrival_knows(const struct arrival *arrival, const char *name, const char *wanted);

/* Answers; the ring's descriptors go with it when there are any (not null, nor -1). */
void arrival_answer(const struct arrival *arrival, const struct welcome *welcome,
                    const int parts[RING_PARTS]);

/* Answers with nothing but a verdict. */
void arrival_refuse(const struct arrival *arrival, enum welcome_verdict verdict);

/* Its process id as this process sees it; of one that is out of sight as it says itself. */
static inline pid_t arrival_pid(const struct arrival *arrival)
{
    return arrival->peer.pid ? arrival->peer.pid : (pid_t)arrival->hello.process;
}

/* What its process ids belong to: 0 for what this process sees itself. */
uint64_t arrival_host(const struct arrival *arrival);

#endif
