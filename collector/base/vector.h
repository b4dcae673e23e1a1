/*
 * Large arrays that grow without copying: anonymous mappings extended by mremap.
 *
 * Elements are zero-filled when they come to be. Pointers into the array are void after a growth: a
 * build with sanitizers (HEAPLINE_VECTORS_MOVE) has vectors that move whenever they grow, and that
 * grow all the time. One thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_VECTOR_H
#define HEAPLINE_COLLECTOR_VECTOR_H

#include <stdbool.h>
#include <stddef.h>

struct vector {
    void *data;
    size_t bytes; /* mapped */
};

/* Makes room for at least `count` elements of `size` bytes. False: no memory; all stays as it was.
 */
bool vector_reserve_slow(struct vector *vector, size_t count, size_t size);
void vector_deinit(struct vector *vector);

static inline bool vector_reserve(struct vector *vector, size_t count, size_t size)
{
    return __builtin_expect(count * size <= vector->bytes, 1) ||
           vector_reserve_slow(vector, count, size);
}

#endif
