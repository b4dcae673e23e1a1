/*
 * Memory for the reports. When there is none left the program says so on stderr and exits with
 * status 1: a report has nothing to save. `heapline run` uses these functions only in the process
 * that prints the summary. Any thread.
 */
#ifndef HEAPLINE_VIEWER_BASE_MEMORY_H
#define HEAPLINE_VIEWER_BASE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* `count` zeroed elements of `size` bytes; never NULL, also for none. The caller frees them. */
void *memory_new(size_t count, size_t size);

/* Changes `old` (NULL or from here) to `count` elements of `size` bytes; new bytes are not set. */
void *memory_resize(void *old, size_t count, size_t size);

/* Room for one more behind the `count` elements of a list that has got each of them here, from none
 * on: it moves when the count is a power of two. */
static inline void *memory_room(void *list, size_t count, size_t size)
{
    return count & (count - 1) ? list : memory_resize(list, 2 * count, size);
}

/* A copy of a string; the caller frees it. */
char *memory_copy(const char *text);

/* What printf would print, as a new string; the caller frees it. */
char *memory_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *memory_print_list(const char *format, va_list arguments)
    __attribute__((format(printf, 1, 0)));

/* Ends the program as the others do: for whoever gets memory elsewhere. */
_Noreturn void memory_none(void);

/* A stream that writes into memory (open_memstream); fclose() it before reading `*text`. */
FILE *memory_stream(char **text, size_t *size);

#endif
