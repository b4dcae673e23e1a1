/*
 * Writing to SQLite.
 *
 * The file is in WAL mode while the run goes on, so that it can be read meanwhile, and without
 * syncing: a killed collector loses nothing that was committed, only a crashed kernel could. What
 * says that it is a recording is in the file itself before a WAL stands beside it.
 *
 * Another program may lock the file. Then writing is put off, and nothing waits for it, until the
 * run is over: from then on the writer waits, up to LOCK_PATIENCE_MS. A program that still reads
 * when the file is closed keeps the WAL, or its remains, beside it: the viewer folds them in.
 */
#include "collector/store/recording_database.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "assertion.h"
#include "store.h"

#define WAL_TRIES        10
#define LOCK_PAUSE_MS    20
#define LOCK_PATIENCE_MS 30000
/* After so long the user is told what is being waited for. */
#define LOCK_TOLD_MS 1000

/* Rows that are written again as what they tell changes; of all others a second one is an error. */
static const bool is_rewritten[STORE_TABLE_COUNT] = {
    [STORE_TABLE_PROCESS] = true,      [STORE_TABLE_DAMAGE] = true,
    [STORE_TABLE_ENDING] = true,       [STORE_TABLE_ABSENCE] = true,
    [STORE_TABLE_LINEAGE] = true,      [STORE_TABLE_REFUSAL] = true,
    [STORE_TABLE_INHERITANCE] = true,  [STORE_TABLE_SETTING] = true,
    [STORE_TABLE_THREAD] = true,       [STORE_TABLE_SOURCE] = true,
    [STORE_TABLE_NODE_CHUNK] = true,   [STORE_TABLE_COUNTER_CHUNK] = true,
    [STORE_TABLE_SAMPLE_TOTAL] = true, [STORE_TABLE_SAMPLE_PART] = true,
    [STORE_TABLE_RUN_PEAK] = true,     [STORE_TABLE_LINE_TOTAL] = true,
    [STORE_TABLE_TOUCHED] = true,      [STORE_TABLE_RUN_TOUCHED] = true,
    [STORE_TABLE_SURVEY] = true,
};

static const char *const statement_text[STATEMENT_COUNT] = {
    [STATEMENT_NOTE_MODULE] = "UPDATE module SET note = ? WHERE id = ?",
    [STATEMENT_READ_SOURCE] = "SELECT bytes, text FROM source WHERE file = ?",
    [STATEMENT_FORGET_SOURCE] = "DELETE FROM source WHERE file = ?",
    [STATEMENT_FORGET_SAMPLE_TOTALS] = "DELETE FROM sample_total WHERE process = ?",
    [STATEMENT_FORGET_SAMPLE_PARTS] = "DELETE FROM sample_part WHERE process = ?",
    [STATEMENT_FORGET_POSITIONS] = "DELETE FROM run_peak_process",
    [STATEMENT_FORGET_TOUCHED_SAMPLES] = "DELETE FROM touched_sample WHERE process = ?",
    [STATEMENT_FORGET_TOUCHED] = "DELETE FROM touched_chunk WHERE process = ?",
    [STATEMENT_FORGET_UNTOUCHED] = "DELETE FROM untouched WHERE process = ?",
    [STATEMENT_FORGET_TOUCHED_POSITIONS] = "DELETE FROM run_touched_process",
    [STATEMENT_FORGET_RESIDENT_ROWS] = "DELETE FROM resident_row WHERE process = ? AND survey = ?",
    [STATEMENT_FORGET_REGIONS] = "DELETE FROM region WHERE process = ? AND survey = ?",
    [STATEMENT_FORGET_HOLDERS] = "DELETE FROM holder WHERE process = ? AND survey = ?",
    [STATEMENT_FORGET_COPIED] = "DELETE FROM copied WHERE process = ? AND survey = ?",
    [STATEMENT_END_RUN] = "UPDATE run SET seconds = ?, complete = ?, trouble = ?",
    [STATEMENT_LATE_STATUS] = "UPDATE process SET exit_status = ?, signal = ? WHERE id = ?",
    [STATEMENT_LATE_ENDING] = "UPDATE ending SET core_dumped = ?, out_of_memory = ?, "
                              "collector_bytes = ? WHERE process = ?",
};

/* --- what goes wrong ---------------------------------------------------------------------------
 */

bool recording_database_fail(struct recording_database *database, const char *reason,
                             struct origin origin)
{
    if (!database->trouble[0])
        snprintf(database->trouble, sizeof database->trouble,
                 "the recording could not be written on: %s (%s:%d)", reason, origin.file,
                 origin.line);
    return false;
}

