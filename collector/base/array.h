/*
 * Small arrays on the heap, doubled until they are large enough. Large ones are vectors (vector.h).
 */
#ifndef HEAPLINE_COLLECTOR_ARRAY_H
#define HEAPLINE_COLLECTOR_ARRAY_H

#include <stddef.h>
#include <stdint.h>

/* The array, which has room for at least `count` elements of `size` bytes then, and for *capacity;
 * new elements are zero-filled, and pointers into it void. Null when memory is short: all stays as
 * it was. Its owner frees it with free(). */
void *array_grow(void *array, uint32_t *capacity, uint32_t count, size_t size);

#endif
