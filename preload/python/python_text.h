/*
 * A string's characters, as they lie in memory.
 */
#ifndef HEAPLINE_PRELOAD_PYTHON_TEXT_H
#define HEAPLINE_PRELOAD_PYTHON_TEXT_H

#include <stdbool.h>
#include <stdint.h>

struct python_text {
    const unsigned char *data;
    uint64_t bytes;
    uint8_t width; /* bytes a character: 1 (Latin-1), 2 or 4 */
};

/* The characters of a live object, which may be null. False: it is no string, one of a subclass, or
 * an old one that is not compact; *text is then empty, with width 1. */
bool python_text_read(uintptr_t object, struct python_text *text);

/* Equal strings have characters of the same width. */
bool python_text_equals(const struct python_text *text, const struct python_text *other);

#endif
