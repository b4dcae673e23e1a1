/*
 * What the daemon is told once, at its start. All texts are the caller's, and must stay as long as
 * the daemon runs.
 */
#ifndef HEAPLINE_COLLECTOR_DAEMON_OPTIONS_H
#define HEAPLINE_COLLECTOR_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/session/session_options.h"

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

#endif
