/*
 * The separate files that hold a module's debug information: the module's own one, and the one that
 * several of those share parts in (DWARF supplementary file).
 *
 * A file is taken only when its build-id (without one, its checksum) is what the module says. It is
 * looked for as the traced process sees it, then as we do.
 */
#ifndef HEAPLINE_COLLECTOR_DEBUG_FILE_H
#define HEAPLINE_COLLECTOR_DEBUG_FILE_H

#include <stdbool.h>

#include "collector/symbols/elf_facts.h"

struct debug_files {
    int own;          /* -1: the module's own file has all there is */
    int shared;       /* -1: there is none, or none is needed */
    bool is_unusable; /* the debug information lacks its shared part */
    const char *note; /* why there is less than there could be; null: nothing is missing */
};

/* Looks for the files of the module `path` in the folder `root` (root_file.h), whose facts are
 * `facts`. The descriptors are the caller's. */
void debug_files_find(int root, const char *path, const struct elf_facts *facts,
                      struct debug_files *files);
/* Why no server can be asked, in words; null when they can. Forks. */
const char *debug_files_download_trouble(void);
/* Asks the servers in DEBUGINFOD_URLS for a file that was not found, for as long as that takes. */
void debug_files_download(const struct elf_facts *facts, struct debug_files *files);
void debug_files_close(struct debug_files *files);

#endif
