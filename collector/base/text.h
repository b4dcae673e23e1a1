/*
 * Text from a traced process, made into UTF-8.
 */
#ifndef HEAPLINE_COLLECTOR_TEXT_H
#define HEAPLINE_COLLECTOR_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* UTF-8 of `bytes` bytes of PyUnicode data, `width` (1, 2, 4) bytes a character: NUL-terminated, to
 * be freed, null when memory is short. NUL, surrogates and what is no character become U+FFFD. */
char *text_to_utf8(const uint8_t *data, size_t bytes, unsigned width);

/* UTF-8, as above, of up to `most` pieces that stand right behind one another (schema/wire.h,
 * WIRE_MARK_TEXT); *data and *left go on behind them, or stay at one that is not sound. */
char *text_from_pieces(const uint8_t **data, size_t *left, uint32_t most);

/* A copy of a string of arbitrary bytes: what is not UTF-8 is taken for Latin-1. To be freed; null
 * when memory is short. */
char *text_from_bytes(const char *bytes);

/* Copies UTF-8, and cuts what has no room between two characters. */
void text_cut(char *to, size_t room, const char *from);

/* A JSON array of the strings that stand, NUL-terminated, in data[0..bytes). To be freed; null when
 * memory is short. */
char *text_list_to_json(const char *data, size_t bytes);

#endif
