/*
 * The section is a row of entries, each with its length in front (LSB core, "Exception frames"):
 * those of functions refer to one that says in which encoding addresses stand. It is the program's
 * memory: what is read is copied, and an entry that makes no sense ends the search.
 */
#include "preload/native/frame_search.h"

#include <stddef.h>
#include <string.h>

#include "preload/base/memory_copy.h"

#define ENTRIES_MAX       65536u
#define LONG_ENTRY        UINT32_MAX /* in place of a length: 64 bits of it follow, which nobody needs */
#define COMMON_BYTES      64u
#define ENCODING_RELATIVE 0x10u /* to where the value stands */
#define ENCODING_OMITTED  0xffu

struct bytes {
    const unsigned char *at, *end;
};

static uint64_t skip_number(struct bytes *bytes)
{
    uint64_t value = 0;
    for (unsigned shift = 0; bytes->at < bytes->end; shift += 7) {
        unsigned char byte = *bytes->at++;
        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (!(byte & 0x80))
            break;
    }
    return value;
}

/* The bytes of a value in an encoding; 0: it is none that compilers use here. */
static size_t size_of(unsigned encoding)
{
    switch (encoding & 0x0f) {
    case 0x00: /* an address */
    case 0x04: /* eight bytes, without and */
    case 0x0c: /* with a sign */
        return 8;
    case 0x03:
    case 0x0b:
        return 4;
    default:
        return 0;
    }
}

/* In which encoding the entries that refer to this one have their addresses; ENCODING_OMITTED: it
 * cannot be read. */
static unsigned read_encoding(const unsigned char *common, size_t size)
{
    struct bytes bytes = {common + 9, common + size}; /* behind length, mark and version */
    const unsigned char *letters = bytes.at, *end = memchr(letters, 0, size - 9);
    if (!end)
        return ENCODING_OMITTED;
    bytes.at = end + 1;
    for (unsigned i = 0; i < 3; i++) /* alignments, and the register of return addresses */
        skip_number(&bytes);
    if (*letters != 'z')
        return 0;
    skip_number(&bytes);
    for (letters++; *letters && *letters != 'R' && bytes.at < bytes.end; letters++)
        bytes.at += *letters == 'P' ? 1 + size_of(*bytes.at) : *letters == 'L';
    return *letters && bytes.at < bytes.end ? *bytes.at : *letters ? ENCODING_OMITTED : 0;
}

static uintptr_t read_value(const unsigned char *bytes, size_t size, bool is_signed)
{
    uint64_t value = 0;
    memcpy(&value, bytes, size);
    return is_signed && size == 4 ? (uintptr_t)(int64_t)(int32_t)value : value;
}

/* Reads a function's entry; `common` is where the one is that it refers to. */
static bool read_entry(uintptr_t at, uintptr_t common, struct frame_entry *entry)
{
    unsigned char text[COMMON_BYTES] = {0}, values[16];
    if (!memory_copy(text, common, sizeof text) && !memory_copy(text, common, sizeof text / 2))
        return false;
    unsigned encoding = read_encoding(text, sizeof text);
    size_t size = encoding == ENCODING_OMITTED ? 0 : size_of(encoding);
    if (!size || (encoding & 0x70 & ~ENCODING_RELATIVE) || !memory_copy(values, at + 8, 2 * size))
        return false;
    entry->at = at;
    entry->start =
        read_value(values, size, encoding & 0x08) + (encoding & ENCODING_RELATIVE ? at + 8 : 0);
    entry->end = entry->start + read_value(values + size, size, false);
    return true;
}

bool frame_search(const struct frame_section *section, uintptr_t address, struct frame_entry *found)
{
    uintptr_t at = section->at, end = section->at + section->bytes;
    struct {
        uint32_t length, back; /* to the entry that it refers to; 0: it is such a one */
    } head;
    for (unsigned i = 0; i < ENTRIES_MAX && end - at >= sizeof head; i++) {
        if (!memory_copy(&head, at, sizeof head) || head.length < sizeof head.back ||
            head.length == LONG_ENTRY || head.length > end - at - sizeof head.length)
            return false;
        if (head.back && (head.back > at + sizeof head.length - section->at ||
                          !read_entry(at, at + sizeof head.length - head.back, found)))
            return false;
        if (head.back && address >= found->start && address < found->end)
            return true;
        at += sizeof head.length + head.length;
    }
    return false;
}
