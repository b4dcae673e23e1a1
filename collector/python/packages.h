/*
 * Which package a source file or a file of native code belongs to.
 *
 *   NAME       below site-packages or dist-packages: the name of the distribution whose metadata
 *              lists the file's top-level module or package there; that one's own name without any
 *   stdlib     frozen modules and what lies in a lib/pythonX.Y folder; of native code the
 *              interpreter itself too, and its library
 *   system     native code in /lib, /usr/lib or /usr/local/lib, and what the kernel maps
 *   program    everything else
 *
 * What a folder's metadata says is read once and remembered. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_PACKAGES_H
#define HEAPLINE_COLLECTOR_PACKAGES_H

#include <stdbool.h>
#include <stddef.h>

struct package_folder;

struct packages {
    struct package_folder *folders;
    size_t count;
    size_t bytes_read; /* of metadata */
};

void packages_deinit(struct packages *packages);

/* The package of the file `path`, as seen from `root` (see root_file.h). To be freed; null when
 * memory is short. */
char *packages_find(struct packages *packages, int root, const char *path);

/* The same for a program or library that was mapped as code. */
char *packages_find_native(struct packages *packages, int root, const char *path);

#endif
