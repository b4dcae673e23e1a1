/*
 * A module's DWARF: address → the functions that are inlined into one another there, with lines.
 *
 * Units are listed when the index is made; a unit's functions and lines are read when the first
 * address in it is asked for. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_DWARF_INDEX_H
#define HEAPLINE_COLLECTOR_DWARF_INDEX_H

#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>

#include "collector/symbols/native_symbol.h"

struct dwarf_index;

struct dwarf_call {
    const char *symbol; /* linkage name, mangled; null: none */
    const char *name;   /* as in the source; null: not known */
    const char *file;   /* null: not known */
    const char *folder; /* what a relative `file` is relative to; null: not known */
    bool lacks_scope;   /* `name` may lack namespaces and classes: C++ without a linkage name */
    uint32_t line;      /* in `file`: of the instruction, or of the call of the one further in */
};

/* Makes an index of `elf`, which must outlive it; `shared`, when not null, is its supplementary
 * file. Null when there is no debug information that can be used, or more than `most` bytes of
 * it. */
struct dwarf_index *dwarf_index_new(Elf *elf, Elf *shared, uint64_t most);
/* Accepts and returns null. */
struct dwarf_index *dwarf_index_free(struct dwarf_index *index);

/* Bytes of debug information that it keeps in memory. */
uint64_t dwarf_index_bytes(const struct dwarf_index *index);

/* The calls at an address, innermost first; the outermost is the function itself. Returns how many;
 * 0: not known. Texts live as long as the index. */
unsigned dwarf_index_find(struct dwarf_index *index, uint64_t address,
                          struct dwarf_call calls[NATIVE_CALLS_MAX]);

#endif
