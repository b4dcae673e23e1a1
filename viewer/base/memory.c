/*
 * Allocation that cannot fail: it returns memory or ends the program.
 */
#include "viewer/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void memory_none(void)
{
    fputs("heapline: out of memory; close other programs or look at a smaller recording\n", stderr);
    exit(EXIT_FAILURE);
}

static void *memory_checked(void *memory)
{
    if (!memory)
        memory_none();
    return memory;
}

void *memory_new(size_t count, size_t size)
{
    return memory_checked(calloc(count ? count : 1, size));
}

void *memory_resize(void *old, size_t count, size_t size)
{
    return memory_checked(reallocarray(old, count ? count : 1, size));
}

char *memory_copy(const char *text)
{
    return memory_checked(strdup(text));
}

char *memory_print_list(const char *format, va_list arguments)
{
    char *text = NULL;
    int length = vasprintf(&text, format, arguments);
    return memory_checked(length < 0 ? NULL : text);
}

char *memory_print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = memory_print_list(format, arguments);
    va_end(arguments);
    return text;
}

FILE *memory_stream(char **text, size_t *size)
{
    return memory_checked(open_memstream(text, size));
}
