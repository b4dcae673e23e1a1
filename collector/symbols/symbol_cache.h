/*
 * Names that were found once, kept on disk for the next run: one file a module, by build-id.
 *
 * A file is taken for what it is only where its checksum, the module's build-id and size, and
 * heapline's version are right, and where it was made with debug information if there is some now.
 * Files are replaced as a whole; the oldest ones make room for new ones. Nothing here can fail but
 * by giving nothing. One thread; other processes may use the same folder.
 */
#ifndef HEAPLINE_COLLECTOR_SYMBOL_CACHE_H
#define HEAPLINE_COLLECTOR_SYMBOL_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/base/vector.h"
#include "collector/symbols/native_modules.h"
#include "collector/symbols/native_symbol.h"

#define SYMBOL_CACHE_PLACES_MAX 65536u /* in a file */
#define SYMBOL_CACHE_FILES_MAX  512u

/* The folder for this user, below XDG_CACHE_HOME or HOME; to be freed. Null: there is none. */
char *symbol_cache_folder(void);

/* Called with each point of a file; takes the symbol over. */
typedef void symbol_cache_taker(void *context, uint64_t offset, struct native_symbol *symbol);

/* Reads what is kept of a module. False: nothing that could be used. */
bool symbol_cache_read(const char *folder, const struct native_module *module, bool needs_dwarf,
                       symbol_cache_taker *take, void *context);

/* A file in the making. */
struct symbol_cache_writer {
    struct vector data;
    size_t bytes;
    uint32_t count;
};

/* False: no more points go into this file. */
bool symbol_cache_add(struct symbol_cache_writer *writer, uint64_t offset,
                      const struct native_symbol *symbol);
/* Writes the file and makes the writer empty. */
void symbol_cache_write(struct symbol_cache_writer *writer, const char *folder,
                        const struct native_module *module, bool has_dwarf);

#endif
