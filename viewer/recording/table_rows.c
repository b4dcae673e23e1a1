/*
 * Reading rows by the list of their columns.
 */
#include "viewer/recording/table_rows.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"

static char *query_text(const struct store_table *table, const char *from, const char *rest)
{
    char *text;
    size_t size;
    FILE *stream = memory_stream(&text, &size);
    for (unsigned i = 0; i < table->count; i++)
        fprintf(stream, "%s%s", i ? ", " : "SELECT ", table->columns[i].name);
    fprintf(stream, " FROM %s %s", from ? from : table->name, rest);
    fclose(stream);
    return text;
}

bool table_rows_init(struct table_rows *rows, struct database *database,
                     enum store_table_number number, const char *from, const char *rest)
{
    *rows = (struct table_rows){.table = &store_tables[number]};
    CLEANUP(cleanup_free) char *query = query_text(rows->table, from, rest);
    return rows_init(&rows->rows, database, query);
}

static void drop_texts(struct table_rows *rows)
{
    for (unsigned i = 0; i < TABLE_TEXTS_MAX; i++) {
        free(rows->texts[i]);
        rows->texts[i] = NULL;
    }
}

void table_rows_deinit(struct table_rows *rows)
{
    drop_texts(rows);
    rows_deinit(&rows->rows);
}

static bool read_text(struct table_rows *rows, int column, const char **text)
{
    unsigned slot = 0;
    while (slot < TABLE_TEXTS_MAX && rows->texts[slot])
        slot++;
    assert(slot < TABLE_TEXTS_MAX);
    bool good = rows_text(&rows->rows, column, &rows->texts[slot]);
    *text = rows->texts[slot];
    return good;
}

static bool read_whole(struct rows *rows, int column, enum store_kind kind, void *member)
{
    int64_t number;
    switch (kind) {
    case STORE_AMOUNT:
        return rows_whole(rows, column, 0, INT64_MAX, member);
    case STORE_NUMBER:
        return rows_whole(rows, column, 0, INT32_MAX, member);
    case STORE_LINE:
        if (!rows_whole(rows, column, INT32_MIN, INT32_MAX, &number))
            return false;
        *(int32_t *)member = (int32_t)number;
        return true;
    default:
        return false;
    }
}

static bool read_value(struct table_rows *rows, int column, enum store_kind kind, void *member)
{
    struct store_blob *blob = member;
    switch (kind) {
    case STORE_INDEX:
        return rows_index(&rows->rows, column, member);
    case STORE_COUNT:
        return rows_count(&rows->rows, column, member);
    case STORE_FLAG:
        return rows_flag(&rows->rows, column, member);
    case STORE_SECONDS:
        return rows_seconds(&rows->rows, column, member);
    case STORE_TEXT:
        return read_text(rows, column, member);
    case STORE_BLOB:
        return rows_blob(&rows->rows, column, &blob->data, &blob->bytes);
    default:
        return read_whole(&rows->rows, column, kind, member);
    }
}

static void set_null(enum store_kind kind, void *member)
{
    if (kind == STORE_INDEX)
        *(uint32_t *)member = 0;
    else if (kind == STORE_TEXT)
        *(const char **)member = NULL;
    else
        *(int64_t *)member = -1;
}

static bool read_row(struct table_rows *rows, char *row)
{
    drop_texts(rows);
    for (unsigned i = 0; i < rows->table->count; i++) {
        const struct store_column *column = &rows->table->columns[i];
        if (column->may_be_null && column->kind != STORE_SECONDS &&
            rows_is_null(&rows->rows, (int)i))
            set_null(column->kind, row + column->offset);
        else if (!read_value(rows, (int)i, column->kind, row + column->offset))
            return false;
    }
    return true;
}

enum rows_step table_rows_next(struct table_rows *rows, void *row)
{
    enum rows_step step = rows_next(&rows->rows);
    return step == ROWS_ROW && !read_row(rows, row) ? ROWS_PROBLEM : step;
}

bool table_rows_each(struct database *database, enum store_table_number number, const char *from,
                     const char *rest, row_taker *take, void *context)
{
    CLEANUP(table_rows_deinit) struct table_rows rows;
    if (!table_rows_init(&rows, database, number, from, rest))
        return false;
    CLEANUP(cleanup_free) char *row = memory_new(1, rows.table->row_bytes);
    enum rows_step step;
    while ((step = table_rows_next(&rows, row)) == ROWS_ROW)
        if (!take(row, context))
            return false;
    return step == ROWS_END;
}

bool table_rows_each_if_any(struct database *database, enum store_table_number number,
                            const char *rest, row_taker *take, void *context)
{
    bool has;
    return database_has_table(database, store_tables[number].name, &has) &&
           (!has || table_rows_each(database, number, NULL, rest, take, context));
}