static bool fail_in_sqlite(struct recording_database *database, struct origin origin)
{
    /* SQLite's own word for all of these is "disk I/O error". */
    int cause = sqlite3_errcode(database->connection) == SQLITE_IOERR
                    ? sqlite3_system_errno(database->connection)
                    : 0;
    return recording_database_fail(
        database, cause ? strerror(cause) : sqlite3_errmsg(database->connection), origin);
}

static bool execute_sql(struct recording_database *database, const char *sql, struct origin origin)
{
    return sqlite3_exec(database->connection, sql, NULL, NULL, NULL) == SQLITE_OK ||
           fail_in_sqlite(database, origin);
}

/* --- transactions ------------------------------------------------------------------------------
 */

/* SQLite's busy handler. */
static int wait_for_lock(void *context, int times)
{
    struct recording_database *database = context;
    (void)times; /* of this wait: all of them together have an end */
    if (!database->is_patient || database->pauses >= LOCK_PATIENCE_MS / LOCK_PAUSE_MS)
        return 0;
    if (database->pauses++ == LOCK_TOLD_MS / LOCK_PAUSE_MS && database->may_tell)
        dprintf(STDERR_FILENO, "heapline: waiting for another program that uses the recording\n");
    nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_MS * 1000000L}, NULL);
    return 1;
}

