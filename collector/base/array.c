/*
 * Doubling.
 */
#include "collector/base/array.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 64u

void *array_grow(void *array, uint32_t *capacity, uint32_t count, size_t size)
{
    uint32_t wanted = *capacity ? *capacity : CAPACITY_FIRST;
    if (count <= *capacity)
        return array;
    while (wanted < count)
        wanted *= 2;
    char *grown = realloc(array, wanted * size);
    if (!grown)
        return NULL;
    memset(grown + *capacity * size, 0, (wanted - *capacity) * size);
    *capacity = wanted;
    return grown;
}
