/*
 * Reads the tables module, file, code, location and thread into arrays indexed by id.
 *
 * Ids are given out one after the other by the collector, so that the arrays have few gaps. A
 * damaged id could ask for any amount of memory; ids above ID_MAX are refused. What refers to
 * something that is not there is damage as well.
 */
#include "viewer/recording/symbols.h"

#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/recording/table_rows.h"

/* 16 million lines of code were allocating: no program has that. */
#define ID_MAX (UINT32_C(1) << 24)

/* An array that grows to hold an id, with zeros in the gaps. */
struct table {
    void *rows;
    size_t row_bytes;
    size_t count;
    size_t capacity;
};

static void *table_at(struct table *table, uint32_t id)
{
    if (id >= table->capacity) {
        size_t capacity = (size_t)id + id / 2 + 64;
        char *rows = memory_new(capacity, table->row_bytes);
        if (table->count)
            memcpy(rows, table->rows, table->count * table->row_bytes);
        free(table->rows);
        table->rows = rows;
        table->capacity = capacity;
    }
    if (id >= table->count)
        table->count = (size_t)id + 1;
    return (char *)table->rows + id * table->row_bytes;
}

/* Fills one row of a table from one of the database, whose first column is its id. Returns what is
 * wrong with it, or NULL. */
typedef const char *fill_row(struct symbols *symbols, const void *stored, void *row);

/* A whole table of the recording's, with what older ones have in its place. On return, also after a
 * failure, `table` holds what was read. */
static bool table_load(struct table *table, struct symbols *symbols, struct database *database,
                       enum store_table_number number, const char *from, fill_row *fill)
{
    CLEANUP(table_rows_deinit) struct table_rows rows;
    if (!table_rows_init(&rows, database, number, from, "ORDER BY id"))
        return false;
    CLEANUP(cleanup_free) char *stored = memory_new(1, rows.table->row_bytes);
    enum rows_step step;
    while ((step = table_rows_next(&rows, stored)) == ROWS_ROW) {
        uint32_t id = *(const uint32_t *)stored;
        if (id > ID_MAX || id < table->count)
            return database_damaged(database, "numbers out of order");
        const char *wrong = fill(symbols, stored, table_at(table, id));
        if (wrong)
            return database_damaged(database, "%s", wrong);
    }
    return step == ROWS_END;
}

static char *copy_if_any(const char *text)
{
    return text ? memory_copy(text) : NULL;
}

static const char *fill_module(struct symbols *symbols, const void *stored, void *row)
{
    const struct store_module *module = stored;
    (void)symbols;
    *(struct module *)row = (struct module){
        memory_copy(module->path), copy_if_any(module->build_id), copy_if_any(module->note)};
    return NULL;
}

static const char *fill_file(struct symbols *symbols, const void *stored, void *row)
{
    const struct store_file *file = stored;
    *(struct file *)row =
        (struct file){memory_copy(file->path), memory_copy(file->package), file->module};
    bool has = file->module < symbols->module_count && symbols->modules[file->module].path;
    return has || !file->module ? NULL : "a file of no module";
}

static const char *fill_code(struct symbols *symbols, const void *stored, void *row)
{
    const struct store_code *code = stored;
    *(struct code *)row = (struct code){memory_copy(code->name), code->file};
    bool has = code->file < symbols->file_count && symbols->files[code->file].path;
    return has ? NULL : "a function of no file";
}

static const char *fill_frame(struct symbols *symbols, const void *stored, void *row)
{
    const struct store_location *location = stored;
    if (location->code >= symbols->code_count || !symbols->codes[location->code].name)
        return "a line of no function";
    const struct code *code = &symbols->codes[location->code];
    const struct file *file = &symbols->files[code->file];
    *(struct frame *)row = (struct frame){
        .file = file->path,
        .package = file->package,
        .function = code->name,
        .module = file->module ? &symbols->modules[file->module] : NULL,
        .line = location->line,
        .file_id = code->file,
    };
    return NULL;
}

