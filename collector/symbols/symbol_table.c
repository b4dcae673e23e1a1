/*
 * Sorted by start, and of several at one address the one that is to be shown last: global before
 * weak before local, and what has the shorter name. Functions may lie in one another, so a few that
 * begin before the address are looked at.
 */
#include "collector/symbols/symbol_table.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOLS_MAX (1u << 23)
#define LOOK_BACK   32

struct table_symbol {
    uint64_t start, end;
    const char *name;
    uint32_t rank;
    uint32_t length; /* of the name */
};

static struct table_symbol *symbols_of(const struct symbol_table *table)
{
    return table->symbols.data;
}

static uint32_t rank_of(unsigned binding)
{
    return binding == STB_GLOBAL ? 2 : binding == STB_WEAK ? 1 : 0;
}

static int compare_symbols(const void *one, const void *other)
{
    const struct table_symbol *a = one, *b = other;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->length != b->length)
        return a->length > b->length ? -1 : 1;
    return strcmp(b->name, a->name);
}

static void add_symbol(struct symbol_table *table, Elf *elf, size_t names, const GElf_Sym *symbol)
{
    unsigned type = GELF_ST_TYPE(symbol->st_info);
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol->st_shndx == SHN_UNDEF ||
        symbol->st_size == 0 || symbol->st_value + symbol->st_size < symbol->st_value)
        return;
    const char *name = elf_strptr(elf, names, symbol->st_name);
    if (!name || !*name || table->count == SYMBOLS_MAX ||
        !vector_reserve(&table->symbols, table->count + 1, sizeof(struct table_symbol)))
        return;
    symbols_of(table)[table->count++] =
        (struct table_symbol){symbol->st_value, symbol->st_value + symbol->st_size, name,
                              rank_of(GELF_ST_BIND(symbol->st_info)), (uint32_t)strlen(name)};
}

static void read_section(struct symbol_table *table, Elf *elf, Elf_Scn *section, size_t names)
{
    GElf_Sym symbol;
    Elf_Data *data = elf_getdata(section, NULL);
    size_t size = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
    size_t count = data && size ? data->d_size / size : 0;
    for (size_t i = 0; i < count && i < SYMBOLS_MAX; i++)
        if (gelf_getsym(data, (int)i, &symbol))
            add_symbol(table, elf, names, &symbol);
}

uint32_t symbol_table_read(struct symbol_table *table, Elf *elf, uint32_t type)
{
    GElf_Shdr header;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));)
        if (gelf_getshdr(section, &header) && header.sh_type == type)
            read_section(table, elf, section, header.sh_link);
    if (table->count)
        qsort(symbols_of(table), table->count, sizeof(struct table_symbol), compare_symbols);
    return table->count;
}

void symbol_table_deinit(struct symbol_table *table)
{
    vector_deinit(&table->symbols);
    table->count = 0;
}

const char *symbol_table_find(const struct symbol_table *table, uint64_t address)
{
    const struct table_symbol *symbols = symbols_of(table);
    uint32_t low = 0, high = table->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (symbols[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    for (uint32_t back = 0; back < LOOK_BACK && low > 0; back++)
        if (address < symbols[--low].end)
            return symbols[low].name;
    return NULL;
}
