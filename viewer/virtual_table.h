/*
 * What the tables that heapline adds to SQLite have in common: they are there without being
 * created, belong to the connection's main database, and read it through a struct database.
 */
#ifndef HEAPLINE_VIEWER_VIRTUAL_TABLE_H
#define HEAPLINE_VIEWER_VIRTUAL_TABLE_H

#include "viewer/database.h"

struct virtual_table {
    sqlite3_vtab base;
    sqlite3 *connection;
};

/* For sqlite3_module; sqlite3_create_module()'s last argument is the table's declaration. */
int virtual_table_connect(sqlite3 *connection, void *declaration, int count,
                          const char *const *words, sqlite3_vtab **result, char **problem);
int virtual_table_disconnect(sqlite3_vtab *table);

/* The main database of the table's connection, which stays SQLite's. */
struct database virtual_table_database(const sqlite3_vtab *table);

/* Hands a problem to SQLite; returns the status for it. */
int virtual_table_fail(sqlite3_vtab *table, const struct database *database);

#endif
