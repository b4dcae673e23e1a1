/*
 * A file is a header and a zstd frame of packed symbols, each behind its offset as a varint.
 */
#include "collector/symbols/symbol_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "collector/system/root_file.h"
#include "varint.h"

#define MAGIC          "HLNAMES1"
#define DATA_BYTES_MAX ((size_t)32 << 20)
#define FILE_BYTES_MAX ((size_t)16 << 20)
#define START_IDENTITY 17
#define START_CHECK    19

struct cache_header {
    char magic[8];
    uint64_t identity, check; /* of the module; of the data */
    uint64_t bytes;           /* unpacked */
    uint32_t count;
    uint32_t has_dwarf;
};

static uint64_t mix_number(uint64_t number)
{
    number ^= number >> 32;
    number *= UINT64_C(0xd6e8feb86659fd93);
    number ^= number >> 32;
    number *= UINT64_C(0xd6e8feb86659fd93);
    return number ^ number >> 32;
}

/* The same in every run, where tables have secrets (hash.h): what is read here was written by the
 * own user, and only damage is to be found. */
static uint64_t hash_fixed(uint64_t start, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    uint64_t hash = mix_number(start ^ bytes), word;
    for (; bytes >= sizeof word; bytes -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = mix_number(hash ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    word = 0;
    memcpy(&word, at, bytes);
    return mix_number(hash ^ word);
}

char *symbol_cache_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *folder = NULL;
    bool is_named = cache && *cache == '/';
    if (!is_named && (!home || *home != '/'))
        return NULL;
    if (asprintf(&folder, "%s%s/heapline/symbols", is_named ? cache : home,
                 is_named ? "" : "/.cache") < 0)
        return NULL;
    return folder;
}

static uint64_t identity_of(const struct native_module *module)
{
    const struct build_id *id = &module->facts.build_id;
    uint64_t hash = hash_fixed(START_IDENTITY, HEAPLINE_VERSION, strlen(HEAPLINE_VERSION));
    hash = hash_fixed(hash, id->bytes, id->size);
    return hash_fixed(hash, &module->size, sizeof module->size);
}

/* FOLDER/BUILDID with an ending; null when the module has no build-id. */
static char *path_of(const char *folder, const struct native_module *module, const char *ending)
{
    const struct build_id *id = &module->facts.build_id;
    char name[2 * BUILD_ID_BYTES_MAX + 1], *path;
    if (id->size < 8)
        return NULL;
    build_id_text(id, name);
    return asprintf(&path, "%s/%s%s", folder, name, ending) < 0 ? NULL : path;
}

/* --- reading -------------------------------------------------------------------------------------
 */

/* The data of a file, when it is what it should be. To be freed. */
static uint8_t *unpack_answers(const uint8_t *file, size_t bytes,
                               const struct native_module *module, bool needs_dwarf,
                               struct cache_header *header)
{
    if (bytes < sizeof *header)
        return NULL;
    memcpy(header, file, sizeof *header);
    if (memcmp(header->magic, MAGIC, sizeof header->magic) != 0 ||
        header->identity != identity_of(module) || header->bytes > DATA_BYTES_MAX ||
        header->count > SYMBOL_CACHE_PLACES_MAX || (needs_dwarf && !header->has_dwarf))
        return NULL;
    uint8_t *data = malloc(header->bytes + 1);
    if (data &&
        ZSTD_decompress(data, header->bytes, file + sizeof *header, bytes - sizeof *header) ==
            header->bytes &&
        hash_fixed(START_CHECK, data, header->bytes) == header->check)
        return data;
    free(data);
    return NULL;
}

static void take_all(const uint8_t *at, const struct cache_header *header, symbol_cache_taker *take,
                     void *context)
{
    const uint8_t *end = at + header->bytes;
    uint64_t offset;
    for (uint32_t i = 0; i < header->count && varint_get(&at, end, &offset); i++) {
        struct native_symbol *symbol = native_symbol_unpack(&at, end);
        if (!symbol)
            break;
        take(context, offset, symbol);
    }
}

bool symbol_cache_read(const char *folder, const struct native_module *module, bool needs_dwarf,
                       symbol_cache_taker *take, void *context)
{
    struct cache_header header;
    size_t bytes = 0;
    char *path = path_of(folder, module, "");
    char *file = path ? root_file_read(root_own(), path, FILE_BYTES_MAX, &bytes) : NULL;
    uint8_t *data =
        file ? unpack_answers((const uint8_t *)file, bytes, module, needs_dwarf, &header) : NULL;
    bool is_sound = data != NULL;
    if (is_sound)
        take_all(data, &header, take, context);
    free(data);
    free(file);
    free(path);
    return is_sound;
}

/* --- writing -------------------------------------------------------------------------------------
 */

bool symbol_cache_add(struct symbol_cache_writer *writer, uint64_t offset,
                      const struct native_symbol *symbol)
{
    size_t most = writer->bytes + VARINT_BYTES_MAX + NATIVE_SYMBOL_BYTES_MAX;
    if (writer->count == SYMBOL_CACHE_PLACES_MAX || most > DATA_BYTES_MAX ||
        !vector_reserve(&writer->data, most, 1))
        return false;
    uint8_t *data = writer->data.data;
    uint8_t *end = varint_put(data + writer->bytes, offset);
    writer->bytes = (size_t)(native_symbol_pack(end, symbol) - data);
    writer->count++;
    return true;
}

/* Makes the folder and those it is in, for their owner alone. */
static void make_folder(const char *folder)
{
    char *path = strdup(folder);
    for (char *at = path; at && (at = strchr(at + 1, '/')); *at = '/') {
        *at = 0;
        mkdir(path, 0700);
    }
    free(path);
    mkdir(folder, 0700);
}

/* Removes the oldest file when there are too many. */
static void drop_oldest(const char *folder)
{
    struct stat status;
    struct timespec oldest_time = {0};
    char oldest[256] = "";
    unsigned count = 0;
    DIR *stream = opendir(folder);
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        if (fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(status.st_mode))
            continue;
        bool is_older = status.st_mtim.tv_sec < oldest_time.tv_sec ||
                        (status.st_mtim.tv_sec == oldest_time.tv_sec &&
                         status.st_mtim.tv_nsec < oldest_time.tv_nsec);
        if (count++ == 0 || is_older) {
            oldest_time = status.st_mtim;
            snprintf(oldest, sizeof oldest, "%s", entry->d_name);
        }
    }
    if (count > SYMBOL_CACHE_FILES_MAX)
        unlinkat(dirfd(stream), oldest, 0);
    if (stream)
        closedir(stream);
}

