/*
 * heapline sql: asks a recording in SQL. Beside the tables and views of schema/store.sql there are
 * `events` (events_table.h) and `stacks` (stacks_table.h). Nothing can be written.
 *
 * Rows are printed as they come. For the columns of the table that people read, the first rows
 * decide how wide they are. Until the first one comes it is said how far the scan is, and where
 * rows are not printed on the same terminal also later.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/utf8.h"
#include "viewer/commands/commands.h"
#include "viewer/format/csv.h"
#include "viewer/format/json_values.h"
#include "viewer/recording/database_file.h"
#include "viewer/recording/guard.h"
#include "viewer/sql/events_table.h"
#include "viewer/sql/stacks_table.h"

#define COMMAND_NAME "heapline sql"
/* Rows that are kept back until the widths are known, and the widest column. */
#define ROWS_KEPT   200u
#define COLUMN_MAX  80u
#define JSON_DIGITS 15

static const struct option_spec specs[] = {
    FORM_SPEC_JSON("print a JSON array with an object for each row"),
    FORM_SPEC_CSV("print the rows as CSV"),
    FORM_SPEC_HELP,
};

struct sql_request {
    const char *words[2]; /* RUN and QUERY, or QUERY alone */
    size_t word_count;
};

static bool take_option(struct request *request, int option, struct options *options)
{
    struct sql_request *own = request->own;
    (void)option;
    if (own->word_count == 2)
        return options_wrong(options, "one recording and one query"), false;
    own->words[own->word_count++] = options->value;
    return true;
}

static bool check_request(struct request *request, const struct options *options)
{
    const struct sql_request *own = request->own;
    if (!form_check(&request->form, options))
        return false;
    if (!own->word_count && !request->form.help)
        return options_wrong(options, "there is no query"), false;
    return true;
}

/* --- output --- */

/* A value as text that a terminal can show; the caller frees it. */
static char *value_text(sqlite3_stmt *statement, int column, bool for_terminal)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return memory_copy("");
    if (sqlite3_column_type(statement, column) == SQLITE_BLOB)
        return memory_print("(%d bytes)", sqlite3_column_bytes(statement, column));
    const char *text = (const char *)sqlite3_column_text(statement, column);
    char *clean = utf8_clean(text ? text : "", (size_t)sqlite3_column_bytes(statement, column));
    if (!for_terminal)
        return clean;
    char *escaped = utf8_escape(clean);
    free(clean);
    return escaped;
}

static void print_csv_row(sqlite3_stmt *statement, bool titles)
{
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        CLEANUP(cleanup_free)
        char *text = titles ? memory_copy(sqlite3_column_name(statement, i))
                            : value_text(statement, i, false);
        if (i)
            putchar(',');
        csv_put(stdout, text);
    }
    putchar('\n');
}

static json_t *value_json(sqlite3_stmt *statement, int column)
{
    CLEANUP(cleanup_free) char *text = NULL;
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
        return json_null();
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT: {
        double number = sqlite3_column_double(statement, column);
        return isfinite(number) ? json_real(number) : json_null();
    }
    default:
        text = value_text(statement, column, false);
        return json_string(text);
    }
}

static void print_json_row(sqlite3_stmt *statement, bool first)
{
    json_t *object = json_object();
    for (int i = 0; i < sqlite3_column_count(statement); i++)
        json_object_set_new(object, sqlite3_column_name(statement, i), value_json(statement, i));
    fputs(first ? " " : ",\n ", stdout);
    json_write(object, stdout, JSON_REAL_PRECISION(JSON_DIGITS));
    json_decref(object);
}

/* The table for people. */
struct lines {
    int columns;
    size_t *widths;
    char **kept; /* rows * columns texts */
    size_t kept_rows;
    bool printing; /* the widths are known */
};

static void lines_print(const struct lines *lines, char **texts)
{
    for (int i = 0; i < lines->columns; i++) {
        bool last = i + 1 == lines->columns;
        CLEANUP(cleanup_free)
        char *cut = last ? memory_copy(texts[i]) : utf8_cut_end(texts[i], COLUMN_MAX);
        size_t width = utf8_width(cut);
        fputs(cut, stdout);
        if (!last)
            printf("%*s", (int)(lines->widths[i] > width ? lines->widths[i] - width : 0) + 2, "");
    }
    putchar('\n');
}

