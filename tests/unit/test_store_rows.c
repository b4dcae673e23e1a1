/*
 * The list of columns (store_rows.h) against the tables that store.sql makes.
 */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "allocators.h"
#include "store.h"
#include "store_rows.h"

static sqlite3 *database;

static int make(void **state)
{
    (void)state;
    return sqlite3_open(":memory:", &database) != SQLITE_OK ||
           sqlite3_exec(database, store_sql, NULL, NULL, NULL) != SQLITE_OK;
}

static int drop(void **state)
{
    (void)state;
    return sqlite3_close(database);
}

static sqlite3_stmt *ask(const char *query, const char *value)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(database, query, -1, &statement, NULL), SQLITE_OK);
    if (value)
        sqlite3_bind_text(statement, 1, value, -1, SQLITE_STATIC);
    return statement;
}

static const char *type_of(enum store_kind kind)
{
    static const char *const types[] = {
        [STORE_SECONDS] = "REAL", [STORE_TEXT] = "TEXT", [STORE_BLOB] = "BLOB"};
    return kind >= STORE_SECONDS ? types[kind] : "INTEGER";
}

static void check_table(const struct store_table *table)
{
    sqlite3_stmt *columns =
        ask("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1)", table->name);
    for (unsigned i = 0; i < table->count; i++) {
        const struct store_column *column = &table->columns[i];
        assert_int_equal(sqlite3_step(columns), SQLITE_ROW);
        assert_string_equal(sqlite3_column_text(columns, 0), column->name);
        assert_string_equal(sqlite3_column_text(columns, 1), type_of(column->kind));
        /* What is a key is never null, though SQLite need not be told. */
        assert_int_equal(column->may_be_null,
                         !sqlite3_column_int(columns, 2) && !sqlite3_column_int(columns, 3));
        assert_true(column->offset < table->row_bytes);
    }
    assert_int_equal(sqlite3_step(columns), SQLITE_DONE);
    sqlite3_finalize(columns);
}

static void test_every_column_is_in_the_list(void **state)
{
    (void)state;
    for (int i = 0; i < STORE_TABLE_COUNT; i++)
        check_table(&store_tables[i]);
}

/* All but the table of allocators, which is made with its rows. */
static void test_every_table_is_in_the_list(void **state)
{
    (void)state;
    sqlite3_stmt *tables =
        ask("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", NULL);
    int found = 0;
    while (sqlite3_step(tables) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(tables, 0);
        bool listed = strcmp(name, "allocator") == 0;
        for (int i = 0; !listed && i < STORE_TABLE_COUNT; i++)
            listed = strcmp(store_tables[i].name, name) == 0;
        assert_true(listed);
        found++;
    }
    assert_int_equal(found, STORE_TABLE_COUNT + 1);
    sqlite3_finalize(tables);
}

static void test_allocators_are_those_of_the_list(void **state)
{
    (void)state;
    static const char *const names[] = {ALLOCATOR_NAMES};
    sqlite3_stmt *rows = ask("SELECT id, name FROM allocator ORDER BY id", NULL);
    for (int i = 0; i < WIRE_ALLOCATOR_COUNT; i++) {
        assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(rows, 0), i);
        assert_string_equal(sqlite3_column_text(rows, 1), names[i]);
    }
    assert_int_equal(sqlite3_step(rows), SQLITE_DONE);
    sqlite3_finalize(rows);
}

/* What people's SQL asked when each allocator had a column. */
static void test_samples_by_column(void **state)
{
    (void)state;
    assert_int_equal(sqlite3_exec(database,
                                  "INSERT INTO sample_total VALUES (1, 0.5, 70, 100, NULL, NULL), "
                                  "(1, 1.5, 0, NULL, NULL, NULL);"
                                  "INSERT INTO sample_part VALUES (1, 0.5, 0, 40), (1, 0.5, 3, 20)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_stmt *rows = ask("SELECT group_concat(malloc || ' ' || raw || ' ' || mem || ' ' || "
                             "object || ' ' || mmap || ' ' || most_bytes || ' ' || "
                             "ifnull(resident, '-')) FROM (SELECT * FROM sample ORDER BY time)",
                             NULL);
    assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(rows, 0), "40 0 0 20 0 70 100,0 0 0 0 0 0 -");
    sqlite3_finalize(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_column_is_in_the_list),
        cmocka_unit_test(test_every_table_is_in_the_list),
        cmocka_unit_test(test_allocators_are_those_of_the_list),
        cmocka_unit_test(test_samples_by_column),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
