/*
 * The recording's identity: what store.sql sets and both sides check.
 */
#ifndef HEAPLINE_SCHEMA_STORE_H
#define HEAPLINE_SCHEMA_STORE_H

#define STORE_APPLICATION_ID 1213221966 /* "HPLN" */
#define STORE_FORMAT         1

/* The text of store.sql, NUL-terminated. */
extern const char store_sql[];

#endif
