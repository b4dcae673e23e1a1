/*
 * What of a process's memory has been *touched*.
 *
 * A block below WIRE_LARGE_BYTES counts as touched when it is there. A large one counts by what of
 * it is in memory, which is looked at from outside now and then (looking.h) and by the process
 * itself right before it goes. Until it has been looked at, a large block is untouched; what has
 * been found in memory in full is not looked at any more. heap_sums.untouched is the sum of it all,
 * and the peak of what is touched is noted as the other one is (counters.h).
 *
 * Memory is short: what cannot be noted counts as touched. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_TOUCHED_H
#define HEAPLINE_COLLECTOR_TOUCHED_H

#include <stdint.h>

struct book;
struct ledger;
struct mapping_range;
struct mappings;
struct untouched;

/* Before a large block, or a mapping, of [start, end) is counted in its counter; so many bytes of
 * it are known to be touched. */
void touched_begin(struct ledger *ledger, struct book *book, const struct mapping_range *range,
                   uint32_t counter, uint64_t touched);

/* The large block that begins at `address` has so many bytes in memory. */
void touched_set(struct book *book, uint64_t address, uint64_t present);

/* Of [start, end), `mapped` bytes of which are mapped, `present` are in memory, which may be
 * PRESENCE_UNKNOWN. Before what is there goes. */
void touched_look(struct ledger *ledger, struct book *book, uint64_t start, uint64_t end,
                  uint64_t mapped, uint64_t present);

/* What is in [start, end) leaves its counter, right after this: how much of it is untouched leaves
 * the sum. Returns that, for touched_begin() where it comes back. */
uint64_t touched_end(struct ledger *ledger, struct book *book, uint64_t start, uint64_t end);

/* After that: who lies about addresses may have had others' blocks there, which count as touched
 * now.
 */
void touched_settle(struct book *book);

/* What was in [start, end) has been given back, and is no longer held. */
void touched_note_emptied(struct ledger *ledger, struct book *book, uint64_t start, uint64_t end);

/* What of the counter was untouched at the process's peak of what is touched; at the run's. */
uint64_t touched_at_peak(const struct book *book, uint32_t counter);
uint64_t touched_at_mark(const struct book *book, const struct untouched *of);

/* So many bytes of the counter's have been found in memory. */
void touched_note_found(struct book *book, uint32_t counter, uint64_t bytes);

/* Before heap_sums.most_touched begins anew, and before more is found. What was found may have been
 * touched right after the whole look before: at a time when so much was known to be touched, there
 * can have been all that has been found since then too. */
void touched_note_most(struct book *book);

/* Nobody can look: from now on everything counts as touched. */
void touched_hide(struct book *book);

/* Everything that is not known to be touched in full has been looked at: what is found from now on
 * has been touched since. */
void touched_note_whole_look(struct book *book);

/* Takes out a range as it stands. */
void touched_forget(struct mappings *ranges, uint64_t start, uint64_t end);

/* By how many bytes the peak may be higher than what was seen. */
uint64_t touched_error(const struct book *book);

#endif
