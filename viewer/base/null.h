/*
 * /dev/null, also where there is none: in a root of one's own there may be no devices.
 */
#ifndef HEAPLINE_VIEWER_BASE_NULL_H
#define HEAPLINE_VIEWER_BASE_NULL_H

#include <fcntl.h>
#include <sys/mman.h>

/* A descriptor that has nothing to read, for what nobody reads; closed by exec. Negative, with
 * errno, when there is none. */
static inline int null_open(void)
{
    int descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    return descriptor >= 0 ? descriptor : memfd_create("nothing", MFD_CLOEXEC);
}

#endif