/* A transaction that writes, from its beginning on: nothing in it finds the file locked. */
static bool begin_immediately(struct recording_database *database)
{
    int result = sqlite3_exec(database->connection, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    return result == SQLITE_OK || ((result != SQLITE_BUSY || database->is_patient) &&
                                   fail_in_sqlite(database, ORIGIN_HERE));
}

/* Where the file system can have no WAL those who read are waited for. */
static bool commit_transaction(struct recording_database *database)
{
    bool is_patient = database->is_patient;
    database->is_patient = true;
    bool done = execute_sql(database, "COMMIT", ORIGIN_HERE);
    database->is_patient = is_patient;
    return done;
}

static void roll_back(struct recording_database *database)
{
    sqlite3_exec(database->connection, "ROLLBACK", NULL, NULL, NULL);
    database->in_batch = false;
}

bool recording_database_begin_batch(struct recording_database *database)
{
    ASSERT(!database->in_batch);
    return database->in_batch = !database->trouble[0] && begin_immediately(database);
}

bool recording_database_commit_batch(struct recording_database *database)
{
    bool done = database->in_batch && commit_transaction(database);
    if (database->in_batch && !done)
        roll_back(database);
    database->in_batch = false;
    return done;
}

bool recording_database_begin(struct recording_database *database)
{
    return !database->trouble[0] && (database->in_batch || begin_immediately(database));
}

bool recording_database_end(struct recording_database *database, bool done)
{
    if (done && (database->in_batch || commit_transaction(database)))
        return true;
    roll_back(database);
    return false;
}

/* --- rows --------------------------------------------------------------------------------------
 */

static void bind_member(sqlite3_stmt *statement, int at, const struct store_column *column,
                        const void *member)
{
    const struct store_blob *blob = member;
    switch (column->kind) {
    case STORE_INDEX:
        if (!column->may_be_null || *(const uint32_t *)member)
            sqlite3_bind_int64(statement, at, *(const uint32_t *)member);
        break;
    case STORE_COUNT:
    case STORE_AMOUNT:
    case STORE_NUMBER:
        if (!column->may_be_null || *(const int64_t *)member >= 0)
            sqlite3_bind_int64(statement, at, *(const int64_t *)member);
        break;
    case STORE_LINE:
        sqlite3_bind_int64(statement, at, *(const int32_t *)member);
        break;
    case STORE_FLAG:
        sqlite3_bind_int64(statement, at, *(const bool *)member);
        break;
    case STORE_SECONDS: /* NaN is null there too */
        sqlite3_bind_double(statement, at, *(const double *)member);
        break;
    case STORE_TEXT:
        sqlite3_bind_text(statement, at, *(const char *const *)member, -1, SQLITE_STATIC);
        break;
    case STORE_BLOB:
        sqlite3_bind_blob64(statement, at, blob->data, blob->bytes, SQLITE_STATIC);
        break;
    }
}

static bool run_statement(struct recording_database *database, sqlite3_stmt *statement,
                          struct origin origin)
{
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return done || fail_in_sqlite(database, origin);
}

bool recording_database_put(struct recording_database *database, enum store_table_number number,
                            const void *row, struct origin origin)
{
    const struct store_table *table = &store_tables[number];
    sqlite3_stmt *statement = database->rows[number];
    for (unsigned i = 0; i < table->count; i++)
        bind_member(statement, (int)i + 1, &table->columns[i],
                    (const char *)row + table->columns[i].offset);
    return run_statement(database, statement, origin);
}

bool recording_database_pack(struct recording_database *database, struct chunk_writer *chunk,
                             struct store_blob *packed, struct origin origin)
{
    const uint8_t *data = NULL;
    size_t size = chunk_writer_finish(chunk, &data);
    *packed = (struct store_blob){data, size};
    return size || recording_database_fail(database, "compression failed", origin);
}

bool recording_database_run(struct recording_database *database, enum recording_statement which,
                            struct origin origin)
{
    return run_statement(database, database->others[which], origin);
}

bool recording_database_forget(struct recording_database *database, enum recording_statement which,
                               uint32_t process)
{
    sqlite3_bind_int64(database->others[which], 1, process);
    return recording_database_run(database, which, ORIGIN_HERE);
}

/* --- beginning and end -------------------------------------------------------------------------
 */

static bool prepare_statement(struct recording_database *database, const char *text,
                              sqlite3_stmt **statement)
{
    return sqlite3_prepare_v3(database->connection, text, -1, SQLITE_PREPARE_PERSISTENT, statement,
                              NULL) == SQLITE_OK ||
           fail_in_sqlite(database, ORIGIN_HERE);
}

static bool prepare_row(struct recording_database *database, enum store_table_number number)
{
    const struct store_table *table = &store_tables[number];
    char text[192];
    size_t length = (size_t)snprintf(text, sizeof text, "INSERT %sINTO %s VALUES (?",
                                     is_rewritten[number] ? "OR REPLACE " : "", table->name);
    for (unsigned i = 1; i < table->count; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, ", ?");
    ASSERT(length + 1 < sizeof text);
    snprintf(text + length, sizeof text - length, ")");
    return prepare_statement(database, text, &database->rows[number]);
}

static bool prepare_all(struct recording_database *database)
{
    bool done = true;
    for (int i = 0; done && i < STORE_TABLE_COUNT; i++)
        done = prepare_row(database, (enum store_table_number)i);
    for (int i = 0; done && i < STATEMENT_COUNT; i++)
        done = prepare_statement(database, statement_text[i], &database->others[i]);
    return done;
}

/* Is the file in WAL mode? */
static bool has_wal(struct recording_database *database)
{
    sqlite3_stmt *statement = NULL;
    bool has = sqlite3_prepare_v2(database->connection, "PRAGMA journal_mode", -1, &statement,
                                  NULL) == SQLITE_OK &&
               sqlite3_step(statement) == SQLITE_ROW &&
               strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    sqlite3_finalize(statement);
    return has;
}

/* WAL mode is the file's, and this connection's only once it has read: until then a reader who
 * finds nobody else would fold the WAL in. Some file systems cannot have one. */
static bool enter_wal(struct recording_database *database)
{
    bool done = true;
    for (int i = 0; done && i < WAL_TRIES && (i == 0 || !has_wal(database)); i++)
        done = execute_sql(database, "PRAGMA journal_mode = WAL; SELECT count(*) FROM run",
                           ORIGIN_HERE);
    return done;
}

/* The tables are in the file before it has a WAL. */
static bool create_tables(struct recording_database *database, const struct store_run *run)
{
    sqlite3_busy_handler(database->connection, wait_for_lock, database);
    database->is_patient = true;
    bool done = execute_sql(database, "PRAGMA synchronous = OFF; PRAGMA cache_size = -1024; BEGIN",
                            ORIGIN_HERE) &&
                execute_sql(database, store_sql, ORIGIN_HERE) && prepare_all(database) &&
                recording_database_put(database, STORE_TABLE_RUN, run, ORIGIN_HERE) &&
                commit_transaction(database) && enter_wal(database);
    database->is_patient = false;
    return done;
}

bool recording_database_open(struct recording_database *database, const char *path,
                             const struct store_run *run)
{
    return sqlite3_open_v2(path, &database->connection, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
           create_tables(database, run);
}

static void finalize_all(struct recording_database *database)
{
    for (int i = 0; i < STORE_TABLE_COUNT; i++)
        sqlite3_finalize(database->rows[i]);
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(database->others[i]);
    memset(database->rows, 0, sizeof database->rows);
    memset(database->others, 0, sizeof database->others);
}

/* One file, unless another program reads what stood in it before the last commits; where it only
 * has the file open, what stands beside it is of no consequence. What stands beside the name once
 * it is another's is left alone: a checkpoint goes by descriptors, the end of the WAL by the name.
 */
bool recording_database_fold(struct recording_database *database, bool owns_wal)
{
    int left = 0;
    finalize_all(database);
    int result = sqlite3_wal_checkpoint_v2(database->connection, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                           &left, NULL);
    if (owns_wal)
        sqlite3_exec(database->connection, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    return result == SQLITE_OK || left <= 0;
}

void recording_database_close(struct recording_database *database)
{
    finalize_all(database);
    sqlite3_close(database->connection);
    database->connection = NULL;
}

void recording_database_rest(struct recording_database *database)
{
    if (database->connection)
        sqlite3_db_release_memory(database->connection);
}
