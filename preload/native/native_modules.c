/*
 * A list of what has been announced. It is short: it is gone through only for addresses that are
 * new. When it is full a module may be announced again, which does no harm.
 *
 * The build-id stands in a note of the loaded image, to which the ELF header leads, at its begin.
 * What does not look like that has none.
 */
#include "preload/native/native_modules.h"

#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "preload/carrier/ring_writer.h"
#include "wire.h"

#define ANNOUNCED_MAX 512u
#define HEADERS_BYTES 4096u /* the first page, which is there */

static uintptr_t announced[ANNOUNCED_MAX]; /* where they begin */
static unsigned announced_count;
static _Atomic uint32_t announcements;
static char program[WIRE_MODULE_PATH_MAX + 1];

void native_modules_init(void)
{
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = 0;
}

static bool is_announced(uintptr_t start)
{
    for (unsigned i = 0; i < announced_count; i++)
        if (announced[i] == start)
            return true;
    return false;
}

/* --- build-ids --- */

struct bytes {
    const unsigned char *at;
    size_t count;
};

/* The program headers of a loaded image; null: they are not where they should be. */
static const ElfW(Phdr) * headers_of(const struct dl_find_object *object, unsigned *count)
{
    const unsigned char *image = object->dlfo_map_start;
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)(const void *)image;
    size_t bytes = (size_t)((const unsigned char *)object->dlfo_map_end - image);
    if (bytes < HEADERS_BYTES || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_phentsize != sizeof(ElfW(Phdr)) || header->e_phoff > HEADERS_BYTES ||
        header->e_phoff % _Alignof(ElfW(Phdr)) ||
        header->e_phnum > (HEADERS_BYTES - header->e_phoff) / sizeof(ElfW(Phdr)))
        return NULL;
    *count = header->e_phnum;
    return (const ElfW(Phdr) *)(const void *)(image + header->e_phoff);
}

/* Is the segment's content part of one that has been loaded and can be read? */
static bool is_readable(const ElfW(Phdr) * headers, unsigned count, const ElfW(Phdr) * segment)
{
    for (unsigned i = 0; i < count; i++) {
        const ElfW(Phdr) *load = &headers[i];
        if (load->p_type == PT_LOAD && (load->p_flags & PF_R) &&
            segment->p_vaddr >= load->p_vaddr && segment->p_filesz <= load->p_filesz &&
            segment->p_vaddr - load->p_vaddr <= load->p_filesz - segment->p_filesz)
            return true;
    }
    return false;
}

static size_t padded_size(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

/* The build-id among the notes of a segment. */
static struct bytes find_in_notes(const unsigned char *notes, size_t bytes)
{
    ElfW(Nhdr) note;
    for (size_t at = 0; at + sizeof note <= bytes;) {
        memcpy(&note, notes + at, sizeof note);
        size_t name = at + sizeof note;
        if (note.n_namesz > bytes - name || note.n_descsz > bytes)
            break;
        size_t content = name + padded_size(note.n_namesz);
        if (content + note.n_descsz > bytes)
            break;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
            note.n_descsz <= WIRE_MODULE_ID_MAX &&
            memcmp(notes + name, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0)
            return (struct bytes){notes + content, note.n_descsz};
        at = content + padded_size(note.n_descsz);
    }
    return (struct bytes){0};
}

static struct bytes build_id_of(const struct dl_find_object *object)
{
    struct bytes id = {0};
    unsigned count = 0;
    const ElfW(Phdr) *headers = headers_of(object, &count);
    for (unsigned i = 0; i < count && !id.count; i++)
        if (headers[i].p_type == PT_NOTE && is_readable(headers, count, &headers[i]))
            id = find_in_notes(
                (const unsigned char *)(object->dlfo_link_map->l_addr + headers[i].p_vaddr),
                headers[i].p_filesz);
    return id;
}

/* --- announcing --- */

/* Seven bytes of the path and the build-id behind it. */
static uint64_t text_word(struct bytes path, struct bytes id, size_t at)
{
    uint64_t word = 0;
    for (size_t i = 0; i < WIRE_BYTES_PER_WORD && at + i < path.count + id.count; i++) {
        size_t next = at + i;
        unsigned char byte = next < path.count ? path.at[next] : id.at[next - path.count];
        word |= (uint64_t)byte << 8 * i;
    }
    return word;
}

static struct bytes path_of(const struct dl_find_object *object)
{
    const char *path = object->dlfo_link_map->l_name;
    if (!path || !*path)
        path = program;
    return (struct bytes){(const unsigned char *)path, strnlen(path, WIRE_MODULE_PATH_MAX)};
}

static bool send_module(const struct dl_find_object *object)
{
    const struct bytes path = path_of(object), id = build_id_of(object);
    size_t length = path.count + id.count;
    unsigned words = (unsigned)(length + WIRE_BYTES_PER_WORD - 1) / WIRE_BYTES_PER_WORD;
    uint64_t position;
    if (!ring_reserve(4 + words, &position))
        return false;
    ring_put(position + 1, (uintptr_t)object->dlfo_map_start & WIRE_ADDRESS_MASK);
    ring_put(position + 2, (uintptr_t)object->dlfo_map_end & WIRE_ADDRESS_MASK);
    ring_put(position + 3, object->dlfo_link_map->l_addr & WIRE_ADDRESS_MASK);
    for (unsigned i = 0; i < words; i++)
        ring_put(position + 4 + i, text_word(path, id, (size_t)i * WIRE_BYTES_PER_WORD));
    ring_publish(position,
                 wire_first(WIRE_MODULE) | (uint64_t)id.count << WIRE_MODULE_ID_SHIFT | path.count);
    return true;
}

void native_module_announce(const struct dl_find_object *object)
{
    uintptr_t start = (uintptr_t)object->dlfo_map_start;
    if (is_announced(start) || !send_module(object))
        return;
    announced_count %= ANNOUNCED_MAX;
    announced[announced_count++] = start;
    atomic_fetch_add_explicit(&announcements, 1, memory_order_relaxed);
}

uint32_t native_modules_announcements(void)
{
    return atomic_load_explicit(&announcements, memory_order_relaxed);
}

void native_modules_go(void (*look)(uintptr_t start))
{
    for (unsigned i = 0; i < announced_count; i++)
        look(announced[i]);
}

void native_modules_forget(void)
{
    announced_count = 0;
}
