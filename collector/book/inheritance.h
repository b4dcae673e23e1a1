/*
 * What a forked child inherits: the blocks and mappings that were live in its parent when it was
 * forked.
 *
 * Nothing is copied. The parent's stream has a mark just before the fork; what was live there is
 * known by the mark's position alone: how many blocks the parent had made, and how many events it
 * had had. When the child frees an address that is none of its own, it is looked for in the parent:
 *
 *   in its heap          a block with a smaller number than the mark's was there at the mark
 *   in its graveyard     what it has freed since, kept as long as somebody may ask for it
 *   in its own parent    and so on, less what it had freed of that before the mark
 *
 * The child's own blocks are numbered on from the mark, so that what it inherits keeps its numbers,
 * and what it frees of that lies in its own graveyard: a second free is unmatched. In the child
 * such blocks are counted apart (counter.inherited), by what it has freed of them: zero at the
 * fork, and below zero, modulo 2^64 and 2^32, from then on.
 *
 * Mappings are shared as one table until either side changes its own; then that side copies it.
 *
 *   estate       what a process has and others may ask for; outlives it while there are others
 *   inheritance  a mark, and the right to ask; waits in a list of the run until the child says
 *                hello and names it, then belongs to the child's estate
 *
 * Blocks that other threads of the parent allocate between the mark and the fork are missed; when
 * the child frees one of those, that is an unmatched free. What they free there is still taken for
 * live. A child whose mark is not there, because it came too late or memory was short, has lost an
 * event (book.damaged). One thread.
 */
#ifndef HEAPLINE_COLLECTOR_INHERITANCE_H
#define HEAPLINE_COLLECTOR_INHERITANCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct block;
struct estate;
struct inheritance;
struct book;
struct counters;
struct ledger;
struct mappings;

/* A child says hello as soon as it has been forked. */
#define INHERITANCE_PATIENCE_NS UINT64_C(10000000000)
/* So many wait at most, then the oldest go. */
#define INHERITANCES_MAX 16384u

/* At the mark with this token. When memory is short nothing is noted, and ledger->memory_short set.
 */
void inheritance_note(struct ledger *ledger, struct book *parent, uint32_t token);

/* Is something noted of a process (see peer.host)? */
bool inheritance_is_noted(const struct ledger *ledger, uint64_t host, pid_t parent, uint32_t token);

/* Takes out what was noted of it; null when nothing was. The caller hands it on to
 * inheritance_apply(), or frees it. */
struct inheritance *inheritance_take(struct ledger *ledger, uint64_t host, pid_t parent,
                                     uint32_t token);

/* Makes it that of a child that has had no event yet; takes it over. */
void inheritance_apply(struct ledger *ledger, struct book *child, struct inheritance *inheritance);

/* Drops what has waited for longer than INHERITANCE_PATIENCE_NS at `now_ns` (clock_now()), and
 * counts the child as one that was never heard of. */
void inheritance_drop_old(struct ledger *ledger, uint64_t now_ns);
/* All that waits still, at the recording's end. */
void inheritance_drop_all(struct ledger *ledger);

/* Accepts null. */
void inheritance_free(struct inheritance *inheritance);
void inheritance_free_all(struct ledger *ledger);

/* A block of the process has died, before the event is counted; for those whose number is below
 * book.wanted_below. */
void inheritance_bury(struct ledger *ledger, struct book *book, const struct block *block);
/* Its free is taken back. */
void inheritance_unbury(struct book *book, const struct block *block);

/* The process frees `address`, which is none of its own blocks: takes out an inherited one, with
 * the process's own counter. False: there is none. */
bool inheritance_remove(struct ledger *ledger, struct book *book, uint64_t address,
                        struct block *block);

/* Calls back with each block that the process still has of those that it was forked with, and the
 * counters that it names one of. */
void inheritance_each(const struct book *book,
                      void (*each)(void *context, const struct block *block,
                                   const struct counters *counters),
                      void *context);

/* Has it been forked, or has it forked others? */
bool inheritance_is_related(const struct book *book);

/* Its mappings, and whose counters they name: its own, or its parent's until either changes them.
 */
struct inherited_mappings {
    const struct mappings *mappings;
    const struct counters *counters;
};
struct inherited_mappings inheritance_mappings(const struct book *book);

/* Before the process's mappings change. */
void inheritance_touch_mappings(struct ledger *ledger, struct book *book);

/* Does anybody ask for what the process has? */
bool inheritance_is_shared(const struct book *book);

/* The process goes: leaves its heap, counters and mappings to those who may ask for them, if there
 * are any. */
void inheritance_leave(struct book *book);

/* Where its parent stood when it was forked. */
struct inherited_from {
    uint32_t process; /* number */
    uint64_t events, blocks;
};

/* Blocks that the process has freed and that are kept for those who may ask for them. */
uint32_t inheritance_graves(const struct book *book);

/* False: the process has not been forked by one that is known. */
bool inheritance_of(const struct book *book, struct inherited_from *from);

#endif
