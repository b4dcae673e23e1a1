/*
 * Reading the source files of a traced process.
 */
#ifndef HEAPLINE_COLLECTOR_SOURCE_H
#define HEAPLINE_COLLECTOR_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* No longer file is stored. */
#define SOURCE_BYTES_MAX ((size_t)8 << 20)
/* Nor any when the run has so much: what programs are made of is a tenth of it. */
#define SOURCE_BYTES_ALL_MAX (UINT64_C(1) << 30)

/* The text of the regular file `path` as seen from the folder `root` (root_file.h), or of the
 * member of a ZIP archive that such a path leads into; *bytes is its size. To be freed, null as
 * below. */
char *source_read_plain(int root, const char *path, size_t *bytes);

/* What a file must not be newer than. */
struct source_date {
    struct timespec latest;
    bool is_seen; /* it is when its code was there: what has another file's place since then, with
                   * a date of its own, is newer too; and a date that is still to come says nothing,
                   * for the clock was set */
};

/* The same, compressed with zstd; *bytes is its plain size. To be freed. Null when it cannot be
 * read, is no regular file, too long, or newer than `date`. Never blocks on a device or a FIFO. */
void *source_read(int root, const char *path, const struct source_date *date, size_t *packed_bytes,
                  size_t *bytes);

/* Is there a file that is newer than `date`? */
bool source_is_newer(int root, const char *path, const struct source_date *date);

/* The plain text of `bytes` bytes of what source_read() has packed; to be freed, null when that is
 * not what it is. */
char *source_unpack(const void *packed, size_t packed_bytes, size_t bytes);

/* As source_read() packs it; null when memory is short. */
void *source_pack(const char *text, size_t bytes, size_t *packed_bytes);

#endif
