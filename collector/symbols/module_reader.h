/*
 * The symbols of one module, from its open files. DWARF goes first, in its own file or a separate
 * one; the symbol table is asked where DWARF knows no function. No name is guessed from a
 * neighbour.
 *
 * A file that was made to harm can make the libraries below read where they must not: this runs in
 * a process of its own (symbol_process.h). One thread.
 */
#ifndef HEAPLINE_COLLECTOR_MODULE_READER_H
#define HEAPLINE_COLLECTOR_MODULE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/symbols/native_symbol.h"

/* Debug information of more bytes, unpacked, is not read. */
#define MODULE_DEBUG_BYTES_MAX ((uint64_t)1 << 30)

struct module_files {
    int own, debug, shared; /* debug_file.h; -1: there is none */
};

enum module_depth {
    MODULE_WITH_DOWNLOAD, /* debug information that is not here is asked of DEBUGINFOD_URLS */
    MODULE_WITH_DWARF,
    MODULE_WITH_TABLE, /* the symbol table alone */
    MODULE_UNREADABLE,
};

struct module_reader;

/* Takes over the descriptors. Null when memory is short; they are closed then, too. */
struct module_reader *module_reader_new(const struct module_files *files, enum module_depth depth);
/* Accepts and returns null. */
struct module_reader *module_reader_free(struct module_reader *reader);

/* Gives back what was read; a later question reads it again. */
void module_reader_release(struct module_reader *reader);
/* Bytes of debug information that it keeps in memory. */
uint64_t module_reader_bytes(const struct module_reader *reader);
/* Has debug information been found, as far as was looked? */
bool module_reader_has_dwarf(const struct module_reader *reader);

/* What is at an address of the module's own tables; null when memory is short. The first question
 * opens the debug information, the first to a unit reads its functions and lines. */
struct native_symbol *module_reader_find(struct module_reader *reader, uint64_t address);

#endif
