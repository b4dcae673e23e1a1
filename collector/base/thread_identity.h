/*
 * Who a living thread is, and what it counts under.
 */
#ifndef HEAPLINE_COLLECTOR_THREAD_IDENTITY_H
#define HEAPLINE_COLLECTOR_THREAD_IDENTITY_H

#include <stdint.h>

struct thread_identity {
    uint32_t number; /* thread.id in the recording; 0: none yet */
    uint32_t row;    /* in thread_rows.list */
    uint32_t tid;
};

#endif
