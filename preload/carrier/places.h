/*
 * Telling what ranges of addresses are for that no block or mapping says (wire.h, PLACE).
 *
 * The caller holds the guard at SHIM_RECORDING, or calls place_tell_nested(). Any thread.
 */
#ifndef HEAPLINE_PRELOAD_PLACES_H
#define HEAPLINE_PRELOAD_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

void place_tell(enum wire_place kind, uintptr_t address, size_t bytes);

/* What the shim itself has mapped. */
void place_tell_own(void);

/* place_tell() inside another call, which goes on as it was; nothing where that one is the shim's
 * own work. */
void place_tell_nested(enum wire_place kind, uintptr_t address, size_t bytes);

/* The mapping that is told next, or has just been, was asked for by code at `caller`. */
void place_tell_caller(uintptr_t address, size_t bytes, uintptr_t caller);

#endif
