/*
 * Sizes as people write them: a number, with a fraction if they like, and a unit.
 *
 * KB, MB, GB, TB are powers of ten and KiB, MiB, GiB, TiB powers of two, as are K, M, G, T; small
 * letters will do; without a unit, or with B, bytes.
 */
#ifndef HEAPLINE_SCHEMA_SIZE_H
#define HEAPLINE_SCHEMA_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* False when `text` is no size, or none that fits 63 bits. */
bool size_parse(const char *text, uint64_t *bytes);

#endif
