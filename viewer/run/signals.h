/*
 * The signals of heapline run: all of them wait in a descriptor, and children get them as they
 * were.
 */
#ifndef HEAPLINE_VIEWER_RUN_SIGNALS_H
#define HEAPLINE_VIEWER_RUN_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/time.h>

struct signals {
    sigset_t mask; /* what heapline was started with */
    struct sigaction child, pipe;
    struct itimerval alarm; /* what was left of it */
    int descriptor;         /* signalfd */
};

/* Blocks every signal and opens the descriptor. False when the system has none left. */
bool signals_init(struct signals *signals);

/* In a child: gives it what heapline was started with. Async-signal-safe. */
void signals_restore(const struct signals *signals);

/* In a child of our own kind: nothing blocked, and what anybody could send to it ignored. */
void signals_refuse(void);

/* Waits until there is one, at most `timeout_ms` (-1: for ever). */
void signals_wait(const struct signals *signals, int timeout_ms);

/* Waits for the next signal, at most `timeout_ms` (-1: for ever). False when none came. */
bool signals_next(const struct signals *signals, int timeout_ms, struct signalfd_siginfo *signal);

/* Ends this process as another one ended, whose wait status this is. */
_Noreturn void die_alike(int wait_status);

#endif
