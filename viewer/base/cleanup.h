/*
 * Variables that put themselves away at the end of their scope.
 */
#ifndef HEAPLINE_VIEWER_BASE_CLEANUP_H
#define HEAPLINE_VIEWER_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* For pointers from malloc() and its family; NULL is fine. */
static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

/* For file descriptors; a negative one is none. */
static inline void cleanup_close(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

#endif
