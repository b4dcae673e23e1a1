/*
 * What the page counts by: rows of (stack, thread, allocator), with what each held at the moments
 * that have a name, and what it allocated in all.
 *
 * Their number is bounded, whatever the recording has: stacks that matter less are folded
 * (page_fold.h), and threads are summed up (page_threads.h). Nothing is left out of the sums. One
 * thread.
 */
#ifndef HEAPLINE_VIEWER_HTML_PAGE_ROWS_H
#define HEAPLINE_VIEWER_HTML_PAGE_ROWS_H

#include "viewer/history/replay.h"
#include "viewer/html/index.h"
#include "viewer/html/page_threads.h"
#include "viewer/html/page_tree.h"
#include "viewer/question/grouping.h"
#include "viewer/question/peak.h"
#include "viewer/question/query.h"
#include "viewer/question/run_end.h"
#include "viewer/recording/recording.h"

#define PAGE_NO_ROW UINT32_MAX

struct page_row {
    uint32_t node;
    uint32_t thread; /* of the page */
    uint32_t allocator;
    struct held peak;     /* of all processes together */
    struct held own_peak; /* of its process */
    struct held end, leaked, temporary;
    uint64_t allocations, allocated_bytes;
};

/* The processes of the page, by their indices in the recording, their peak, and what they held when
 * the run ended. Borrowed. */
struct page_processes {
    const size_t *list;
    size_t count;
    const struct peak *peak;
    const struct run_end *run_end;
};

/* How much may be. */
struct page_limits {
    uint32_t nodes, rows;
};

struct page_rows {
    struct recording *recording;
    const struct query *query;
    struct page_processes processes;
    struct grouping grouping; /* by code */
    uint32_t *locations;      /* by place: one of the recording that has it; from PLACE_FIRST on */
    struct page_tree tree;
    struct page_row *list;
    uint32_t count;
    struct index index;
    struct page_threads threads;
    uint32_t **row_of;    /* by process of the recording: by counter, a row or PAGE_NO_ROW */
    uint32_t stack_count; /* nodes of the recording that matter */
    uint32_t kept_count;  /* of them */
};

/* Reads the counters of the processes; `query` says about inherited memory, and which allocations
 * are temporary. False, with a problem in the recording, when it is damaged. Needs
 * page_rows_deinit() in either case; what is given must outlive the rows. */
bool page_rows_init(struct page_rows *rows, struct recording *recording, const struct query *query,
                    struct page_processes processes, struct page_limits limits);
void page_rows_deinit(struct page_rows *rows);

/* The row of these three; it is made when it is not there. */
uint32_t page_rows_find(struct page_rows *rows, uint32_t node, uint32_t thread, uint32_t allocator);

#endif
