/*
 * The object that has an address is the first in the debugger's lists that has it in a section of
 * code: makers put new ones in front, and memory for code is used again. In an object that is
 * meant to be linked values of symbols are offsets in their sections, in others addresses.
 *
 * Objects are the program's, and so may be anything: all that is read is copied, from within the
 * bounds that the entry gives, and what does not fit has no name.
 */
#include "preload/native/made_code.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

#include "preload/base/memory.h"
#include "preload/base/memory_copy.h"
#include "preload/carrier/ring_writer.h"
#include "preload/native/debugger_lists.h"
#include "wire.h"

#define SECTIONS_MAX     1024u
#define SYMBOLS_AT_ONCE  2048u
#define FRAMES           ".eh_frame"
#define SECTIONS_AT_ONCE 64u

/* What is looked for, and found. */
struct search {
    uintptr_t address;
    struct debugger_entry entry;
    ElfW(Ehdr) header;
    ElfW(Shdr) section; /* that has the address; of size 0: none has */
    uint32_t section_number;
    ElfW(Shdr) symbols, names;
    uintptr_t start, end; /* of the function; 0: not known */
    uint32_t name;        /* among the names */
};

/* Mapped when the first is needed. */
static struct buffers {
    ElfW(Sym) symbols[SYMBOLS_AT_ONCE];
    ElfW(Shdr) sections[SECTIONS_AT_ONCE];
    char name[WIRE_MADE_NAME_MAX];
    size_t name_length;
} * buffers;

static bool has_told;

/* --- objects --- */

static bool read_object(const struct search *search, void *to, uint64_t offset, size_t bytes)
{
    const struct debugger_entry *entry = &search->entry;
    return bytes <= entry->bytes && offset <= entry->bytes - bytes &&
           memory_copy(to, entry->object + offset, bytes);
}

static bool is_in(const ElfW(Shdr) * section, uintptr_t address)
{
    return section->sh_addr && address - section->sh_addr < section->sh_size;
}

static bool read_header(struct search *search)
{
    const ElfW(Ehdr) *header = &search->header;
    return read_object(search, &search->header, 0, sizeof *header) &&
           memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_machine == EM_X86_64 &&
           header->e_shentsize == sizeof(ElfW(Shdr)) && header->e_shnum <= SECTIONS_MAX;
}

static void note_section(struct search *search, uint32_t number, const ElfW(Shdr) * section)
{
    if ((section->sh_flags & SHF_EXECINSTR) && is_in(section, search->address)) {
        search->section = *section;
        search->section_number = number;
    } else if (section->sh_type == SHT_SYMTAB && section->sh_entsize == sizeof(ElfW(Sym))) {
        search->symbols = *section;
    }
}

static bool find_section(struct search *search)
{
    uint32_t count = search->header.e_shnum;
    for (uint32_t at = 0; at < count; at += SECTIONS_AT_ONCE) {
        uint32_t some = count - at < SECTIONS_AT_ONCE ? count - at : SECTIONS_AT_ONCE;
        if (!read_object(search, buffers->sections,
                         search->header.e_shoff + at * sizeof(ElfW(Shdr)),
                         some * sizeof(ElfW(Shdr))))
            return false;
        for (uint32_t i = 0; i < some; i++)
            note_section(search, at + i, &buffers->sections[i]);
    }
    return search->section.sh_size != 0;
}

static bool has_address(const struct debugger_entry *entry, void *context)
{
    struct search *search = context;
    search->entry = *entry;
    search->section.sh_size = search->symbols.sh_size = 0;
    return read_header(search) && find_section(search);
}

/* --- sections by name --- */

static bool read_section(const struct search *search, uint32_t number, ElfW(Shdr) * section)
{
    const ElfW(Ehdr) *header = &search->header;
    return number < header->e_shnum &&
           read_object(search, section, header->e_shoff + (uint64_t)number * sizeof *section,
                       sizeof *section);
}

/* Where the section of frames has been loaded to. */
static struct frame_section find_frames(const struct search *search)
{
    ElfW(Shdr) names, section;
    char name[sizeof FRAMES];
    if (!read_section(search, search->header.e_shstrndx, &names))
        return (struct frame_section){0};
    for (uint32_t i = 0; i < search->header.e_shnum && read_section(search, i, &section); i++)
        if (section.sh_addr && section.sh_size &&
            read_object(search, name, names.sh_offset + section.sh_name, sizeof name) &&
            memcmp(name, FRAMES, sizeof FRAMES) == 0)
            return (struct frame_section){section.sh_addr, section.sh_size};
    return (struct frame_section){0};
}

