/*
 * Whose child a process is, of those in the recording.
 *
 * The kernel names the parent that is there now: none of ours where a shell stands between, or
 * where the one that forked it has ended, as when a daemon detaches itself. A forked child is its
 * that has sent the mark; an executed one brings along who has executed what led to it (the hello's
 * "ancestor"). Of a program that has taken its own place it is what it was, also where others stood
 * there between.
 */
#ifndef HEAPLINE_COLLECTOR_LINEAGE_H
#define HEAPLINE_COLLECTOR_LINEAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/vector.h"

struct arrival;
struct peer;

/* Of more processes than these the oldest are forgotten. */
#define LINEAGES_MAX 4096u

struct lineages {
    struct vector list; /* struct lineage, by the process's number modulo LINEAGES_MAX */
    uint32_t count;
};

void lineages_deinit(struct lineages *lineages);

/* Finds a new process's parent (peer.parent, peer.descends_from) and remembers the process.
 * `predecessor`: the number of the program whose place it takes; `forked_from`: that of the process
 * whose mark says that it has forked this one; 0: none. */
void lineages_add(struct lineages *lineages, struct peer *peer, const struct arrival *arrival,
                  uint32_t predecessor, uint32_t forked_from);

/* It has ended, so that its process id may become another one's. */
void lineages_end(struct lineages *lineages, const struct peer *peer);

#endif
