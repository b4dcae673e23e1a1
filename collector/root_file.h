/*
 * Reading files as a traced process sees them.
 *
 * Paths come from that process: they are opened without blocking, inside its own root, and only
 * regular files of modest size are read.
 */
#ifndef HEAPLINE_COLLECTOR_ROOT_FILE_H
#define HEAPLINE_COLLECTOR_ROOT_FILE_H

#include <dirent.h>
#include <stddef.h>

/* In place of a root folder's descriptor. */
#define ROOT_HOST (-1) /* our own root */
#define ROOT_NONE (-2) /* the process's files are not to be had */

/* The text of the regular file `path` as seen from the folder `root`, NUL-terminated; *bytes is its
 * size. To be freed. Null when it cannot be read, is no regular file or longer than `most`. Never
 * blocks on a device or a FIFO. */
char *root_file_read(int root, const char *path, size_t most, size_t *bytes);

/* A folder, for closedir(); null when it cannot be read. */
DIR *root_folder_open(int root, const char *path);

#endif
