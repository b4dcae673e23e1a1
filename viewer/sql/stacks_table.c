/*
 * An eponymous virtual table over the tree of stacks, which each cursor loads once: it is looked up
 * stack by stack in a join.
 */
#include "viewer/sql/stacks_table.h"

#include "viewer/base/cleanup.h"
#include "viewer/recording/stacks.h"
#include "viewer/recording/symbols.h"
#include "viewer/sql/virtual_table.h"

enum column {
    COLUMN_STACK,
    COLUMN_PARENT,
    COLUMN_LOCATION,
    COLUMN_FILE,
    COLUMN_LINE,
    COLUMN_FUNCTION,
};

static const char declaration[] =
    "CREATE TABLE stacks (stack INTEGER, parent INTEGER, location INTEGER, "
    "file TEXT, line INTEGER, function TEXT)";

static const char row_count[] = "SELECT first + count FROM node_chunk ORDER BY first DESC LIMIT 1";

struct cursor {
    sqlite3_vtab_cursor base;
    struct database database; /* borrows the connection */
    struct symbols symbols;
    struct stacks stacks;
    bool loaded;
    size_t at, end;
};

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **result)
{
    struct cursor *cursor = sqlite3_malloc(sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    *cursor = (struct cursor){.database = virtual_table_database(table)};
    *result = &cursor->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    struct cursor *cursor = (struct cursor *)base;
    stacks_deinit(&cursor->stacks);
    symbols_deinit(&cursor->symbols);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

/* With the plan's number 1 the only argument is the stack asked for. */
static int best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    double rows = ((const struct virtual_table *)table)->rows;
    info->estimatedCost = rows;
    info->estimatedRows = (sqlite3_int64)rows;
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        if (!constraint->usable || constraint->iColumn != COLUMN_STACK ||
            constraint->op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        info->aConstraintUsage[i].argvIndex = 1;
        info->idxNum = 1;
        info->estimatedCost = 1;
        info->estimatedRows = 1;
        info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
        break;
    }
    return SQLITE_OK;
}

static int stacks_filter(sqlite3_vtab_cursor *base, int number, const char *plan, int count,
                         sqlite3_value **values)
{
    (void)plan, (void)count;
    struct cursor *cursor = (struct cursor *)base;
    if (!cursor->loaded) {
        if (!symbols_init(&cursor->symbols, &cursor->database) ||
            !stacks_init(&cursor->stacks, &cursor->database, &cursor->symbols))
            return virtual_table_fail(base->pVtab, &cursor->database);
        cursor->loaded = true;
    }
    cursor->at = 1;
    cursor->end = cursor->stacks.count;
    if (number) {
        sqlite3_int64 stack = sqlite3_value_int64(values[0]);
        bool exists = stack > 0 && (size_t)stack < cursor->stacks.count;
        cursor->at = exists ? (size_t)stack : cursor->end;
        cursor->end = exists ? cursor->at + 1 : cursor->end;
    }
    return SQLITE_OK;
}

static int stacks_next(sqlite3_vtab_cursor *base)
{
    ((struct cursor *)base)->at++;
    return SQLITE_OK;
}

static int is_at_end(sqlite3_vtab_cursor *base)
{
    const struct cursor *cursor = (const struct cursor *)base;
    return cursor->at >= cursor->end;
}

static int stacks_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number)
{
    const struct cursor *cursor = (const struct cursor *)base;
    uint32_t location = cursor->stacks.location[cursor->at];
    const struct frame *frame = &cursor->symbols.frames[location];
    switch (number) {
    case COLUMN_STACK:
        sqlite3_result_int64(context, (sqlite3_int64)cursor->at);
        break;
    case COLUMN_PARENT:
        sqlite3_result_int64(context, cursor->stacks.parent[cursor->at]);
        break;
    case COLUMN_LOCATION:
        sqlite3_result_int64(context, location);
        break;
    case COLUMN_FILE:
        sqlite3_result_text(context, frame->file, -1, SQLITE_TRANSIENT);
        break;
    case COLUMN_LINE:
        sqlite3_result_int64(context, frame->line);
        break;
    case COLUMN_FUNCTION:
        sqlite3_result_text(context, frame->function, -1, SQLITE_TRANSIENT);
        break;
    }
    return SQLITE_OK;
}

static int row_number(sqlite3_vtab_cursor *base, sqlite3_int64 *number)
{
    *number = (sqlite3_int64)((struct cursor *)base)->at;
    return SQLITE_OK;
}

int stacks_table_register(sqlite3 *connection)
{
    static const sqlite3_module module = {
        VIRTUAL_TABLE_MODULE,   .xBestIndex = best_index, .xOpen = open_cursor,
        .xClose = close_cursor, .xFilter = stacks_filter, .xNext = stacks_next,
        .xEof = is_at_end,      .xColumn = stacks_column, .xRowid = row_number,
    };
    return virtual_table_register(connection, "stacks", &module,
                                  (struct virtual_table_kind){declaration, row_count, NULL});
}
