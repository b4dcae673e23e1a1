/*
 * Processes of ours that get the signals that the command gets, and tell of them.
 *
 * One lives in the command's process group, one outside of it, in a session of its own. A signal to
 * the group reaches the first, one to every process of a service both, one to `heapline run` alone
 * neither. They run nothing of the command's, hold no descriptor of its, and end with `heapline
 * run`.
 */
#ifndef HEAPLINE_VIEWER_RUN_WITNESS_H
#define HEAPLINE_VIEWER_RUN_WITNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* More than come between two questions. */
#define WITNESSED_MAX 64u

struct witnessed {
    uint64_t time_ns; /* as witness_now() has it */
    int32_t signal;
    int32_t code; /* as in siginfo_t */
    int32_t sender;
};

struct witness {
    pid_t pid;
    int channel; /* -1: there is none */
    uint32_t question;
};

enum witness_post {
    WITNESS_INSIDE,  /* in our process group */
    WITNESS_OUTSIDE, /* in a session of its own */
    WITNESS_POSTS,
};

/* The clock that signals are timed by. */
uint64_t witness_now(void);

/* Starts one. To those who choose processes by their command line it is to look like the command
 * and not like heapline: `words` are those of the command among our own arguments. Where no process
 * can be had there is no witness. All signals must be blocked. */
void witness_start(struct witness *witness, enum witness_post post, char *const *words);

/* Which signals it has got and not noted yet, one bit each, from 1 on: known without its help. */
uint64_t witness_pending(const struct witness *witness);

/* Takes what it has got since it was last asked; returns how many of `heard`, which has room for
 * WITNESSED_MAX. A witness that does not reply in time has got nothing. */
unsigned witness_ask(struct witness *witness, struct witnessed *heard);

void witness_stop(struct witness *witness);

#endif
