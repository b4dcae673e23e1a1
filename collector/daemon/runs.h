/*
 * The runs that a daemon has at hand: which arrival belongs to which, their sessions (child
 * processes), their files, and what all of them may take together.
 *
 * States of a run: open; leaving (its session has asked for a goodbye: later arrivals with its key
 * begin another run); over (its session has ended and is forgotten). One thread.
 */
#ifndef HEAPLINE_COLLECTOR_RUNS_H
#define HEAPLINE_COLLECTOR_RUNS_H

#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/daemon/daemon_options.h"
#include "collector/session/handover.h"

#define RUNS_MAX 256u
/* Keys of commands that have ended, whose stragglers are not to begin runs of their own. */
#define RUNS_KEYS_REMEMBERED 64u

struct daemon_run {
    char key[HELLO_NAME_MAX + 1]; /* of the run, or the session's name */
    bool named;
    bool controlled; /* by a heapline run, which says when it is over */
    bool leaving;
    pid_t pid; /* of its session */
    int channel;
    struct handover_counts *counts; /* a page shared with the session */
    uint32_t handed;                /* arrivals handed over so far */
    char file[PATH_MAX];
};

struct runs {
    const struct daemon_options *options;
    struct daemon_run *list[RUNS_MAX];
    unsigned count;
    char ended[RUNS_KEYS_REMEMBERED][HELLO_NAME_MAX + 1];
    unsigned ended_next;
    bool quota_used_up;
    /* Descriptors that a session must not keep. */
    void (*close_in_session)(void *context);
    void *context;
};

/* Does it know the key of a run that goes on? */
bool runs_include(const struct runs *runs, const struct arrival *arrival);

/* Hands an arrival to its run, which is begun when there is none. Closes the connection here; when
 * it cannot be taken in it has been told why. */
void runs_hand_over(struct runs *runs, struct arrival *arrival);

/* One descriptor a run, to be polled; and what to do when it is readable. */
void runs_watch(const struct runs *runs, struct pollfd *watched);
void runs_hear(struct runs *runs, const struct pollfd *watched, unsigned count);

/* Forgets sessions that have ended. */
void runs_reap(struct runs *runs);

/* Looks what the recordings take, and stops all runs when that is too much. */
void runs_check_quota(struct runs *runs);

/* Asks all sessions to end, and waits for them. */
void runs_end(struct runs *runs);

#endif
