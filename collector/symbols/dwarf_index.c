/*
 * Two tables of address ranges, sorted and searched the same way: units of the module, functions of
 * a unit. Within a function the entries that contain the address are followed inwards.
 *
 * What is read may be damaged or made to harm: entries are counted against a budget, so that no
 * loop or size in the file makes a look-up long; files that the debug information names are never
 * opened by libdw itself (split units are not followed, the supplementary file is given or the
 * index is not made).
 */
#include "collector/symbols/dwarf_index.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "collector/base/vector.h"

#define UNITS_MAX       (1u << 20)
#define RANGES_MAX      (1u << 23)
#define NESTING_MAX     64        /* of scopes */
#define ENTRIES_AT_MOST 4000000ll /* entries looked at for one unit's functions, or one address */

struct address_span {
    uint64_t start, end;
    uint64_t reach;  /* the highest end of this and all before */
    uint64_t number; /* unit, or the entry's offset */
};

struct span_table {
    struct vector spans; /* struct address_span */
    uint32_t count;
};

struct dwarf_unit {
    Dwarf_Off offset; /* of the unit's entry */
    bool is_read;
    struct span_table functions;
};

struct dwarf_index {
    Dwarf *dwarf, *shared;
    uint64_t bytes;
    struct vector units; /* struct dwarf_unit */
    uint32_t unit_count;
    struct span_table by_address;
};

static struct address_span *spans_of(const struct span_table *table)
{
    return table->spans.data;
}

/* --- tables of ranges ----------------------------------------------------------------------------
 */

/* Adds the entry's ranges. A range at 0 is that of code the linker has thrown away. */
static void add_spans(struct span_table *table, Dwarf_Die *entry, uint64_t number)
{
    Dwarf_Addr base, start, end;
    ptrdiff_t at = 0;
    while (table->count < RANGES_MAX && (at = dwarf_ranges(entry, at, &base, &start, &end)) > 0)
        if (start && start < end &&
            vector_reserve(&table->spans, table->count + 1, sizeof(struct address_span)))
            spans_of(table)[table->count++] =
                (struct address_span){.start = start, .end = end, .number = number};
}

static int compare_spans(const void *one, const void *other)
{
    const struct address_span *a = one, *b = other;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return a->end > b->end ? -1 : a->end < b->end;
}

static void sort_spans(struct span_table *table)
{
    struct address_span *spans = spans_of(table);
    uint64_t reach = 0;
    if (table->count)
        qsort(spans, table->count, sizeof *spans, compare_spans);
    for (uint32_t i = 0; i < table->count; i++) {
        reach = spans[i].end > reach ? spans[i].end : reach;
        spans[i].reach = reach;
    }
}

