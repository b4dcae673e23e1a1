/*
 * The recording as a name in a folder: whose it is while it is written, and whether it still is.
 *
 * SQLite finds the WAL and its index by the file's name. Two recordings of one name would write
 * into each other's, so there is to be one writer to a name: it holds a lock, which ends with it.
 */
#ifndef HEAPLINE_COLLECTOR_RECORDING_FILE_H
#define HEAPLINE_COLLECTOR_RECORDING_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct recording_file {
    int descriptor; /* holds the lock; -1: none */
    dev_t device;   /* of the WAL; */
    ino_t wal;      /* 0: there is none */
};

/* Creates the file, mode 0600, so that no other user could place or read it. With `force` an
 * existing one is replaced, unless somebody writes it. What a writer that died has left beside it
 * is removed. False: `trouble` says why, and there is no new file. */
bool recording_file_create(struct recording_file *file, const char *path, bool force, char *trouble,
                           size_t size);

/* Remembers the WAL that stands beside it now. */
void recording_file_note_wal(struct recording_file *file, const char *path);

/* Is the file still where it was made? */
bool recording_file_is_in_place(const struct recording_file *file, const char *path);

/* Is what stands beside that name its own, and no other recording's of the same name? */
bool recording_file_owns_wal(const struct recording_file *file, const char *path);

/* What has become of a file that is not in its place, as the end of a sentence about it. */
void recording_file_describe_move(const struct recording_file *file, char *text, size_t size);

/* After SQLite has closed it: the kernel ends SQLite's locks with any close() of the file. */
void recording_file_close(struct recording_file *file);

/* A path's end, so that there is room for what is wrong with it. */
const char *recording_path_end(const char *path);

#endif
