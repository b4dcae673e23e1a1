/*
 * The recording as a database that is written: connection, statements, transactions, and what went
 * wrong first.
 *
 * A transaction is undone as a whole. When SQLite fails, `trouble` says why, with the place in the
 * code, and nothing more is written. Where another program has locked the file a transaction does
 * not begin, nothing is lost, and the caller asks again; who is patient waits. One thread at a
 * time.
 */
#ifndef HEAPLINE_COLLECTOR_RECORDING_DATABASE_H
#define HEAPLINE_COLLECTOR_RECORDING_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "chunk.h"
#include "collector/base/origin.h"
#include "store_rows.h"

/* Beside those that write a row of a table. */
enum recording_statement {
    STATEMENT_NOTE_MODULE, /* note, id */
    STATEMENT_READ_SOURCE, /* file */
    STATEMENT_FORGET_SOURCE,
    STATEMENT_FORGET_SAMPLE_TOTALS,
    STATEMENT_FORGET_SAMPLE_PARTS,
    STATEMENT_FORGET_POSITIONS,
    /* Of a process; of the run. */
    STATEMENT_FORGET_TOUCHED_SAMPLES,
    STATEMENT_FORGET_TOUCHED,
    STATEMENT_FORGET_UNTOUCHED,
    STATEMENT_FORGET_TOUCHED_POSITIONS,
    /* Of a survey: process, number. */
    STATEMENT_FORGET_RESIDENT_ROWS,
    STATEMENT_FORGET_REGIONS,
    STATEMENT_FORGET_HOLDERS,
    STATEMENT_FORGET_COPIED,
    STATEMENT_END_RUN,     /* seconds, complete, trouble */
    STATEMENT_LATE_STATUS, /* exit status, signal, process */
    STATEMENT_LATE_ENDING, /* core dumped, out of memory, collector's bytes, process */
    STATEMENT_COUNT,
};

struct recording_database {
    sqlite3 *connection;
    sqlite3_stmt *rows[STORE_TABLE_COUNT];
    sqlite3_stmt *others[STATEMENT_COUNT];
    char trouble[256]; /* empty: all well */
    bool in_batch;
    bool is_patient, may_tell;
    unsigned pauses; /* that it has made for others' locks since it is patient */
};

/* Opens the file and makes the tables in it. False: database->trouble says why; needs
 * recording_database_close() all the same. */
bool recording_database_open(struct recording_database *database, const char *path,
                             const struct store_run *run);
/* To be called before the file is closed: it goes on without a journal from then on, if it can.
 * `owns_wal`: what stands beside the file is its own. False: a program that reads it keeps a part
 * of it in the WAL beside it. */
bool recording_database_fold(struct recording_database *database, bool owns_wal);
void recording_database_close(struct recording_database *database);

/* Gives memory back that is needed for writing only. */
void recording_database_rest(struct recording_database *database);

/* The first trouble stays; `reason` completes "the recording could not be written on: ". False. */
bool recording_database_fail(struct recording_database *database, const char *reason,
                             struct origin origin);

/* All transactions until recording_database_commit() are one. False when it cannot begin, or not
 * yet; when it could not be written. */
bool recording_database_begin_batch(struct recording_database *database);
bool recording_database_commit_batch(struct recording_database *database);

/* A transaction of its own, unless there is a batch. `done`: all that was to be written is; else it
 * is undone, with the batch. */
bool recording_database_begin(struct recording_database *database);
bool recording_database_end(struct recording_database *database, bool done);

/* Writes a row, the table's struct, in the place of one with the same key. */
bool recording_database_put(struct recording_database *database, enum store_table_number table,
                            const void *row, struct origin origin);

/* Packs the rows of a chunk; *packed is valid until the writer is used again. */
bool recording_database_pack(struct recording_database *database, struct chunk_writer *chunk,
                             struct store_blob *packed, struct origin origin);

/* RECORDING_PUT(database, THREAD, thread, .id = …, …) */
#define RECORDING_PUT(database, TABLE, name, ...)                                                  \
    recording_database_put(database, STORE_TABLE_##TABLE, &(struct store_##name){__VA_ARGS__},     \
                           ORIGIN_HERE)

/* Runs a statement that the caller has bound values to. */
bool recording_database_run(struct recording_database *database, enum recording_statement which,
                            struct origin origin);

/* The same of one that is about a process. */
bool recording_database_forget(struct recording_database *database, enum recording_statement which,
                               uint32_t process);

#endif
