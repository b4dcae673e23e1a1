/*
 * Reading files as a traced process sees them.
 *
 * Paths come from that process: they are resolved inside its own root, and only regular files of
 * modest size are opened. A device or a FIFO is not, for opening one may do something.
 */
#ifndef HEAPLINE_COLLECTOR_ROOT_FILE_H
#define HEAPLINE_COLLECTOR_ROOT_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* In place of a root folder's descriptor: the process's files are not to be had. */
#define ROOT_NONE (-1)

/* Is there anything of that absolute path, as seen from the folder `root`? */
bool root_file_exists(int root, const char *path);

/* The collector's own root, ROOT_NONE when it cannot be had. Never for a path that a process has
 * named. */
int root_own(void);

/* Is it the collector's own root? */
bool root_is_own(int root);

/* From now on files in the root with this descriptor are opened only if `user` owns them or all may
 * read them, where the collector is root; 0: whatever they are. False: no memory. */
bool root_set_reader(int root, uid_t user);

/* Opens the regular file `path`, as seen from the folder `root`, for reading; the caller closes it.
 * -1 when there is none. */
int root_file_open(int root, const char *path, struct stat *status);

/* The same for a link of /proc that stands for a process's open or mapped file. */
int root_file_open_link(const char *link, struct stat *status);

/* The text of the regular file `path` as seen from the folder `root`, NUL-terminated; *bytes is its
 * size. To be freed. Null when it cannot be read, is no regular file or longer than `most`. */
char *root_file_read(int root, const char *path, size_t most, size_t *bytes);

/* A folder, for closedir(); null when it cannot be read. */
DIR *root_folder_open(int root, const char *path);

#endif
