/*
 * Headers and a few small sections, read with libelf. It reads and does not map: a file that is
 * cut while it is read gives an error then, and no signal.
 */
#include "collector/symbols/elf_facts.h"

#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>

#define LINK_SECTION_BYTES_MAX 4096

bool build_id_is_same(const struct build_id *one, const struct build_id *other)
{
    return one->size == other->size && memcmp(one->bytes, other->bytes, one->size) == 0;
}

bool build_id_text(const struct build_id *id, char text[2 * BUILD_ID_BYTES_MAX + 1])
{
    text[0] = 0;
    for (unsigned i = 0; i < id->size; i++)
        snprintf(text + 2 * i, 3, "%02x", id->bytes[i]);
    return id->size;
}

static void set_build_id(struct build_id *id, const void *bytes, size_t size)
{
    if (size > BUILD_ID_BYTES_MAX)
        return;
    memcpy(id->bytes, bytes, size);
    id->size = (uint8_t)size;
}

static void read_build_id(Elf *elf, struct elf_facts *facts)
{
    const void *bytes;
    ssize_t size = dwelf_elf_gnu_build_id(elf, &bytes);
    if (size > 0)
        set_build_id(&facts->build_id, bytes, (size_t)size);
}

/* A section that begins with a file name. Copies it; returns what follows, *rest bytes of it. */
static const uint8_t *read_link(Elf_Scn *section, char *name, size_t size, size_t *rest)
{
    Elf_Data *data = elf_rawdata(section, NULL);
    if (!data || !data->d_buf || data->d_size > LINK_SECTION_BYTES_MAX)
        return NULL;
    size_t length = strnlen(data->d_buf, data->d_size);
    if (length == data->d_size || length >= size)
        return NULL;
    memcpy(name, data->d_buf, length + 1);
    *rest = data->d_size - length - 1;
    return (const uint8_t *)data->d_buf + length + 1;
}

/* The name is padded to four bytes; then comes the file's checksum. */
static void read_debug_link(Elf_Scn *section, struct elf_facts *facts)
{
    size_t rest;
    const uint8_t *tail = read_link(section, facts->debug_link, sizeof facts->debug_link, &rest);
    size_t padding = 3 - strlen(facts->debug_link) % 4;
    if (tail && rest >= padding + sizeof facts->debug_link_check)
        memcpy(&facts->debug_link_check, tail + padding, sizeof facts->debug_link_check);
    else
        facts->debug_link[0] = 0;
}

static void read_alternate_link(Elf_Scn *section, struct elf_facts *facts)
{
    size_t rest;
    const uint8_t *tail =
        read_link(section, facts->alternate_link, sizeof facts->alternate_link, &rest);
    if (tail)
        set_build_id(&facts->alternate_id, tail, rest);
}

static void read_sections(Elf *elf, struct elf_facts *facts)
{
    size_t names;
    GElf_Shdr header;
    if (elf_getshdrstrndx(elf, &names) != 0)
        return;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        const char *name =
            gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (!name || header.sh_type == SHT_NOBITS)
            continue;
        if (strcmp(name, ".debug_info") == 0)
            facts->has_dwarf = true;
        else if (strcmp(name, ".gnu_debuglink") == 0)
            read_debug_link(section, facts);
        else if (strcmp(name, ".gnu_debugaltlink") == 0)
            read_alternate_link(section, facts);
    }
}

bool elf_facts_read(int file, struct elf_facts *facts)
{
    GElf_Ehdr header;
    size_t segments;
    *facts = (struct elf_facts){0};
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(file, ELF_C_READ, NULL);
    /* Files that debug information is shared in are made as relocatable ones. */
    bool readable =
        elf && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &header) &&
        (header.e_type == ET_DYN || header.e_type == ET_EXEC || header.e_type == ET_REL) &&
        elf_getphdrnum(elf, &segments) == 0;
    if (readable) {
        read_build_id(elf, facts);
        read_sections(elf, facts);
    }
    elf_end(elf);
    return readable;
}
