/*
 * The linker gives the calls of the tested sources to these (--wrap); those of libraries that are
 * loaded stay as they are.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "failing.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
char *__real_strdup(const char *text);
void *__real_mmap64(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
void *__real_mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...);

void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes)
{
    return failing_now() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes)
{
    return failing_now() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *block, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes)
{
    return failing_now() ? NULL : __real_realloc(block, bytes);
}

char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return failing_now() ? NULL : __real_strdup(text);
}

void *__wrap_mmap64(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
void *__wrap_mmap64(void *at, size_t bytes, int protection, int flags, int file, off_t offset)
{
    return failing_now() ? MAP_FAILED : __real_mmap64(at, bytes, protection, flags, file, offset);
}

/* Never with a place of its own (MREMAP_FIXED). */
void *__wrap_mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...);
void *__wrap_mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...)
{
    return failing_now() ? MAP_FAILED : __real_mremap(at, bytes, new_bytes, flags);
}
