/*
 * The reader of recordings against files that somebody has changed: whatever stands in the rows and
 * chunks of a small sound recording, each command says something of it or refuses it.
 *
 * The first byte chooses the recording (tests/fuzz/recordings), the second the command, the rest
 * are changes: of a number, a text, a packed chunk (unpacked, changed and packed again, as no
 * mutation would survive its checksum), a row, or of bytes of the file itself.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"
#include "failing.h"
#include "input.h"
#include "packing.h"
#include "viewer/commands/commands.h"

#define BASES           2u
#define COLUMNS_MAX     400u
#define PLAIN_BYTES_MAX (4u << 20)
#define COMMAND_WORDS   9
#define FILE_WORD       "FILE"
#define STATEMENT_BYTES 600
#define FILE_BYTES_MAX  (8u << 20)

/* A column of a table, and how to tell its rows apart. */
struct column {
    char table[40], name[40], key[120];
};

static struct {
    uint8_t *data[BASES];
    size_t size[BASES];
    struct column columns[COLUMNS_MAX];
    unsigned column_count;
    int file; /* what a changed recording is written to, */
    char path[64];
    struct packer packer;
    struct unpacker unpacker;
} fuzz;

static const struct call {
    const struct subcommand *command;
    const char *words[COMMAND_WORDS];
} calls[] = {
    {&command_report, {"-n", "0", FILE_WORD}},
    {&command_report, {"--json", "--at", "50%", FILE_WORD}},
    {&command_report, {"--csv", "--at", "end", "--by", "stack", FILE_WORD}},
    {&command_report, {"--at", "exit", "--by", "package", "--cumulative", FILE_WORD}},
    {&command_report, {"--at", "3s", "--by", "thread", "--inherited", FILE_WORD}},
    {&command_report, {"--between", "20%", "80%", FILE_WORD}},
    {&command_report, {"--temporary=4", FILE_WORD}},
    {&command_report, {"--growing", FILE_WORD}},
    {&command_report, {"--lifetimes", FILE_WORD}},
    {&command_report, {"--format", "tracemalloc", FILE_WORD}},
    {&command_tree, {FILE_WORD}},
    {&command_tree, {"--at", "70%", "--inverted", FILE_WORD}},
    {&command_diff, {FILE_WORD, FILE_WORD}},
    {&command_timeline, {FILE_WORD}},
    {&command_processes, {"--json", FILE_WORD}},
    {&command_lines, {FILE_WORD}},
    {&command_check, {"--verify", FILE_WORD}},
    {&command_html, {"-o", "/dev/null", FILE_WORD}},
    {&command_export, {"--format", "pprof", "-o", "/dev/null", FILE_WORD}},
    {&command_export, {"--format", "speedscope", "-o", "/dev/null", FILE_WORD}},
    {&command_export, {"--format", "dhat", "-o", "/dev/null", FILE_WORD}},
    {&command_export, {"--format", "folded", "-o", "/dev/null", FILE_WORD}},
    {&command_export, {"--format", "mprof", "-o", "/dev/null", FILE_WORD}},
    {&command_export, {"--format", "chrome", "-o", "/dev/null", FILE_WORD}},
    {&command_export, {"--format", "csv", "-o", "/dev/null", FILE_WORD}},
    {&command_sql, {FILE_WORD, "SELECT count(*), sum(bytes) FROM events"}},
    {&command_sql, {FILE_WORD, "SELECT * FROM lines LIMIT 20"}},
};

/* --- beginning --- */

static void require(bool good)
{
    if (!good)
        abort();
}

static void read_base(unsigned number, const char *name)
{
    FILE *file = fopen(name, "rb");
    fuzz.data[number] = malloc(FILE_BYTES_MAX);
    require(file && fuzz.data[number]);
    fuzz.size[number] = fread(fuzz.data[number], 1, FILE_BYTES_MAX, file);
    fclose(file);
}

/* A copy of a recording in memory, which may be changed. */
static sqlite3 *open_copy(unsigned number)
{
    sqlite3 *database = NULL;
    size_t size = fuzz.size[number];
    unsigned char *copy = sqlite3_malloc64(size);
    require(copy && sqlite3_open(":memory:", &database) == SQLITE_OK);
    memcpy(copy, fuzz.data[number], size);
    require(sqlite3_deserialize(database, "main", copy, (sqlite3_int64)size, (sqlite3_int64)size,
                                SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) ==
            SQLITE_OK);
    return database;
}