static const char *fill_thread(struct symbols *symbols, const void *stored, void *row)
{
    const struct store_thread *thread = stored;
    (void)symbols;
    *(struct thread *)row =
        (struct thread){memory_copy(thread->name), thread->tid, thread->process};
    return NULL;
}

static bool load_modules(struct symbols *symbols, struct database *database)
{
    struct table table = {.row_bytes = sizeof(struct module)};
    bool good = database->format < STORE_FORMAT_MODULES ||
                table_load(&table, symbols, database, STORE_TABLE_MODULE, NULL, fill_module);
    symbols->modules = table.rows;
    symbols->module_count = table.count;
    return good;
}

static bool load_files(struct symbols *symbols, struct database *database)
{
    struct table table = {.row_bytes = sizeof(struct file)};
    const char *from = database->format < STORE_FORMAT_MODULES
                           ? "(SELECT id, path, package, NULL AS module FROM file)"
                           : NULL;
    bool good = table_load(&table, symbols, database, STORE_TABLE_FILE, from, fill_file);
    symbols->files = table.rows;
    symbols->file_count = table.count;
    return good;
}

static bool load_codes(struct symbols *symbols, struct database *database)
{
    struct table table = {.row_bytes = sizeof(struct code)};
    bool good = table_load(&table, symbols, database, STORE_TABLE_CODE, NULL, fill_code);
    symbols->codes = table.rows;
    symbols->code_count = table.count;
    return good;
}

static bool load_frames(struct symbols *symbols, struct database *database)
{
    struct table table = {.row_bytes = sizeof(struct frame)};
    table_at(&table, 0);
    bool good = table_load(&table, symbols, database, STORE_TABLE_LOCATION, NULL, fill_frame);
    symbols->frames = table.rows;
    symbols->frame_count = table.count;
    return good;
}

static bool load_threads(struct symbols *symbols, struct database *database)
{
    struct table table = {.row_bytes = sizeof(struct thread)};
    bool good = table_load(&table, symbols, database, STORE_TABLE_THREAD, NULL, fill_thread);
    symbols->threads = table.rows;
    symbols->thread_count = table.count;
    return good;
}

bool symbols_init(struct symbols *symbols, struct database *database)
{
    return load_modules(symbols, database) && load_files(symbols, database) &&
           load_codes(symbols, database) && load_frames(symbols, database) &&
           load_threads(symbols, database);
}

void symbols_deinit(struct symbols *symbols)
{
    for (size_t i = 0; i < symbols->module_count; i++) {
        free(symbols->modules[i].path);
        free(symbols->modules[i].build_id);
        free(symbols->modules[i].note);
    }
    for (size_t i = 0; i < symbols->file_count; i++) {
        free(symbols->files[i].path);
        free(symbols->files[i].package);
    }
    for (size_t i = 0; i < symbols->code_count; i++)
        free(symbols->codes[i].name);
    for (size_t i = 0; i < symbols->thread_count; i++)
        free(symbols->threads[i].name);
    free(symbols->modules);
    free(symbols->files);
    free(symbols->codes);
    free(symbols->frames);
    free(symbols->threads);
}

bool frame_is_of(const struct frame *frame, const char *package)
{
    return frame->package && !strcmp(frame->package, package);
}

bool frame_is_platform(const struct frame *frame)
{
    return frame_is_of(frame, "stdlib") || frame_is_of(frame, "system");
}

bool frame_is_offset(const struct frame *frame)
{
    static const char sign[] = "+0x";
    if (!frame->module)
        return false;
    const char *slash = strrchr(frame->module->path, '/');
    const char *name = slash ? slash + 1 : frame->module->path;
    size_t length = strlen(name), sign_length = strlen(sign);
    if (strncmp(frame->function, name, length) != 0 ||
        strncmp(frame->function + length, sign, sign_length) != 0)
        return false;
    const char *offset = frame->function + length + sign_length;
    return *offset && !offset[strspn(offset, "0123456789abcdef")];
}
