/*
 * Decoding CPython's line tables (Objects/lnotab_notes.txt, InternalDocs/code_objects.md).
 *
 * Input comes from a traced process and may be anything: every byte read lies in the table, every
 * table ends, and lines out of range become LINE_NONE.
 */
#ifndef HEAPLINE_COLLECTOR_LINE_TABLE_H
#define HEAPLINE_COLLECTOR_LINE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

#define LINE_NONE 0

/* Code units that a table is taken to describe at most: as many as an instruction can name. */
#define LINE_UNITS_MAX WIRE_INSTRUCTION_NONE

/* How many code units the table describes. co_lnotab does not say where the code ends: there it is
 * the last unit that begins a line, plus one, and units beyond have that unit's line. */
uint32_t line_table_units(enum wire_line_table kind, const uint8_t *table, size_t bytes);

/* Fills lines[0..units) with the line of each code unit. */
void line_table_decode(enum wire_line_table kind, const uint8_t *table, size_t bytes,
                       int32_t first_line, int32_t *lines, uint32_t units);

#endif