/* --- symbols --- */

static void note_symbol(struct search *search, const ElfW(Sym) * symbol)
{
    bool is_offset = search->header.e_type == ET_REL;
    uintptr_t start = symbol->st_value + (is_offset ? search->section.sh_addr : 0);
    bool is_here = ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
                   (!is_offset || symbol->st_shndx == search->section_number) &&
                   is_in(&search->section, start);
    if (!is_here || start > search->address || start < search->start)
        return;
    uintptr_t last = search->section.sh_addr + search->section.sh_size;
    uintptr_t end = symbol->st_size ? start + symbol->st_size : last;
    search->start = start;
    search->end = end > last || end < start ? last : end;
    search->name = symbol->st_name;
}

/* The function that begins last of those before the address. */
static void find_function(struct search *search)
{
    uint64_t count = search->symbols.sh_size / sizeof(ElfW(Sym));
    for (uint64_t at = 0; at < count; at += SYMBOLS_AT_ONCE) {
        size_t some = count - at < SYMBOLS_AT_ONCE ? count - at : SYMBOLS_AT_ONCE;
        if (!read_object(search, buffers->symbols,
                         search->symbols.sh_offset + at * sizeof(ElfW(Sym)),
                         some * sizeof(ElfW(Sym))))
            return;
        for (size_t i = 0; i < some; i++)
            note_symbol(search, &buffers->symbols[i]);
    }
}

static void read_name(struct search *search)
{
    ElfW(Shdr) *names = &search->names;
    if (search->address >= search->end || !read_section(search, search->symbols.sh_link, names) ||
        names->sh_size > search->entry.bytes ||
        names->sh_offset > search->entry.bytes - names->sh_size || search->name >= names->sh_size)
        return;
    uint64_t left = names->sh_size - search->name;
    buffers->name_length =
        memory_copy_text(buffers->name, search->entry.object + names->sh_offset + search->name,
                         left < sizeof buffers->name ? left : sizeof buffers->name);
}

/* --- telling --- */

static uint64_t name_word(size_t at)
{
    uint64_t word = 0;
    for (size_t i = 0; i < WIRE_BYTES_PER_WORD && at + i < buffers->name_length; i++)
        word |= (uint64_t)(unsigned char)buffers->name[at + i] << 8 * i;
    return word;
}

static void send_range(uintptr_t start, uintptr_t end)
{
    unsigned words =
        (unsigned)(buffers->name_length + WIRE_BYTES_PER_WORD - 1) / WIRE_BYTES_PER_WORD;
    uint64_t position;
    if (!ring_reserve(3 + words, &position))
        return;
    ring_put(position + 1, start & WIRE_ADDRESS_MASK);
    ring_put(position + 2, end & WIRE_ADDRESS_MASK);
    for (unsigned i = 0; i < words; i++)
        ring_put(position + 3 + i, name_word((size_t)i * WIRE_BYTES_PER_WORD));
    ring_publish(position, wire_first(WIRE_MARK) |
                               (uint64_t)WIRE_MARK_MADE_CODE << WIRE_MARK_SHIFT |
                               buffers->name_length);
    has_told = true;
}

static bool find_object(struct search *search)
{
    if (!buffers)
        buffers = memory_map(sizeof *buffers);
    debugger_lists_renew();
    if (buffers)
        debugger_lists_go(has_address, search);
    return buffers && search->section.sh_size;
}

void made_code_announce(uintptr_t address)
{
    struct search search = {.address = address};
    bool is_found = find_object(&search);
    if (!buffers)
        return;
    buffers->name_length = 0;
    if (is_found) {
        find_function(&search);
        read_name(&search);
    }
    if (buffers->name_length)
        send_range(search.start, search.end);
    else if (has_told)
        send_range(address, address + 1);
}

struct frame_section made_code_frames(uintptr_t address)
{
    struct search search = {.address = address};
    return find_object(&search) ? find_frames(&search) : (struct frame_section){0};
}
