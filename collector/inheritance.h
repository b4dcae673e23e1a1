/*
 * What a forked child inherits: the blocks and mappings that were live in its parent when it was
 * forked.
 *
 * The parent's stream has a mark just before the fork; what is live there waits in a list of the
 * run until the child says hello and names the mark. In the child such blocks are counted apart
 * (counter.inherited): they are not its own, but that it frees them is known.
 *
 * Blocks that other threads of the parent allocate between the mark and the fork are missed; when
 * the child frees one of those, that is an unmatched free. The list is bounded: what waits longest
 * goes first, and nothing waits for a child that must have ended without a word. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_INHERITANCE_H
#define HEAPLINE_COLLECTOR_INHERITANCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct run;
struct process;
struct inheritance;

/* A child says hello as soon as it has been forked. */
#define INHERITANCE_PATIENCE_NS UINT64_C(10000000000)

/* At the mark with this token. When memory is short nothing is noted, and run->memory_short set. */
void inheritance_note(struct run *run, const struct process *parent, uint32_t token);

/* Is something noted of a process (see process.place)? */
bool inheritance_is_noted(const struct run *run, uint64_t place, pid_t parent, uint32_t token);

/* Takes out what was noted of it; null when nothing was. The caller frees it with
 * inheritance_free(). */
struct inheritance *inheritance_take(struct run *run, uint64_t place, pid_t parent, uint32_t token);

/* Gives the blocks to a child that has had no event yet. */
void inheritance_apply(struct run *run, struct process *child, const struct inheritance *from);

/* Drops what has waited for longer than INHERITANCE_PATIENCE_NS at `now_ns` (clock_now()). */
void inheritance_drop_old(struct run *run, uint64_t now_ns);

/* Accepts null. */
void inheritance_free(struct inheritance *inheritance);
void inheritance_free_all(struct run *run);

#endif
