/*
 * What the tables that heapline adds to SQLite have in common: they are there without being
 * created, belong to the connection's main database, and read it through a struct database.
 */
#ifndef HEAPLINE_VIEWER_SQL_VIRTUAL_TABLE_H
#define HEAPLINE_VIEWER_SQL_VIRTUAL_TABLE_H

#include "viewer/recording/database.h"

/* What a table is, for as long as its connection knows it. */
struct virtual_table_kind {
    const char *declaration;
    const char *row_count;     /* a query: how many rows it has, about */
    struct progress *progress; /* is told how far long scans are; may be NULL */
};

struct virtual_table {
    sqlite3_vtab base;
    sqlite3 *connection;
    struct progress *progress;
    double rows; /* about so many, when the connection first asked; at least 1 */
};

/* Makes a table known to a connection. Returns SQLite's result. */
int virtual_table_register(sqlite3 *connection, const char *name, const sqlite3_module *module,
                           struct virtual_table_kind kind);

/* For sqlite3_module. */
int virtual_table_connect(sqlite3 *connection, void *kind, int count, const char *const *words,
                          sqlite3_vtab **result, char **problem);
int virtual_table_disconnect(sqlite3_vtab *table);

/* What is the same in all of ours. */
#define VIRTUAL_TABLE_MODULE                                                                       \
    .iVersion = 1, .xConnect = virtual_table_connect, .xDisconnect = virtual_table_disconnect,     \
    .xDestroy = virtual_table_disconnect

/* The main database of the table's connection, which stays SQLite's. */
struct database virtual_table_database(const sqlite3_vtab *table);

/* Hands a problem to SQLite; returns the status for it. */
int virtual_table_fail(sqlite3_vtab *table, const struct database *database);

#endif