/* The range with the highest start that contains the address; null: none does. */
static const struct address_span *find_span(const struct span_table *table, uint64_t address)
{
    const struct address_span *spans = spans_of(table);
    uint32_t low = 0, high = table->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (spans[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    while (low-- > 0 && address < spans[low].reach)
        if (address < spans[low].end)
            return &spans[low];
    return NULL;
}

/* --- making --------------------------------------------------------------------------------------
 */

/* The size of the file's debug information once unpacked; UINT64_MAX: it is not to be read. */
static uint64_t debug_bytes(Elf *elf)
{
    size_t names;
    uint64_t sum = 0;
    GElf_Shdr header;
    GElf_Chdr packed;
    if (elf_getshdrstrndx(elf, &names) != 0)
        return UINT64_MAX;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        const char *name =
            gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (!name || strncmp(name, ".zdebug", 7) == 0)
            return UINT64_MAX;
        if (strncmp(name, ".debug", 6) != 0 || header.sh_type == SHT_NOBITS)
            continue;
        uint64_t size = header.sh_size;
        if (header.sh_flags & SHF_COMPRESSED)
            size = gelf_getchdr(section, &packed) ? packed.ch_size : UINT64_MAX;
        if (size > UINT64_MAX - 1 - sum)
            return UINT64_MAX;
        sum += size;
    }
    return sum;
}

/* The skeletons of split units have ranges and lines; what is in their other file stays unknown. */
static bool list_units(struct dwarf_index *index)
{
    Dwarf_Off at = 0, next;
    size_t header_bytes;
    for (; dwarf_nextcu(index->dwarf, at, &next, &header_bytes, NULL, NULL, NULL) == 0; at = next) {
        Dwarf_Die entry;
        if (next <= at || index->unit_count == UNITS_MAX)
            break;
        if (!dwarf_offdie(index->dwarf, at + header_bytes, &entry))
            continue;
        if (!vector_reserve(&index->units, index->unit_count + 1, sizeof(struct dwarf_unit)))
            return false;
        uint32_t number = index->unit_count++;
        ((struct dwarf_unit *)index->units.data)[number].offset = at + header_bytes;
        add_spans(&index->by_address, &entry, number);
    }
    sort_spans(&index->by_address);
    return true;
}

struct dwarf_index *dwarf_index_new(Elf *elf, Elf *shared, uint64_t most)
{
    uint64_t bytes = debug_bytes(elf);
    uint64_t shared_bytes = shared ? debug_bytes(shared) : 0;
    if (bytes == 0 || bytes > most || shared_bytes > most - bytes)
        return NULL;
    struct dwarf_index *index = calloc(1, sizeof *index);
    if (!index)
        return NULL;
    index->bytes = bytes + shared_bytes;
    index->dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
    index->shared = shared ? dwarf_begin_elf(shared, DWARF_C_READ, NULL) : NULL;
    if (!index->dwarf || (shared && !index->shared))
        return dwarf_index_free(index);
    if (shared)
        dwarf_setalt(index->dwarf, index->shared);
    if (!list_units(index) || !index->by_address.count)
        return dwarf_index_free(index); /* what has no address is damaged */
    return index;
}

struct dwarf_index *dwarf_index_free(struct dwarf_index *index)
{
    if (!index)
        return NULL;
    for (uint32_t i = 0; i < index->unit_count; i++)
        vector_deinit(&((struct dwarf_unit *)index->units.data)[i].functions.spans);
    vector_deinit(&index->units);
    vector_deinit(&index->by_address.spans);
    dwarf_end(index->dwarf);
    dwarf_end(index->shared);
    free(index);
    return NULL;
}

uint64_t dwarf_index_bytes(const struct dwarf_index *index)
{
    return index->bytes;
}

/* --- a unit's functions --------------------------------------------------------------------------
 */

/* May entries below this one be functions of their own? */
static bool holds_functions(int tag)
{
    return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
           tag == DW_TAG_structure_type || tag == DW_TAG_union_type ||
           tag == DW_TAG_enumeration_type;
}

static void list_functions(struct dwarf_unit *unit, Dwarf_Die *parent, unsigned nesting,
                           long long *budget)
{
    Dwarf_Die child;
    if (nesting == NESTING_MAX || dwarf_child(parent, &child) != 0)
        return;
    do {
        int tag = dwarf_tag(&child);
        if (tag == DW_TAG_subprogram)
            add_spans(&unit->functions, &child, dwarf_dieoffset(&child));
        else if (holds_functions(tag))
            list_functions(unit, &child, nesting + 1, budget);
    } while (--*budget > 0 && dwarf_siblingof(&child, &child) == 0);
}

static void read_unit(struct dwarf_unit *unit, Dwarf_Die *entry)
{
    long long budget = ENTRIES_AT_MOST;
    unit->is_read = true;
    list_functions(unit, entry, 0, &budget);
    sort_spans(&unit->functions);
}

/* --- a look-up -----------------------------------------------------------------------------------
 */

/* The entry below `parent` that the address is in: an inlined function, or a block. */
static bool find_inner(Dwarf_Die *parent, uint64_t address, Dwarf_Die *inner, long long *budget)
{
    if (dwarf_child(parent, inner) != 0)
        return false;
    do {
        int tag = dwarf_tag(inner);
        bool is_scope = tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
                        tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
        if (is_scope && dwarf_haspc(inner, address) > 0)
            return true;
    } while (--*budget > 0 && dwarf_siblingof(inner, inner) == 0);
    return false;
}

/* The function and what is inlined there, outermost first. Returns how many. */
static unsigned find_scopes(Dwarf_Die *function, uint64_t address,
                            Dwarf_Die scopes[NATIVE_CALLS_MAX])
{
    long long budget = ENTRIES_AT_MOST;
    unsigned count = 1;
    Dwarf_Die at = *function, inner;
    scopes[0] = *function;
    for (unsigned nesting = 0; nesting < 2 * NESTING_MAX && count < NATIVE_CALLS_MAX; nesting++) {
        if (!find_inner(&at, address, &inner, &budget))
            break;
        if (dwarf_tag(&inner) == DW_TAG_inlined_subroutine)
            scopes[count++] = inner;
        at = inner;
    }
    return count;
}

static const char *text_of(Dwarf_Die *entry, unsigned name)
{
    Dwarf_Attribute attribute;
    return dwarf_formstring(dwarf_attr_integrate(entry, name, &attribute));
}

static void set_names(struct dwarf_call *call, Dwarf_Die *function, bool is_cpp)
{
    call->name = text_of(function, DW_AT_name);
    call->symbol = text_of(function, DW_AT_linkage_name);
    if (!call->symbol)
        call->symbol = text_of(function, DW_AT_MIPS_linkage_name);
    call->lacks_scope = !call->symbol && is_cpp;
}

static uint32_t number_of(Dwarf_Die *entry, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value;
    return dwarf_formudata(dwarf_attr(entry, name, &attribute), &value) == 0 && value <= INT32_MAX
               ? (uint32_t)value
               : 0;
}

/* Where the instruction is. */
static void set_line(struct dwarf_call *call, Dwarf_Die *unit, uint64_t address)
{
    int line = 0;
    Dwarf_Line *row = dwarf_getsrc_die(unit, address);
    if (!row || dwarf_lineno(row, &line) != 0 || line <= 0)
        return;
    call->line = (uint32_t)line;
    call->file = dwarf_linesrc(row, NULL, NULL);
}

/* Where the inlined function `scope` is called. */
static void set_call_line(struct dwarf_call *call, Dwarf_Die *unit, Dwarf_Die *scope)
{
    Dwarf_Files *files;
    size_t count;
    uint32_t file = number_of(scope, DW_AT_call_file);
    call->line = number_of(scope, DW_AT_call_line);
    if (call->line && dwarf_getsrcfiles(unit, &files, &count) == 0 && file < count)
        call->file = dwarf_filesrc(files, file, NULL, NULL);
}

static bool is_cpp(Dwarf_Die *unit)
{
    int language = dwarf_srclang(unit);
    return language == DW_LANG_C_plus_plus || language == DW_LANG_C_plus_plus_03 ||
           language == DW_LANG_C_plus_plus_11 || language == DW_LANG_C_plus_plus_14;
}

unsigned dwarf_index_find(struct dwarf_index *index, uint64_t address,
                          struct dwarf_call calls[NATIVE_CALLS_MAX])
{
    Dwarf_Die entry, function, scopes[NATIVE_CALLS_MAX];
    const struct address_span *span = find_span(&index->by_address, address);
    struct dwarf_unit *unit = span ? (struct dwarf_unit *)index->units.data + span->number : NULL;
    if (!unit || !dwarf_offdie(index->dwarf, unit->offset, &entry))
        return 0;
    if (!unit->is_read)
        read_unit(unit, &entry);
    span = find_span(&unit->functions, address);
    unsigned count = span && dwarf_offdie(index->dwarf, span->number, &function)
                         ? find_scopes(&function, address, scopes)
                         : 0;
    memset(calls, 0, sizeof *calls * (count ? count : 1));
    set_line(&calls[0], &entry, address);
    bool scoped = is_cpp(&entry);
    const char *folder = calls[0].folder = text_of(&entry, DW_AT_comp_dir);
    for (unsigned i = 0; i < count; i++) {
        set_names(&calls[i], &scopes[count - 1 - i], scoped);
        calls[i].folder = folder;
        if (i > 0)
            set_call_line(&calls[i], &entry, &scopes[count - i]);
    }
    return count ? count : calls[0].line ? 1 : 0;
}
