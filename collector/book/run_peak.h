/*
 * The most that all processes of a run held together, and where each of them stood then; likewise
 * the most that they had touched.
 *
 * The processes are read in batches, in the order of time (drain.h). While one is read the others
 * stand still, so the run is at a new peak when this one goes beyond its share: the peak so far
 * less what the others hold (heap_sums.share). That is one comparison an allocation. Where the
 * others stood is noted later, before each one's next batch, as the counters note their part of a
 * process's peak. A process that has ended has left: it adds nothing to later sums. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_RUN_PEAK_H
#define HEAPLINE_COLLECTOR_RUN_PEAK_H

struct book;
struct ledger;

/* A process begins. */
void run_peak_join(const struct ledger *ledger, struct book *book);

/* Around every batch of a process's events. */
void run_peak_begin(struct ledger *ledger, struct book *book);
void run_peak_end(struct ledger *ledger, struct book *book);

/* A process has ended; all its events have been read. Once is enough. */
void run_peak_leave(struct ledger *ledger, struct book *book);

/* Makes the process's position that at the latest peak, unless it has left. Between batches. */
void run_peak_settle(struct ledger *ledger, struct book *book);

#endif
