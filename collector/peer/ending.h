/*
 * How one process has ended, as far as is known (endings.h learns it). A value without state.
 */
#ifndef HEAPLINE_COLLECTOR_ENDING_H
#define HEAPLINE_COLLECTOR_ENDING_H

#include <stdbool.h>
#include <stdint.h>

struct ending {
    int exit_status;          /* -1: unknown, or killed by a signal */
    int signal;               /* 0: none */
    bool core_dumped;         /* false also when unknown */
    bool out_of_memory;       /* the kernel's OOM killer sent the signal; false also when unknown */
    uint64_t collector_bytes; /* what we held then under the same limit, else 0 */
};
#define ENDING_UNKNOWN ((struct ending){.exit_status = -1})

static inline bool ending_is_known(const struct ending *ending)
{
    return ending->exit_status >= 0 || ending->signal != 0;
}

#endif
