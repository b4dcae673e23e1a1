/*
 * Files for other programs. Each format writes to a stream of the caller's, who checks it for
 * errors; what a format needs it asks of the recording.
 */
#ifndef HEAPLINE_VIEWER_EXPORT_EXPORT_H
#define HEAPLINE_VIEWER_EXPORT_EXPORT_H

#include <stdio.h>

#include "viewer/question/answer.h"

/* Formats for browsers have at most so many nodes of the tree of stacks, and frames in the lists of
 * all stacks; what is beyond that is folded (fold.h) and called so. */
#define EXPORT_NODES_MAX  50000u
#define EXPORT_FRAMES_MAX 4000000u
#define EXPORT_OTHER      "(other)"

/* Lines of code get made-up addresses, so far apart: some viewers know code by them alone. */
#define EXPORT_ADDRESS_FIRST UINT64_C(0x1000)
#define EXPORT_ADDRESS_STEP  16u

/* False, with a problem in the recording, when it is damaged or lacks what is needed. */
typedef bool export_writer(FILE *stream, struct recording *recording, const struct query *query);

/* Asks the query by stack or by code, without a limit: as answer_init_visited(), `visit` may be
 * NULL. */
bool export_ask_stacks(struct answer *answer, struct recording *recording,
                       const struct query *query, enum group_by by, answer_visitor *visit,
                       void *context);

/* A pickle that tracemalloc.Snapshot.load() opens, of CPython 3.9 and later: what was held at the
 * query's moment. Counts and sums by stack are exact; blocks of one stack share its bytes evenly.
 */
bool export_tracemalloc(FILE *stream, struct recording *recording, const struct query *query);

/* A gzipped profile for pprof: allocated blocks and bytes, and those held at the query's moment, by
 * stack, process, thread and allocator. */
bool export_pprof(FILE *stream, struct recording *recording, const struct query *query);

/* DHAT's JSON: of each stack what was allocated, and, where a history was kept, how long it lived,
 * the most that it held, what it held at the query's moment and at the end. Plays every event. */
bool export_dhat(FILE *stream, struct recording *recording, const struct query *query);

/* A line a stack with its bytes at the query's moment, the outermost frame first: what
 * flamegraph.pl and its successors read. */
bool export_folded(FILE *stream, struct recording *recording, const struct query *query);

/* What speedscope opens: what was held at the query's moment, and what was allocated. */
bool export_speedscope(FILE *stream, struct recording *recording, const struct query *query);

/* What `mprof plot` draws: resident memory over time. The query's moment does not matter. */
bool export_mprof(FILE *stream, struct recording *recording, const struct query *query);

/* Counter tracks for Perfetto and chrome://tracing. The query's moment does not matter. */
bool export_chrome(FILE *stream, struct recording *recording, const struct query *query);

/* The rows of a report, all of them, by what the query says. */
bool export_csv(FILE *stream, struct recording *recording, const struct query *query);

/* What was allocated, as `memray stats --json` says it: of the whole run, or of a span. */
bool export_memray(FILE *stream, struct recording *recording, const struct query *query);

#endif