static void lines_flush(struct lines *lines)
{
    for (size_t row = 0; row < lines->kept_rows; row++)
        lines_print(lines, lines->kept + row * (size_t)lines->columns);
    for (size_t i = 0; i < lines->kept_rows * (size_t)lines->columns; i++)
        free(lines->kept[i]);
    lines->kept_rows = 0;
    lines->printing = true;
}

static void lines_add(struct lines *lines, sqlite3_stmt *statement, bool titles)
{
    char **texts = lines->kept + lines->kept_rows * (size_t)lines->columns;
    for (int i = 0; i < lines->columns; i++) {
        texts[i] = titles ? utf8_escape(sqlite3_column_name(statement, i))
                          : value_text(statement, i, true);
        size_t width = utf8_width(texts[i]);
        width = width < COLUMN_MAX ? width : COLUMN_MAX;
        if (!lines->printing && width > lines->widths[i])
            lines->widths[i] = width;
    }
    lines->kept_rows++;
    if (lines->printing || lines->kept_rows == ROWS_KEPT)
        lines_flush(lines);
}

/* --- the query --- */

static int sql_fail(const struct request *request, const struct database *database)
{
    return request_fail(request, *database->problem ? database->problem
                                                    : sqlite3_errmsg(database->connection));
}

/* Prints one statement's rows; returns SQLite's last result. */
static int print_rows(const struct request *request, sqlite3_stmt *statement,
                      struct progress *progress)
{
    int columns = sqlite3_column_count(statement), step;
    struct lines lines = {
        .columns = columns,
        .widths = memory_new((size_t)columns, sizeof *lines.widths),
        .kept = memory_new((size_t)columns * ROWS_KEPT, sizeof *lines.kept),
    };
    bool first = true;
    if (request->form.json)
        fputs("[", stdout);
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        if (first && isatty(STDOUT_FILENO))
            progress_silence(progress);
        if (first && request->form.csv)
            print_csv_row(statement, true);
        else if (first && !request->form.json)
            lines_add(&lines, statement, true);
        if (request->form.csv)
            print_csv_row(statement, false);
        else if (request->form.json)
            print_json_row(statement, first);
        else
            lines_add(&lines, statement, false);
        first = false;
    }
    lines_flush(&lines);
    if (request->form.json)
        fputs("]\n", stdout);
    free(lines.widths);
    free(lines.kept);
    return step;
}

static int print_statements(const struct request *request, struct database *database,
                            const char *query)
{
    while (query[strspn(query, " \t\r\n;")]) {
        sqlite3_stmt *statement;
        if (sqlite3_prepare_v2(database->connection, query, -1, &statement, &query) != SQLITE_OK)
            return sql_fail(request, database);
        bool passes = guard_passes(database, statement);
        int step = SQLITE_DONE;
        if (statement)
            step = passes ? print_rows(request, statement, database->progress) : SQLITE_AUTH;
        sqlite3_finalize(statement);
        if (step != SQLITE_DONE)
            return sql_fail(request, database);
    }
    return request_finish(request);
}

static int ask_file(const struct request *request, const char *file, const char *query)
{
    struct progress progress;
    progress_init(&progress, COMMAND_NAME);
    CLEANUP(database_deinit) struct database database;
    if (!database_init(&database, file, &progress) ||
        events_table_register(database.connection, &progress) != SQLITE_OK ||
        stacks_table_register(database.connection) != SQLITE_OK)
        return sql_fail(request, &database);
    guard_allow_views(&database);
    return print_statements(request, &database, query);
}

static int sql_ask(struct request *request)
{
    const struct sql_request *own = request->own;
    if (own->word_count == 2)
        request->files[request->file_count++] = own->words[0];
    const char *file = request_file(request);
    return file ? ask_file(request, file, own->words[own->word_count - 1]) : STATUS_FAILED;
}

const struct subcommand command_sql = {
    .name = COMMAND_NAME,
    .summary = "the database, with every event as a row",
    .usage =
        "Usage: heapline sql [OPTION...] [RUN] QUERY\n\n"
        "Asks a recording in SQL, and prints the rows. Tables and views: lines, functions, files,\n"
        "modules, allocators, processes; events (sequence, time, process, thread, kind, block,\n"
        "size, allocator, stack, lifetime) and stacks (stack, parent, location, file, line,\n"
        "function).\n",
    .options = OPTION_TABLE(specs, NULL),
    .own_size = sizeof(struct sql_request),
    .take = take_option,
    .check = check_request,
    .perform = sql_ask,
};
