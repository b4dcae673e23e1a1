/*
 * Telling the reader what a code object is (schema/wire.h, WIRE_CODE).
 */
#ifndef HEAPLINE_PRELOAD_CODE_ANNOUNCEMENT_H
#define HEAPLINE_PRELOAD_CODE_ANNOUNCEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

/* Reads names, first line and line table of a live code object and sends them under `number`; with
 * WIRE_LINES_TOLD no table. False: a record was dropped; the description is to be sent again from
 * its start. Allocates nothing, calls nothing of the interpreter. */
bool code_announce(uintptr_t code, uint32_t number, enum wire_line_table lines);

#endif
