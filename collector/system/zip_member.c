/*
 * Reading archives as CPython's zipimport does: the end record stands within the last 64 KiB, the
 * central directory right before it, and what its offsets are counted from follows from the two, so
 * that an archive may stand behind a program. Python does not import from archives of more than
 * 4 GiB; they are not read here either.
 *
 * Sizes are checked against what was asked for before anything is allocated, and a member must be
 * what its checksum says.
 */
#include "collector/system/zip_member.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define END_BYTES       22u
#define END_SIGNATURE   0x06054b50u
#define ENTRY_BYTES     46u
#define ENTRY_SIGNATURE 0x02014b50u
#define LOCAL_BYTES     30u
#define LOCAL_SIGNATURE 0x04034b50u
#define COMMENT_MAX     65535u
/* No longer directory is read: it is that of a hundred thousand members. */
#define DIRECTORY_MAX (16u << 20)

enum method {
    METHOD_STORED = 0,
    METHOD_DEFLATED = 8,
};

static uint32_t read_number(const uint8_t *at, unsigned bytes)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint32_t)at[i] << 8 * i;
    return value;
}

struct directory {
    uint8_t *entries;
    size_t bytes;
    off_t start; /* of the archive in the file */
};

struct member {
    unsigned method;
    uint32_t checksum, packed, plain;
    off_t header;
};

/* Null when the file has not so much there. */
static uint8_t *read_part(int file, off_t at, size_t bytes)
{
    uint8_t *part = malloc(bytes + 1);
    if (part && pread(file, part, bytes, at) == (ssize_t)bytes)
        return part;
    free(part);
    return NULL;
}

/* Where the end record stands in the file's last part; null: nowhere. */
static const uint8_t *find_end(const uint8_t *tail, size_t bytes)
{
    for (size_t at = bytes - END_BYTES + 1; at-- > 0;)
        if (read_number(tail + at, 4) == END_SIGNATURE &&
            at + END_BYTES + read_number(tail + at + 20, 2) == bytes)
            return tail + at;
    return NULL;
}

static bool read_directory(int file, struct directory *directory)
{
    struct stat status;
    if (fstat(file, &status) != 0 || status.st_size < (off_t)END_BYTES)
        return false;
    size_t tail_bytes = END_BYTES + COMMENT_MAX;
    if ((off_t)tail_bytes > status.st_size)
        tail_bytes = (size_t)status.st_size;
    off_t tail_at = status.st_size - (off_t)tail_bytes;
    uint8_t *tail = read_part(file, tail_at, tail_bytes);
    const uint8_t *end = tail ? find_end(tail, tail_bytes) : NULL;
    if (end) {
        off_t end_at = tail_at + (end - tail);
        directory->bytes = read_number(end + 12, 4);
        directory->start = end_at - (off_t)directory->bytes - (off_t)read_number(end + 16, 4);
        if (directory->start >= 0 && directory->bytes <= DIRECTORY_MAX)
            directory->entries =
                read_part(file, end_at - (off_t)directory->bytes, directory->bytes);
    }
    free(tail);
    return directory->entries;
}

static bool find_member(const struct directory *directory, const char *name, struct member *member)
{
    size_t length = strlen(name);
    for (size_t at = 0, next; at + ENTRY_BYTES <= directory->bytes; at = next) {
        const uint8_t *entry = directory->entries + at;
        size_t name_bytes = read_number(entry + 28, 2);
        next =
            at + ENTRY_BYTES + name_bytes + read_number(entry + 30, 2) + read_number(entry + 32, 2);
        if (read_number(entry, 4) != ENTRY_SIGNATURE || next > directory->bytes)
            return false;
        if (name_bytes != length || memcmp(entry + ENTRY_BYTES, name, length) != 0)
            continue;
        *member = (struct member){
            .method = read_number(entry + 10, 2),
            .checksum = read_number(entry + 16, 4),
            .packed = read_number(entry + 20, 4),
            .plain = read_number(entry + 24, 4),
            .header = directory->start + (off_t)read_number(entry + 42, 4),
        };
        return true;
    }
    return false;
}

/* `plain` has room for one byte more than the member's plain size. */
static bool unpack_member(const struct member *member, uint8_t *packed, uint8_t *plain)
{
    if (member->method == METHOD_STORED) {
        memcpy(plain, packed, member->plain); /* the sizes are the same */
        return true;
    }
    z_stream stream = {.next_in = packed,
                       .avail_in = member->packed,
                       .next_out = plain,
                       .avail_out = member->plain + 1};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return false;
    int result = inflate(&stream, Z_FINISH);
    uLong made = stream.total_out;
    inflateEnd(&stream);
    return result == Z_STREAM_END && made == member->plain;
}

static char *read_member(int file, const struct member *member)
{
    uint8_t *header = read_part(file, member->header, LOCAL_BYTES), *packed = NULL;
    uint8_t *plain = malloc((size_t)member->plain + 1);
    if (header && read_number(header, 4) == LOCAL_SIGNATURE) {
        off_t skipped =
            (off_t)LOCAL_BYTES + read_number(header + 26, 2) + read_number(header + 28, 2);
        packed = read_part(file, member->header + skipped, member->packed);
    }
    bool good = plain && packed && unpack_member(member, packed, plain) &&
                crc32(0, plain, member->plain) == member->checksum;
    free(header);
    free(packed);
    if (good) {
        plain[member->plain] = 0;
        return (char *)plain;
    }
    free(plain);
    return NULL;
}

char *zip_member_read(int file, const char *name, size_t most, size_t *bytes)
{
    struct directory directory = {0};
    struct member member;
    char *text = NULL;
    if (read_directory(file, &directory) && find_member(&directory, name, &member) &&
        (member.method == METHOD_STORED ? member.packed == member.plain
                                        : member.method == METHOD_DEFLATED) &&
        member.plain <= most && member.packed <= most)
        text = read_member(file, &member);
    free(directory.entries);
    *bytes = text ? member.plain : 0;
    return text;
}
