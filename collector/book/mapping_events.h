/*
 * What becomes of a process's sums and history when it maps and unmaps memory.
 *
 * A mapping is one block, counted where it was mapped. When a part of it goes its counter holds
 * fewer bytes in as many blocks; in the history it is freed, and at once restored with the size of
 * the rest (history.h). With the last part the block is freed. What a new mapping covers is gone.
 * One thread.
 */
#ifndef HEAPLINE_COLLECTOR_MAPPING_EVENTS_H
#define HEAPLINE_COLLECTOR_MAPPING_EVENTS_H

#include <stdint.h>

struct book;
struct ledger;

/* A range of addresses: not empty, and below 2^48. */
struct address_range {
    uint64_t start, bytes;
};

/* `node` and `thread` (of the run) are those of the allocation. */
void mapping_events_map(struct ledger *ledger, struct book *book, const struct address_range *range,
                        uint32_t node, uint32_t thread);

/* What a thread has unmapped last, which may yet fail. */
struct pending_unmap {
    struct address_range range;
    uint32_t cut; /* the list (mappings.h) */
};

/* `pending`: that of the thread's low bits, by which a failure finds what it takes back. */
void mapping_events_unmap(struct ledger *ledger, struct book *book, struct pending_unmap *pending,
                          const struct address_range *range);
void mapping_events_unmap_failed(struct ledger *ledger, struct book *book,
                                 struct pending_unmap *pending, const struct address_range *range);

#endif
