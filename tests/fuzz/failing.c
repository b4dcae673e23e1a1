/*
 * The linker gives the calls of the tested sources to these (--wrap); those of libraries that are
 * loaded stay as they are.
 */
#include "failing.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>

/* One call of so many, at least and at most. */
#define CHANCE_LEAST 4u
#define CHANCE_MOST  64u
#define INPUTS       4u

static uint64_t state;
static uint32_t chance;

static uint32_t next(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 33);
}

void failing_begin(const uint8_t *data, size_t size)
{
    state = size;
    for (size_t i = 0; i < size; i++)
        state = (state ^ data[i]) * UINT64_C(0x100000001b3);
    chance = next() % INPUTS ? 0 : CHANCE_LEAST + next() % (CHANCE_MOST - CHANCE_LEAST);
}

void failing_end(void)
{
    chance = 0;
}

static bool fails(void)
{
    if (!chance || next() % chance)
        return false;
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
char *__real_strdup(const char *text);
void *__real_mmap64(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
void *__real_mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...);

void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *block, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes)
{
    return fails() ? NULL : __real_realloc(block, bytes);
}

char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

void *__wrap_mmap64(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
void *__wrap_mmap64(void *at, size_t bytes, int protection, int flags, int file, off_t offset)
{
    return fails() ? MAP_FAILED : __real_mmap64(at, bytes, protection, flags, file, offset);
}

/* Never with a place of its own (MREMAP_FIXED). */
void *__wrap_mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...);
void *__wrap_mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...)
{
    return fails() ? MAP_FAILED : __real_mremap(at, bytes, new_bytes, flags);
}
