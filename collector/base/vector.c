/*
 * Growth is by an eighth and at least 64 KiB: mremap makes it cheap, so memory stays tight, and an
 * array seldom has to move.
 *
 * That hides pointers which are kept over a growth. So a build with sanitizers has another vector,
 * from the heap: it has no room to spare at first, and moves every time that it grows. There such a
 * pointer is found at the second element.
 */
#include "collector/base/vector.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_FROM_BYTES ((size_t)8 << 20)

/* So much and an eighth of what there is, at least. */
#ifdef HEAPLINE_VECTORS_MOVE
#define GROWTH_BYTES_MIN ((size_t)1)
#else
#define GROWTH_BYTES_MIN ((size_t)64 * 1024)
#endif

static size_t bytes_for(const struct vector *vector, size_t wanted)
{
    size_t grown = vector->bytes + vector->bytes / 8;
    size_t bytes = wanted > grown ? wanted : grown;
    return (bytes + GROWTH_BYTES_MIN - 1) / GROWTH_BYTES_MIN * GROWTH_BYTES_MIN;
}

#ifdef HEAPLINE_VECTORS_MOVE

bool vector_reserve_slow(struct vector *vector, size_t count, size_t size)
{
    size_t bytes = bytes_for(vector, count * size);
    void *data = calloc(1, bytes);
    if (!data)
        return false;
    if (vector->data)
        memcpy(data, vector->data, vector->bytes);
    free(vector->data);
    *vector = (struct vector){data, bytes};
    return true;
}

void vector_deinit(struct vector *vector)
{
    free(vector->data);
    *vector = (struct vector){0};
}

#else

bool vector_reserve_slow(struct vector *vector, size_t count, size_t size)
{
    size_t bytes = bytes_for(vector, count * size);
    void *data = vector->data ? mremap(vector->data, vector->bytes, bytes, MREMAP_MAYMOVE)
                              : mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return false;
    /* Large tables are read here and there: huge pages spare most of the look-ups of addresses. */
    if (bytes >= HUGE_FROM_BYTES)
        madvise(data, bytes, MADV_HUGEPAGE);
    vector->data = data;
    vector->bytes = bytes;
    return true;
}

void vector_deinit(struct vector *vector)
{
    if (vector->data)
        munmap(vector->data, vector->bytes);
    *vector = (struct vector){0};
}

#endif
