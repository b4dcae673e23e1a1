/*
 * What a process has told of code that it has made while it runs (MADE_CODE in schema/wire.h).
 *
 * Memory for code is used again: each name that is told has a number, and what had an address
 * before is forgotten. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_MADE_CODE_H
#define HEAPLINE_COLLECTOR_MADE_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/base/vector.h"

struct made_function {
    uint64_t start, end;
    uint32_t number; /* from 1 */
    char *name;      /* UTF-8; null: not known */
};

/* Zeroed memory is nothing. */
struct made_code {
    struct vector list; /* struct made_function, by address; no two overlap */
    uint32_t count, told;
};

enum made_code_answer {
    MADE_CODE_KNOWN, /* it has been told so before */
    MADE_CODE_NEW,
    MADE_CODE_NO_MEMORY,
};

/* The code from `start` to `end` is called by this symbol from now on; "": nobody knows how. */
enum made_code_answer made_code_tell(struct made_code *made, uint64_t start, uint64_t end,
                                     const char *symbol);

/* What has the address; null: nothing that was told of. It stands until something is told. */
const struct made_function *made_code_find(const struct made_code *made, uint64_t address);

void made_code_deinit(struct made_code *made);

#endif
