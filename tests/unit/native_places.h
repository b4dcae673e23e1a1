/*
 * Places in native code whose process is not there to tell of them, and what is at them, at once.
 */
#ifndef HEAPLINE_TESTS_NATIVE_PLACES_H
#define HEAPLINE_TESTS_NATIVE_PLACES_H

#include "collector/symbols/native_modules.h"
#include "collector/symbols/native_symbols.h"

/* An address as an offset in its module (see the kinds), when what is mapped from `start` on stands
 * at `position` in the module's file. False: it is none of the module's code. */
bool native_place_offset(const struct native_module *module, uint64_t start, uint64_t position,
                         uint64_t address, uint64_t *offset);

/* Asks, and waits for the answer. Null when memory is short. */
const struct native_symbol *native_place_symbol(struct native_symbols *symbols,
                                                struct native_point place);

#endif
