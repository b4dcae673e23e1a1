/*
 * What is at an address of native code: a function, and those inlined into it there.
 */
#ifndef HEAPLINE_COLLECTOR_NATIVE_SYMBOL_H
#define HEAPLINE_COLLECTOR_NATIVE_SYMBOL_H

#include <stddef.h>
#include <stdint.h>

#define NATIVE_CALLS_MAX      64   /* functions inlined into one another at an address */
#define NATIVE_TEXT_BYTES_MAX 1024 /* of a name; longer ones are cut */
#define NATIVE_SYMBOL_BYTES_MAX                                                                    \
    (NATIVE_CALLS_MAX * (2 * NATIVE_TEXT_BYTES_MAX + 16) + 16) /* packed */

struct native_call {
    char *function; /* UTF-8; null: not known. Without parameters; C++ and Rust as in the source */
    char *file;     /* as the compiler was told, where possible absolute; null: not known */
    uint32_t line;  /* 0: not known */
};

struct native_symbol {
    uint32_t count;             /* at least 1 */
    struct native_call calls[]; /* innermost first; all but the last are inlined into the next */
};

/* `count` calls of which nothing is known; 1 for 0. Null when memory is short. */
struct native_symbol *native_symbol_new(unsigned count);
/* Accepts and returns null. */
struct native_symbol *native_symbol_free(struct native_symbol *symbol);

/* UTF-8 of a name of any bytes, cut where it is too long. Null for null and when memory is short.
 */
char *native_text(const char *bytes, size_t length);

/* Writes it at `out`, which has room for NATIVE_SYMBOL_BYTES_MAX; returns the position after it. */
uint8_t *native_symbol_pack(uint8_t *out, const struct native_symbol *symbol);
/* Reads one from [*in, end) and moves *in behind it. Null: it is not sound, or memory is short. */
struct native_symbol *native_symbol_unpack(const uint8_t **in, const uint8_t *end);

#endif