static bool write_whole(const char *path, const void *data, size_t bytes)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool whole = file >= 0 && write(file, data, bytes) == (ssize_t)bytes;
    if (file >= 0 && close(file) != 0)
        whole = false;
    return whole;
}

static void replace_file(const char *folder, const struct native_module *module, const void *data,
                         size_t bytes)
{
    char ending[32];
    snprintf(ending, sizeof ending, ".%d", (int)getpid());
    char *path = path_of(folder, module, ""), *temporary = path_of(folder, module, ending);
    if (path && temporary) {
        make_folder(folder);
        if (!write_whole(temporary, data, bytes) || rename(temporary, path) != 0)
            unlink(temporary);
        drop_oldest(folder);
    }
    free(temporary);
    free(path);
}

void symbol_cache_write(struct symbol_cache_writer *writer, const char *folder,
                        const struct native_module *module, bool has_dwarf)
{
    const uint8_t *data = writer->data.data;
    struct cache_header header = {.identity = identity_of(module),
                                  .check = hash_fixed(START_CHECK, data, writer->bytes),
                                  .bytes = writer->bytes,
                                  .count = writer->count,
                                  .has_dwarf = has_dwarf};
    memcpy(header.magic, MAGIC, sizeof header.magic);
    size_t room = ZSTD_compressBound(writer->bytes);
    uint8_t *file = malloc(sizeof header + room);
    size_t packed = file ? ZSTD_compress(file + sizeof header, room, data, writer->bytes, 1) : 0;
    if (file && !ZSTD_isError(packed) && sizeof header + packed <= FILE_BYTES_MAX) {
        memcpy(file, &header, sizeof header);
        replace_file(folder, module, file, sizeof header + packed);
    }
    free(file);
    vector_deinit(&writer->data);
    *writer = (struct symbol_cache_writer){0};
}
