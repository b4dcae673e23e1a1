/*
 * Text from anywhere, made fit for a terminal: valid UTF-8, no control characters, known widths.
 *
 * Widths are columns. utf8_init() must have been called once, from the only thread; the other
 * functions may then be called from any.
 */
#ifndef HEAPLINE_VIEWER_BASE_UTF8_H
#define HEAPLINE_VIEWER_BASE_UTF8_H

#include <stdbool.h>
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

/* The longest sequence of bytes that is a character, and the longest \u{10ffff}. */
#define UTF8_CHARACTER_MAX 4u
#define UTF8_ESCAPE_MAX    11u

/* Would this character do something to a terminal, or turn around, hide or break the text that it
 * stands in? Control characters, C0 and C1, the marks of bidirectional text, line separators, what
 * is invisible, what is no character. This is the one place that knows. */
bool utf8_is_unruly(uint32_t character);

/* Does the text from here to `end` end in the middle of a character? */
bool utf8_is_cut(const char *text, const char *end);

/* Writes the character at *text, which ends at `end`, to `out`, where UTF8_ESCAPE_MAX bytes have
 * room, and moves behind it. One that is unruly is written out as \n or \u{9b}, a byte that is not
 * UTF-8 as \x9b. Returns the end of what has been written. */
char *utf8_put_printable(char *out, const char **text, const char *end);

/* A copy of a string of any bytes with all characters put so. The caller frees it. */
char *utf8_escape(const char *text);

/* The columns that an escaped string takes. */
size_t utf8_width(const char *text);

/* A copy of an escaped string of at most `width` columns, which are at least 1. The caller frees
 * it. What is too much is replaced by one '…': at the end, or in the middle so that more of the
 * end than of the beginning is kept. */
char *utf8_cut_end(const char *text, size_t width);
char *utf8_cut_middle(const char *text, size_t width);

#endif