/* SQLite's memory fails too, while a command reads the file. The viewer's own ends the program. */
static sqlite3_mem_methods real_memory;

static void *failing_malloc(int bytes)
{
    return failing_now() ? NULL : real_memory.xMalloc(bytes);
}

static void *failing_realloc(void *block, int bytes)
{
    return failing_now() ? NULL : real_memory.xRealloc(block, bytes);
}

static void let_memory_fail(void)
{
    require(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) == SQLITE_OK);
    sqlite3_mem_methods failing = real_memory;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    require(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) == SQLITE_OK);
}

static void find_columns(void)
{
    static const char query[] =
        "SELECT t.name, c.name, coalesce((SELECT group_concat(k.name) FROM "
        "pragma_table_info(t.name) "
        "k WHERE k.pk > 0), 'rowid') FROM sqlite_schema t, pragma_table_info(t.name) c "
        "WHERE t.type = 'table' ORDER BY t.name, c.cid";
    sqlite3 *database = open_copy(0);
    sqlite3_stmt *statement;
    require(sqlite3_prepare_v2(database, query, -1, &statement, NULL) == SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW && fuzz.column_count < COLUMNS_MAX) {
        struct column *column = &fuzz.columns[fuzz.column_count++];
        snprintf(column->table, sizeof column->table, "%s", sqlite3_column_text(statement, 0));
        snprintf(column->name, sizeof column->name, "%s", sqlite3_column_text(statement, 1));
        snprintf(column->key, sizeof column->key, "%s", sqlite3_column_text(statement, 2));
    }
    sqlite3_finalize(statement);
    sqlite3_close(database);
}

static void remove_file(void)
{
    unlink(fuzz.path);
}

/* What commands print is of no interest; sanitizers write to the descriptor. */
static void begin(void)
{
    if (fuzz.column_count)
        return;
    let_memory_fail();
    read_base(0, FUZZ_RECORDINGS "/history.heapline");
    read_base(1, FUZZ_RECORDINGS "/slices.heapline");
    snprintf(fuzz.path, sizeof fuzz.path, "/tmp/heapline-fuzz-XXXXXX");
    fuzz.file = mkstemp(fuzz.path);
    require(fuzz.file >= 0 && packer_init(&fuzz.packer) && unpacker_init(&fuzz.unpacker));
    atexit(remove_file);
    find_columns();
}

/* --- changes --- */

/* A statement about one row of a column's table, with the row's number bound. */
static sqlite3_stmt *prepare(sqlite3 *database, const char *format, const struct column *column,
                             uint64_t row)
{
    char text[STATEMENT_BYTES];
    sqlite3_stmt *statement = NULL;
    snprintf(text, sizeof text, format, column->table, column->name, column->key, column->key,
             column->table);
    require(sqlite3_prepare_v2(database, text, -1, &statement, NULL) == SQLITE_OK);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)row);
    return statement;
}

static sqlite3_stmt *prepare_update(sqlite3 *database, const struct column *column, uint64_t row)
{
    return prepare(database,
                   "UPDATE %s SET %s = ?2 WHERE (%s) = (SELECT %s FROM %s LIMIT 1 OFFSET ?1)",
                   column, row);
}

/* What a table does not allow is not done. */
static void run_statement(sqlite3_stmt *statement)
{
    sqlite3_step(statement);
    sqlite3_finalize(statement);
}

static void delete_row(sqlite3 *database, const struct column *column, uint64_t row)
{
    char text[STATEMENT_BYTES];
    sqlite3_stmt *statement;
    snprintf(text, sizeof text, "DELETE FROM %s WHERE (%s) = (SELECT %s FROM %s LIMIT 1 OFFSET ?1)",
             column->table, column->key, column->key, column->table);
    require(sqlite3_prepare_v2(database, text, -1, &statement, NULL) == SQLITE_OK);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)row);
    run_statement(statement);
}

/* Writes over bytes of a blob, which may get longer; or cuts it there, when there are none. */
static size_t change_bytes(struct input *input, uint8_t *data, size_t size, size_t most)
{
    size_t at = input_take(input, 2) % (size + 1), count = input_take(input, 1) & 15;
    const uint8_t *bytes = input_take_bytes(input, &count);
    if (!count)
        return at;
    if (at + count > most)
        return size;
    memcpy(data + at, bytes, count);
    return at + count > size ? at + count : size;
}

