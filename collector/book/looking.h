/*
 * Looking from outside at what large blocks have in memory.
 */
#ifndef HEAPLINE_COLLECTOR_LOOKING_H
#define HEAPLINE_COLLECTOR_LOOKING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct book;
struct ledger;

/* Looks at the ranges of a process, when it is time: a part of a millisecond at once, and for a
 * small share of the time. `pid`: 0 where it is on another host. Between batches of its events.
 * Returns whether something was done. */
bool looking_step(struct ledger *ledger, struct book *book, pid_t pid, uint64_t now_ns);

#endif
