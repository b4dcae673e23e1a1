/*
 * Which of the signals that `heapline run` gets the command has not got.
 *
 * A signal that a witness got too (witness.h) has reached the command. What no witness has got
 * after RELAY_PATIENCE is to be passed on; one from a process that is still at it, later. One
 * thread; no system call but a look at who sent a signal.
 */
#ifndef HEAPLINE_VIEWER_RUN_RELAY_H
#define HEAPLINE_VIEWER_RUN_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/signalfd.h>

#include "viewer/run/witness.h"

#define RELAY_MAX 64u

/* Who sends a signal to many processes, one after the other, is through with it by then. */
#define RELAY_PATIENCE_NS UINT64_C(20000000)
/* A signal to the group comes to us so soon after it came to the witness. */
#define RELAY_CLOSE_NS UINT64_C(5000000)
/* If it was not held up: while it runs it is waited for so long. */
#define RELAY_PATIENCE_RUNNING_NS UINT64_C(200000000)

struct relay {
    struct {
        struct signalfd_siginfo signal;
        uint64_t since_ns;
        bool is_explained; /* a witness has got it */
    } undecided[RELAY_MAX];
    unsigned count;
    struct {
        struct witnessed one;
        bool has_explained;
    } seen[RELAY_MAX]; /* that have not come to us, or may come once more */
    unsigned seen_count;
};

/* What a witness has got. */
struct testimony {
    const struct witnessed *seen;
    unsigned count;
    uint64_t oldest_ns; /* those from before do not count */
    /* Before the latest signals were received: when it was looked what the witness had pending,
     * and what: one bit each, from 1 on. */
    uint64_t looked_ns;
    uint64_t pending;
};

static inline bool relay_has_room(const struct relay *relay)
{
    return relay->count < RELAY_MAX;
}

/* A signal that is meant for the command has come. */
void relay_receive(struct relay *relay, const struct signalfd_siginfo *signal, uint64_t now_ns);

/* What a witness has got is not passed on. */
void relay_witness(struct relay *relay, const struct testimony *testimony);

/* What has been received since then had come before the witness was heard: what it said holds for
 * that too. */
void relay_receive_late(struct relay *relay);

/* Takes out one that is to be passed on now. False: there is none. */
bool relay_take(struct relay *relay, uint64_t now_ns, struct signalfd_siginfo *signal);

/* After how many milliseconds there may be one; -1: nothing is undecided. */
int relay_timeout(const struct relay *relay, uint64_t now_ns);

#endif
