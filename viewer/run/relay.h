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
/* If it was not held up: while it runs it is waited for so long. */
#define RELAY_PATIENCE_RUNNING_NS UINT64_C(200000000)

struct relay {
    struct {
        struct signalfd_siginfo signal;
        uint64_t since_ns;
    } undecided[RELAY_MAX];
    unsigned count;
    struct witnessed seen[RELAY_MAX]; /* that have not come to us, or not yet */
    unsigned seen_count;
};

static inline bool relay_has_room(const struct relay *relay)
{
    return relay->count < RELAY_MAX;
}

/* A signal that is meant for the command has come. */
void relay_receive(struct relay *relay, const struct signalfd_siginfo *signal, uint64_t now_ns);

/* A witness has got these: they are not passed on. Those from before `oldest_ns` do not count. */
void relay_witness(struct relay *relay, const struct witnessed *seen, unsigned count,
                   uint64_t oldest_ns);

/* Takes out one that is to be passed on now. False: there is none. */
bool relay_take(struct relay *relay, uint64_t now_ns, struct signalfd_siginfo *signal);

/* After how many milliseconds there may be one; -1: nothing is undecided. */
int relay_timeout(const struct relay *relay, uint64_t now_ns);

#endif
