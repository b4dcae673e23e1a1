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

/* Fills one row of a table from one of the database. */
typedef bool read_row(struct symbols *symbols, struct rows *rows, void *row);

/* Reads a whole table. On return, also after a failure, `table` holds what was read. */
static bool table_load(struct table *table, struct symbols *symbols, struct database *database,
                       const char *query, read_row *read)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, database, query))
        return false;
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW) {
        uint32_t id;
        if (!rows_index(&rows, 0, &id))
            return false;
        if (id > ID_MAX || id < table->count)
            return database_damaged(database, "numbers out of order");
        if (!read(symbols, &rows, table_at(table, id)))
            return false;
    }
    return step == ROWS_END;
}

static bool read_optional_text(struct rows *rows, int column, char **text)
{
    return rows_is_null(rows, column) || rows_text(rows, column, text);
}

static bool read_module(struct symbols *symbols, struct rows *rows, void *row)
{
    (void)symbols;
    struct module *module = row;
    return rows_text(rows, 1, &module->path) && read_optional_text(rows, 2, &module->build_id) &&
           read_optional_text(rows, 3, &module->note);
}

static bool read_file(struct symbols *symbols, struct rows *rows, void *row)
{
    struct file *file = row;
    if (!rows_text(rows, 1, &file->path) || !rows_text(rows, 2, &file->package))
        return false;
    if (rows_is_null(rows, 3))
        return true;
    if (!rows_index(rows, 3, &file->module))
        return false;
    if (file->module >= symbols->module_count || !symbols->modules[file->module].path)
        return database_damaged(rows->database, "a file of no module");
    return true;
}

static bool read_code(struct symbols *symbols, struct rows *rows, void *row)
{
    struct code *code = row;
    if (!rows_text(rows, 1, &code->name) || !rows_index(rows, 2, &code->file))
        return false;
    if (code->file >= symbols->file_count || !symbols->files[code->file].path)
        return database_damaged(rows->database, "a function of no file");
    return true;
}

static bool read_frame(struct symbols *symbols, struct rows *rows, void *row)
{
    struct frame *frame = row;
    uint32_t code;
    int64_t line;
    if (!rows_index(rows, 1, &code) || !rows_whole(rows, 2, INT32_MIN, INT32_MAX, &line))
        return false;
    if (code >= symbols->code_count || !symbols->codes[code].name)
        return database_damaged(rows->database, "a line of no function");
    const struct file *file = &symbols->files[symbols->codes[code].file];
    *frame = (struct frame){
        .file = file->path,
        .package = file->package,
        .function = symbols->codes[code].name,
        .module = file->module ? &symbols->modules[file->module] : NULL,
        .line = (int32_t)line,
        .file_id = symbols->codes[code].file,
    };
    return true;
}

static bool read_thread(struct symbols *symbols, struct rows *rows, void *row)
{
    (void)symbols;
    struct thread *thread = row;
    return rows_index(rows, 2, &thread->process) &&
           rows_whole(rows, 3, 0, INT32_MAX, &thread->tid) && rows_text(rows, 1, &thread->name);
}

static bool load_modules(struct symbols *symbols, struct database *database)
{
    struct table table = {.row_bytes = sizeof(struct module)};
    bool good = database->format < STORE_FORMAT_MODULES ||
                table_load(&table, symbols, database,
                           "SELECT id, path, build_id, note FROM module ORDER BY id", read_module);
    symbols->modules = table.rows;
    symbols->module_count = table.count;
    return good;
}

static bool load_files(struct symbols *symbols, struct database *database)
{
    struct table table = {.row_bytes = sizeof(struct file)};
    const char *query = database->format < STORE_FORMAT_MODULES
                            ? "SELECT id, path, package, NULL FROM file ORDER BY id"
                            : "SELECT id, path, package, module FROM file ORDER BY id";
    bool good = table_load(&table, symbols, database, query, read_file);
    symbols->files = table.rows;
    symbols->file_count = table.count;
    return good;
}

static bool load_codes(struct symbols *symbols, struct database *database)
{
    struct table table = {.row_bytes = sizeof(struct code)};
    bool good = table_load(&table, symbols, database, "SELECT id, name, file FROM code ORDER BY id",
                           read_code);
    symbols->codes = table.rows;
    symbols->code_count = table.count;
    return good;
}

static bool load_frames(struct symbols *symbols, struct database *database)
{
    struct table table = {.row_bytes = sizeof(struct frame)};
    table_at(&table, 0);
    bool good = table_load(&table, symbols, database,
                           "SELECT id, code, line FROM location ORDER BY id", read_frame);
    symbols->frames = table.rows;
    symbols->frame_count = table.count;
    return good;
}

static bool load_threads(struct symbols *symbols, struct database *database)
{
    struct table table = {.row_bytes = sizeof(struct thread)};
    bool good = table_load(&table, symbols, database,
                           "SELECT id, name, process, tid FROM thread ORDER BY id", read_thread);
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
