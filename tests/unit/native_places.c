/*
 * The offset is that of the file's own program headers.
 */
#include "native_places.h"

#include <gelf.h>

/* The address in the file's own tables of what stands at `position` in it. */
static bool code_address(int file, uint64_t position, uint64_t *address)
{
    bool is_found = false;
    size_t count;
    GElf_Phdr header;
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(file, ELF_C_READ, NULL);
    if (!elf || elf_getphdrnum(elf, &count) != 0)
        count = 0;
    for (size_t i = 0; !is_found && i < count; i++)
        if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_LOAD &&
            (header.p_flags & PF_X) && position - header.p_offset < header.p_filesz) {
            *address = position - header.p_offset + header.p_vaddr;
            is_found = true;
        }
    elf_end(elf);
    return is_found;
}

bool native_place_offset(const struct native_module *module, uint64_t start, uint64_t position,
                         uint64_t address, uint64_t *offset)
{
    uint64_t within = address - start;
    switch (module->kind) {
    case NATIVE_MODULE_FILE:
        return code_address(module->file, within + position, offset);
    case NATIVE_MODULE_RAW:
        *offset = within + position;
        return true;
    case NATIVE_MODULE_VDSO:
        *offset = within;
        return true;
    default:
        *offset = address;
        return true;
    }
}

const struct native_symbol *native_place_symbol(struct native_symbols *symbols,
                                                struct native_point place)
{
    bool more = native_symbols_ask(symbols, place);
    while (more && !native_symbols_get(symbols, place))
        more = native_symbols_work(symbols, -1);
    return native_symbols_get(symbols, place);
}
