/*
 * Source text, compressed.
 */
#include "collector/python/source.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "collector/system/root_file.h"
#include "collector/system/zip_member.h"

/* In so many folders of an archive a member is looked for. */
#define ARCHIVE_FOLDERS_MAX 32u

void *source_pack(const char *text, size_t bytes, size_t *packed_bytes)
{
    size_t room = ZSTD_compressBound(bytes);
    void *packed = malloc(room);
    *packed_bytes = packed ? ZSTD_compress(packed, room, text, bytes, 1) : 0;
    if (packed && !ZSTD_isError(*packed_bytes))
        return packed;
    free(packed);
    return NULL;
}

char *source_unpack(const void *packed, size_t packed_bytes, size_t bytes)
{
    char *text = packed ? malloc(bytes + 1) : NULL;
    if (text && ZSTD_decompress(text, bytes, packed, packed_bytes) == bytes)
        return text;
    free(text);
    return NULL;
}

/* A path that goes on behind that of a regular file is a member of the archive that it is. */
static char *read_from_archive(int root, const char *path, size_t *bytes)
{
    char *archive = strdup(path), *text = NULL, *slash;
    for (unsigned i = 0; archive && i < ARCHIVE_FOLDERS_MAX && !text; i++) {
        if (!(slash = strrchr(archive, '/')) || slash == archive)
            break;
        *slash = 0;
        struct stat status;
        int file = root_file_open(root, archive, &status);
        if (file < 0)
            continue;
        text = zip_member_read(file, path + (slash - archive) + 1, SOURCE_BYTES_MAX, bytes);
        close(file);
        break;
    }
    free(archive);
    return text;
}

char *source_read_plain(int root, const char *path, size_t *bytes)
{
    char *text = root_file_read(root, path, SOURCE_BYTES_MAX, bytes);
    return text || root_file_exists(root, path) ? text : read_from_archive(root, path, bytes);
}

static bool is_before(const struct timespec *one, const struct timespec *other)
{
    return one->tv_sec < other->tv_sec ||
           (one->tv_sec == other->tv_sec && one->tv_nsec < other->tv_nsec);
}

/* Is it later, and not still to come, as where the clock was set? */
static bool is_past(const struct timespec *time, const struct timespec *latest)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return is_before(latest, time) && !is_before(&now, time);
}

bool source_is_newer(int root, const char *path, const struct source_date *date)
{
    struct stat status;
    int file = root_file_open(root, path, &status);
    if (file < 0)
        return false;
    close(file);
    if (!date->is_seen)
        return is_before(&date->latest, &status.st_mtim);
    return is_past(&status.st_mtim, &date->latest) || is_past(&status.st_ctim, &date->latest);
}

void *source_read(int root, const char *path, const struct source_date *date, size_t *packed_bytes,
                  size_t *bytes)
{
    char *text = source_read_plain(root, path, bytes);
    bool is_its = text && !source_is_newer(root, path, date);
    void *packed = is_its ? source_pack(text, *bytes, packed_bytes) : NULL;
    free(text);
    return packed;
}
