/*
 * What becomes of a process's sums and history when it maps and unmaps memory.
 *
 * A mapping is one block, counted where it was mapped. When a part of it goes its counter holds
 * fewer bytes in as many blocks; in the history it is freed, and at once restored with the size of
 * the rest (history.h). With the last part the block is freed. What a new mapping covers is gone.
 * So it is where memory is given back that stays mapped: what is in memory again later is restored.
 * Files and reserved address space are mappings like others, counted apart. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_MAPPING_EVENTS_H
#define HEAPLINE_COLLECTOR_MAPPING_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct book;
struct ledger;

/* A range of addresses: not empty, and below 2^48. */
struct address_range {
    uint64_t start, bytes;
};

/* What is mapped: by which allocator, in which stack (node) and thread (of the run), and how much
 * of it is known to be in memory. */
struct mapped {
    struct address_range range;
    uint32_t node, thread;
    uint8_t allocator;
    uint64_t touched;
};

void mapping_events_map(struct ledger *ledger, struct book *book, const struct mapped *mapped);

/* What a thread has unmapped last, which may yet fail. */
struct pending_unmap {
    struct address_range range;
    uint32_t cut;     /* the list (mappings.h) */
    uint64_t touched; /* of what was cut */
};

/* `pending`: that of the thread's low bits, by which a failure finds what it takes back. `present`:
 * how many bytes of the range are in memory, or PRESENCE_UNKNOWN. */
void mapping_events_unmap(struct ledger *ledger, struct book *book, struct pending_unmap *pending,
                          const struct address_range *range, uint64_t present);
void mapping_events_unmap_failed(struct ledger *ledger, struct book *book,
                                 struct pending_unmap *pending, const struct address_range *range);

/* What was mapped last by the thread's unmapping: its allocator; WIRE_ALLOCATOR_MMAP where that is
 * not known. */
uint8_t mapping_events_kind(const struct book *book, const struct pending_unmap *pending);

/* What was reserved of the range is memory now, of this stack and thread. */
void mapping_events_open(struct ledger *ledger, struct book *book, const struct mapped *mapped);

/* Memory that stays mapped has been given back; `present` as above, before. Where that is lazily
 * its pages are there still, which does not mean that it is used again. */
void mapping_events_empty(struct ledger *ledger, struct book *book,
                          const struct address_range *range, uint64_t present, bool lazily);

/* So much of a range that had been emptied is in memory again. */
void mapping_events_refill(struct ledger *ledger, struct book *book,
                           const struct address_range *range, uint64_t present);

#endif
