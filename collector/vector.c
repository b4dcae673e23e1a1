/*
 * Growth is by an eighth and at least 64 KiB: mremap makes it cheap, so memory stays tight.
 */
#include "vector.h"

#include <sys/mman.h>

#define GROWTH_BYTES_MIN ((size_t)64 * 1024)
#define HUGE_FROM_BYTES  ((size_t)8 << 20)

bool vector_reserve_slow(struct vector *vector, size_t count, size_t size)
{
    size_t wanted = count * size;
    size_t grown = vector->bytes + vector->bytes / 8;
    size_t bytes = wanted > grown ? wanted : grown;
    bytes = (bytes + GROWTH_BYTES_MIN - 1) / GROWTH_BYTES_MIN * GROWTH_BYTES_MIN;
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
