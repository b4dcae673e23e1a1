/*
 * Files are opened at the first question, the symbol table is read when it is first needed.
 */
#include "collector/symbols/module_reader.h"

#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/symbols/debug_file.h"
#include "collector/symbols/demangle.h"
#include "collector/symbols/dwarf_index.h"
#include "collector/symbols/symbol_table.h"

struct module_reader {
    struct module_files files;
    enum module_depth depth;
    Elf *own, *debug, *shared;
    struct dwarf_index *dwarf; /* null: none */
    struct symbol_table table;
    bool is_open, has_table; /* has the table been read? */
};

static void close_file(int file)
{
    if (file >= 0)
        close(file);
}

static void close_files(const struct module_files *files)
{
    close_file(files->own);
    close_file(files->debug);
    close_file(files->shared);
}

struct module_reader *module_reader_new(const struct module_files *files, enum module_depth depth)
{
    struct module_reader *reader = calloc(1, sizeof *reader);
    elf_version(EV_CURRENT);
    if (reader) {
        reader->files = *files;
        reader->depth = depth;
    } else {
        close_files(files);
    }
    return reader;
}

void module_reader_release(struct module_reader *reader)
{
    reader->dwarf = dwarf_index_free(reader->dwarf);
    symbol_table_deinit(&reader->table);
    elf_end(reader->own);
    elf_end(reader->debug);
    elf_end(reader->shared);
    reader->own = reader->debug = reader->shared = NULL;
    reader->is_open = reader->has_table = false;
}

struct module_reader *module_reader_free(struct module_reader *reader)
{
    if (reader) {
        module_reader_release(reader);
        close_files(&reader->files);
    }
    free(reader);
    return NULL;
}

uint64_t module_reader_bytes(const struct module_reader *reader)
{
    return reader->dwarf ? dwarf_index_bytes(reader->dwarf) : 0;
}

bool module_reader_has_dwarf(const struct module_reader *reader)
{
    return reader->dwarf;
}

/* --- opening -------------------------------------------------------------------------------------
 */

/* Where there is no debug information yet. */
static void download_debug(struct module_reader *reader)
{
    struct elf_facts facts;
    struct debug_files found = {.own = -1, .shared = -1};
    if (reader->files.debug >= 0 || !elf_facts_read(reader->files.own, &facts) || facts.has_dwarf)
        return;
    debug_files_download(&facts, &found);
    reader->files.debug = found.own;
    reader->files.shared = found.shared;
    if (found.is_unusable)
        reader->depth = MODULE_WITH_TABLE;
}

static Elf *begin_elf(int file)
{
    return file < 0 ? NULL : elf_begin(file, ELF_C_READ, NULL);
}

static void open_files(struct module_reader *reader)
{
    if (reader->is_open)
        return;
    reader->is_open = true;
    if (reader->depth == MODULE_WITH_DOWNLOAD)
        download_debug(reader);
    reader->own = begin_elf(reader->files.own);
    reader->debug = begin_elf(reader->files.debug);
    reader->shared = begin_elf(reader->files.shared);
    Elf *elf = reader->debug ? reader->debug : reader->own;
    if (elf && reader->depth <= MODULE_WITH_DWARF)
        reader->dwarf = dwarf_index_new(elf, reader->shared, MODULE_DEBUG_BYTES_MAX);
}

/* --- the symbol table
 * ----------------------------------------------------------------------------- */

static const char *find_in_table(struct module_reader *reader, uint64_t address)
{
    struct symbol_table *table = &reader->table;
    if (!reader->has_table && !(reader->own && symbol_table_read(table, reader->own, SHT_SYMTAB)) &&
        !(reader->debug && symbol_table_read(table, reader->debug, SHT_SYMTAB)) && reader->own)
        symbol_table_read(table, reader->own, SHT_DYNSYM);
    reader->has_table = true;
    return symbol_table_find(table, address);
}

/* --- names ---------------------------------------------------------------------------------------
 */

/* What is left of a symbol without its version and what compilers add to the name of a part. */
static size_t plain_length(const char *symbol)
{
    static const char *const endings[] = {".cold",      ".constprop.", ".isra.",
                                          ".lto_priv.", ".llvm.",      ".part."};
    size_t length = strcspn(symbol, "@");
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const char *at = strstr(symbol, endings[i]);
        if (at && at > symbol && (size_t)(at - symbol) < length)
            length = (size_t)(at - symbol);
    }
    return length;
}

static char *whole_text(const char *bytes)
{
    return bytes && *bytes ? native_text(bytes, strlen(bytes)) : NULL;
}

/* The name that a symbol stands for; null when it is not mangled. */
static char *demangled_text(const char *symbol)
{
    char *name = symbol ? demangle(symbol) : NULL;
    char *text = whole_text(name);
    free(name);
    return text;
}

static char *symbol_text(const char *symbol)
{
    char *text = demangled_text(symbol);
    return text ? text : native_text(symbol, plain_length(symbol));
}

static char *file_text(const struct dwarf_call *found)
{
    char *path, *text;
    if (!found->file || *found->file == '/' || !found->folder)
        return whole_text(found->file);
    if (asprintf(&path, "%s/%s", found->folder, found->file) < 0)
        return NULL;
    text = whole_text(path);
    free(path);
    return text;
}

static void set_call(struct native_call *call, const struct dwarf_call *found)
{
    call->function = demangled_text(found->symbol);
    if (!call->function)
        call->function = whole_text(found->name ? found->name : found->symbol);
    call->file = file_text(found);
    call->line = found->line;
}

/* Is `name` what `scoped` has behind its scopes? */
static bool is_last_part(const char *scoped, const char *name)
{
    size_t length = strlen(name), all = strlen(scoped);
    return all > length + 2 && strcmp(scoped + all - length, name) == 0 &&
           strncmp(scoped + all - length - 2, "::", 2) == 0;
}

/* The function itself by the symbol table: where DWARF has no name, or has it without scopes. */
static void set_function(struct native_call *call, bool lacks_scope, const char *symbol)
{
    char *text = symbol ? symbol_text(symbol) : NULL;
    if (text && (!call->function || (lacks_scope && is_last_part(text, call->function)))) {
        free(call->function);
        call->function = text;
    } else {
        free(text);
    }
}

struct native_symbol *module_reader_find(struct module_reader *reader, uint64_t address)
{
    struct dwarf_call calls[NATIVE_CALLS_MAX];
    open_files(reader);
    unsigned count = reader->dwarf ? dwarf_index_find(reader->dwarf, address, calls) : 0;
    struct native_symbol *symbol = native_symbol_new(count);
    if (!symbol)
        return NULL;
    for (unsigned i = 0; i < count; i++)
        set_call(&symbol->calls[i], &calls[i]);
    struct native_call *outermost = &symbol->calls[symbol->count - 1];
    bool lacks_scope = count && calls[count - 1].lacks_scope;
    if (!outermost->function || lacks_scope)
        set_function(outermost, lacks_scope, find_in_table(reader, address));
    return symbol;
}