static void change_blob(sqlite3 *database, struct input *input, const struct column *column,
                        uint64_t row, bool packed)
{
    static uint8_t plain[PLAIN_BYTES_MAX];
    sqlite3_stmt *statement =
        prepare(database, "SELECT %2$s FROM %1$s LIMIT 1 OFFSET ?1", column, row);
    size_t size = 0;
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_BLOB) {
        const void *data = sqlite3_column_blob(statement, 0);
        size = (size_t)sqlite3_column_bytes(statement, 0);
        if (!packed && size <= sizeof plain && size)
            memcpy(plain, data, size);
        else if (!packed || !unpacker_unpack(&fuzz.unpacker, data, size, sizeof plain, &size))
            size = 0;
        else if (size)
            memcpy(plain, fuzz.unpacker.plain, size);
    }
    sqlite3_finalize(statement);
    size = change_bytes(input, plain, size, sizeof plain);
    const uint8_t *made = plain;
    if (packed)
        size = packer_pack(&fuzz.packer, plain, size, &made);
    statement = prepare_update(database, column, row);
    sqlite3_bind_blob64(statement, 2, made, size, SQLITE_STATIC);
    run_statement(statement);
}

static void change_text(sqlite3 *database, struct input *input, const struct column *column,
                        uint64_t row)
{
    size_t size = input_take(input, 1);
    const uint8_t *text = input_take_bytes(input, &size);
    sqlite3_stmt *statement = prepare_update(database, column, row);
    sqlite3_bind_text(statement, 2, (const char *)text, (int)size, SQLITE_STATIC);
    run_statement(statement);
}

static void change_number(sqlite3 *database, struct input *input, const struct column *column,
                          uint64_t row, size_t bytes)
{
    sqlite3_stmt *statement = prepare_update(database, column, row);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)input_take(input, bytes));
    run_statement(statement);
}

static void change_row(sqlite3 *database, struct input *input)
{
    unsigned kind = (unsigned)input_take(input, 1) % 8;
    const struct column *column = &fuzz.columns[input_take(input, 1) % fuzz.column_count];
    uint64_t row = input_take(input, 1);
    if (kind < 2)
        change_number(database, input, column, row, kind ? 8 : 1);
    else if (kind < 5)
        change_blob(database, input, column, row, kind > 2);
    else if (kind < 6)
        change_text(database, input, column, row);
    else if (kind < 7)
        delete_row(database, column, row);
    else
        run_statement(prepare_update(database, column, row)); /* null */
}

/* --- one input --- */

/* Bytes of the file itself, in what the input ends with. */
static void change_file(struct input *input, uint8_t *data, size_t size)
{
    while (input->left >= 4) {
        size_t at = input_take(input, 3) % size;
        data[at] = (uint8_t)input_take(input, 1);
    }
}

static void make_file(unsigned base, struct input *input)
{
    sqlite3_int64 size;
    sqlite3 *database = open_copy(base);
    for (uint64_t changes = input_take(input, 1) % 16; changes && input->left; changes--)
        change_row(database, input);
    unsigned char *data = sqlite3_serialize(database, "main", &size, 0);
    require(data && size > 0);
    change_file(input, data, (size_t)size);
    require(ftruncate(fuzz.file, 0) == 0 &&
            pwrite(fuzz.file, data, (size_t)size, 0) == (ssize_t)size);
    sqlite3_free(data);
    sqlite3_close(database);
}

static void run_call(const struct call *call)
{
    char *words[COMMAND_WORDS + 1] = {NULL};
    for (int i = 0; i < COMMAND_WORDS && call->words[i]; i++)
        words[i] = strdup(strcmp(call->words[i], FILE_WORD) ? call->words[i] : fuzz.path);
    char *given[COMMAND_WORDS + 1];
    memcpy(given, words, sizeof words);
    FILE *out = stdout, *errors = stderr, *nowhere = fopen("/dev/null", "w");
    require(nowhere);
    stdout = stderr = nowhere;
    int status = subcommand_run(call->command, given);
    stdout = out;
    stderr = errors;
    fclose(nowhere);
    require(status == STATUS_GOOD || status == STATUS_FAILED || status == STATUS_WRONG_USAGE);
    for (int i = 0; i < COMMAND_WORDS; i++)
        free(words[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    begin();
    unsigned base = (unsigned)input_take(&input, 1) % BASES;
    const struct call *call = &calls[input_take(&input, 1) % (sizeof calls / sizeof *calls)];
    make_file(base, &input);
    failing_begin(data, size);
    run_call(call);
    failing_end();
    return 0;
}
