/*
 * Libraries that map memory by system calls of their own, past the C library and so past any hook.
 */
#ifndef HEAPLINE_COLLECTOR_RAW_CALLS_H
#define HEAPLINE_COLLECTOR_RAW_CALLS_H

#include <stdint.h>

/* How often code of a file maps memory so, as far as its bytes tell: in [offset, offset + bytes) of
 * the file `path`, as seen from the folder `root`. 0 where that cannot be read. */
unsigned raw_calls_count(int root, const char *path, uint64_t offset, uint64_t bytes);

#endif
