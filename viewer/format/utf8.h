/*
 * Text from anywhere, made fit for a terminal: valid UTF-8, no control characters, known widths.
 *
 * Widths are columns. utf8_init() must have been called once, from the only thread; the other
 * functions may then be called from any.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_UTF8_H
#define HEAPLINE_VIEWER_FORMAT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Chooses a character type locale that knows UTF-8, whatever the environment says. */
void utf8_init(void);

/* Decodes the character at *text, which ends at `end`, and moves behind it. What is not valid
 * UTF-8 gives U+FFFD, a byte at a time. */
uint32_t utf8_next(const char **text, const char *end);

/* A copy of `length` bytes in which what is not UTF-8 is U+FFFD, cut at the first NUL. The caller
 * frees it. */
char *utf8_clean(const char *text, size_t length);

/* A copy of a clean string in which what has no width of its own on a terminal (control
 * characters and their like) is written out as \n or \u{9b}. The caller frees it. */
char *utf8_escape(const char *text);

/* The columns that an escaped string takes. */
size_t utf8_width(const char *text);

/* A copy of an escaped string of at most `width` columns, which are at least 1. The caller frees
 * it. What is too much is replaced by one '…': at the end, or in the middle so that more of the
 * end than of the beginning is kept. */
char *utf8_cut_end(const char *text, size_t width);
char *utf8_cut_middle(const char *text, size_t width);

#endif
