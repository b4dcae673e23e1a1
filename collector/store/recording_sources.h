/*
 * The texts of source files in the recording: kept when a file is first named, and only as long as
 * they can be what the file's codes were made of. A file without one may have a text that its
 * process had in memory. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_RECORDING_SOURCES_H
#define HEAPLINE_COLLECTOR_RECORDING_SOURCES_H

#include "collector/base/vector.h"
#include "collector/python/codes.h"
#include "collector/store/recording_database.h"
#include "collector/symbols/native_modules.h"

/* Zeroed memory has none. */
struct recording_sources {
    uint64_t bytes;       /* kept */
    uint32_t left_out;    /* files whose text there was no room for */
    struct vector states; /* uint8_t (enum source_state), by the file's number */
};

void recording_sources_deinit(struct recording_sources *sources);

/* These are parts of a transaction. Keeps the text of the file with this number, if it has one;
 * `module`: that of native code, else null. */
bool recording_sources_keep(struct recording_sources *sources, struct recording_database *database,
                            const struct code_file *file, const struct native_module *module,
                            uint32_t number);

/* Looks whether the codes from number `first` on can be of the texts that are kept, takes over what
 * processes have told, and forgets what is refuted. */
bool recording_sources_check(struct recording_sources *sources, struct recording_database *database,
                             struct codes *codes, uint32_t first);

#endif
