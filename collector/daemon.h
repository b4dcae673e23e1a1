/*
 * The daemon: takes any number of programs in, each run in a session of its own (session.h), which
 * is a process of its own with a recording of its own.
 */
#ifndef HEAPLINE_COLLECTOR_DAEMON_H
#define HEAPLINE_COLLECTOR_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "session.h"

#define DAEMON_LISTENERS_MAX 16u

struct daemon_options {
    const char
        *listen[DAEMON_LISTENERS_MAX]; /* addresses; those of the service manager come first */
    unsigned listen_count;
    const char *folder;
    const char *token;       /* null: none */
    bool all_users;          /* root's: other users' processes may come into runs that go on */
    uint32_t processes_max;  /* connected at a time */
    uint32_t runs_max;       /* that go on at a time */
    uint64_t quota;          /* bytes of all recordings in the folder, 0: no limit */
    uint64_t session_memory; /* bytes of address space a session, 0: no limit */
    /* What a run is recorded with that does not say otherwise. */
    struct session_options session;
};

/* Runs until SIGTERM or SIGINT. Returns the exit status. */
int daemon_run(const struct daemon_options *options);

#endif
