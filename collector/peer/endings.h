/*
 * How processes end: with what status, by which signal, for want of memory.
 *
 * Every traced process is watched from its admission on. When it ends the kernel is asked first;
 * where it cannot say, what a traced parent tells is taken, which may come before the process's end
 * has been noticed here or after, or even before its hello is read, for these are two ways: it is
 * kept for a while for one who has come and is gone already. What comes after is *late*: the
 * process's row stands in the recording already and is to be brought up to date. What is known is
 * never replaced.
 *
 * A process that lives on, or whose place another program has taken by exec, has no ending. One
 * thread.
 */
#ifndef HEAPLINE_COLLECTOR_ENDINGS_H
#define HEAPLINE_COLLECTOR_ENDINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/base/vector.h"
#include "collector/peer/ending.h"

struct peer;

/* What a wait status says; unknown when it is not that of an end. */
struct ending ending_from_status(int wait_status);

/* No more are waited for whose rows are written and whose parents have not said how they ended:
 * what a parent says is looked for among all. */
#define ENDINGS_AWAITED_MAX 1024u

/* So many are kept that were told of processes which are not watched. */
#define ENDINGS_TOLD_EARLY 64u

struct told_ending {
    uint64_t host; /* of both, see peer.host */
    pid_t pid, parent;
    int status;
};

struct endings {
    struct vector watched; /* struct watched_ending */
    uint32_t count;
    uint32_t late; /* of them: told after the process's row was written */
    struct told_ending early[ENDINGS_TOLD_EARLY];
    uint32_t early_next;
};
void endings_deinit(struct endings *endings);

/* From now on a parent may tell how this process ends. One with the same id that was watched before
 * is not any more. Of one that was gone before its hello was read, its parent may have told. When
 * memory is short it is not watched. */
void endings_watch(struct endings *endings, const struct peer *peer);

/* The process `parent` tells that its child `pid` has ended. */
void endings_tell(struct endings *endings, const struct peer *parent, pid_t pid, int wait_status);

/* When a process is about to be written for the last time: sets peer->ending. `ended`: it has, and
 * no other program has taken its place. `wait_status` is what its parent knows for certain, null
 * when it has said nothing. */
void endings_settle(struct endings *endings, struct peer *peer, bool ended, const int *wait_status);

/* Takes out one that is late: the number of the process's row. False: there is none. */
bool endings_take_late(struct endings *endings, uint32_t *process, struct ending *ending);

#endif
