/*
 * Opening goes through these states: the plain file is looked at (is there one, is it empty, does
 * it begin as SQLite files do), then SQLite opens it read-only with every safeguard that it has
 * (guard.h), then the two numbers in its header say whether it is a recording and in which format,
 * and its schema whether its tables are tables whose columns hold what they give: a view could
 * compute for ever.
 *
 * A recording that a collector is still writing is in WAL mode. Reading that needs a shared memory
 * file beside it, which cannot be made in a folder that is not writable; where nobody has left a
 * WAL there either, nobody is writing, and the file is opened as one that does not change. What a
 * collector has left beside the file is folded in, or read in a copy (leftover.h).
 *
 * Failures become the database's problem. Nothing is repaired, and nothing else is written.
 */
#include "viewer/recording/database_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "store.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/recording/guard.h"
#include "viewer/recording/leftover.h"

#define BUSY_PATIENCE 2000 /* milliseconds */
#define TABLES_QUERY                                                                               \
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('run', 'process', "      \
    "'thread', 'file', 'source', 'code', 'location', 'node_chunk', 'counter_chunk', "              \
    "'history_chunk', 'checkpoint_chunk', 'slice_chunk', 'sample', 'module', 'inheritance', "      \
    "'sample_total', 'sample_part', 'damage', 'touched', 'touched_chunk', 'touched_sample', "      \
    "'run_touched', 'run_touched_process', 'untouched')"
/* Of these, by format; sample is a view from STORE_FORMAT_SAMPLE_ROWS on. */
static int tables_of(int64_t format)
{
    return 13 + (format >= STORE_FORMAT_MODULES) + (format >= STORE_FORMAT_INHERITANCE) +
           2 * (format >= STORE_FORMAT_SAMPLE_ROWS) + 6 * (format >= STORE_FORMAT_TOUCHED);
}

/* Columns that are computed when they are read, and tables that are programs. */
#define COMPUTED_QUERY                                                                             \
    "SELECT count(*) FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS c "                    \
    "WHERE s.type = 'table' AND (c.hidden OR s.rootpage = 0)"
#define SQLITE_MAGIC "SQLite format 3"

static bool database_cannot_open(struct database *database, int number)
{
    return database_refuse(database, "cannot open %s: %s; give the file that heapline run wrote",
                           database->path, strerror(number));
}

/* Looks at the file as a file. */
static bool database_check_file(struct database *database)
{
    CLEANUP(cleanup_close) int file = open(database->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0)
        return database_cannot_open(database, errno);
    if (S_ISDIR(status.st_mode))
        return database_cannot_open(database, EISDIR);
    if (!S_ISREG(status.st_mode))
        return database_refuse(database,
                               "%s is not a plain file; give one that heapline run "
                               "wrote",
                               database->path);
    if (status.st_size == 0)
        return database_refuse(database,
                               "%s is empty: the recording ended before it began; "
                               "record the program again",
                               database->path);
    char magic[sizeof SQLITE_MAGIC] = "";
    if (read(file, magic, sizeof magic) < 0)
        return database_cannot_open(database, errno);
    if (memcmp(magic, SQLITE_MAGIC, sizeof magic))
        return database_refuse(database,
                               "%s is not a recording (it is no SQLite file); give one "
                               "that heapline run wrote",
                               database->path);
    return true;
}

/* The file's name as a URI, so that what looks like a parameter in it is none. */
static char *database_uri(const char *path, const char *parameters)
{
    static const char hexadecimal[] = "0123456789abcdef";
    char *uri = memory_new(strlen(path) * 3 + strlen(parameters) + 16, 1);
    char *out = stpcpy(uri, *path == '/' ? "file:" : "file:./");
    for (; *path; path++) {
        if (strchr("?#%", *path)) {
            *out++ = '%';
            *out++ = hexadecimal[(unsigned char)*path >> 4];
            *out++ = hexadecimal[*path & 15];
        } else {
            *out++ = *path;
        }
    }
    strcpy(out, parameters);
    return uri;
}

static bool database_run(struct database *database, const char *statement)
{
    return sqlite3_exec(database->connection, statement, NULL, NULL, NULL) == SQLITE_OK;
}

static bool database_connect(struct database *database, const char *path, const char *parameters)
{
    CLEANUP(cleanup_free) char *uri = database_uri(path, parameters);
    sqlite3_close_v2(database->connection);
    if (sqlite3_open_v2(uri, &database->connection, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) !=
        SQLITE_OK)
        return false;
    sqlite3_busy_timeout(database->connection, BUSY_PATIENCE);
    bool begun = database_run(database, "PRAGMA cell_size_check = ON; BEGIN");
    guard_set(database);
    return begun && database_run(database, "SELECT count(*) FROM sqlite_schema");
}

static bool database_connect_to_copy(struct database *database)
{
    struct leftover_copy copy;
    bool made = leftover_make_copy(&copy, database->path);
    if (!made)
        database_refuse(database, "cannot copy %s, which cannot be read in its folder: %s",
                        database->path, strerror(errno));
    bool connected = made && database_connect(database, copy.path, "");
    leftover_remove_copy(&copy);
    return connected;
}

static bool database_open(struct database *database)
{
    if (database_connect(database, database->path, ""))
        return true;
    int code = sqlite3_errcode(database->connection);
    if (code != SQLITE_CANTOPEN && code != SQLITE_READONLY)
        return false;
    return leftover_is_there(database->path)
               ? database_connect_to_copy(database)
               : database_connect(database, database->path, "?immutable=1");
}

/* Asks for one number. */
static bool database_number(struct database *database, const char *query, int64_t *number)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, database, query))
        return false;
    enum rows_step step = rows_next(&rows);
    if (step == ROWS_END)
        return database_damaged(database, "its header cannot be read");
    return step == ROWS_ROW && rows_whole(&rows, 0, INT64_MIN, INT64_MAX, number);
}

static bool database_check_format(struct database *database)
{
    int64_t application = 0, format = 0, tables = 0, computed = 0, page_size = 0;
    struct stat status;
    if (!database_number(database, "PRAGMA application_id", &application) ||
        !database_number(database, "PRAGMA user_version", &format) ||
        !database_number(database, TABLES_QUERY, &tables) ||
        !database_number(database, "PRAGMA page_size", &page_size))
        return false;
    if (application != STORE_APPLICATION_ID)
        return database_refuse(database,
                               "%s is an SQLite file but not a recording; give one "
                               "that heapline run wrote",
                               database->path);
    if (format > STORE_FORMAT)
        return database_refuse(database,
                               "%s has format %" PRId64 ", this heapline reads %d; "
                               "use a newer heapline",
                               database->path, format, STORE_FORMAT);
    if (format < 1 || tables != tables_of(format))
        return database_damaged(database, "its tables are not those of format %d", STORE_FORMAT);
    if (!database_number(database, COMPUTED_QUERY, &computed))
        return false;
    if (computed)
        return database_damaged(database, "it has columns that are computed");
    database->format = format;
    /* SQLite itself notices when whole pages are missing, not a part of the last one. */
    if (stat(database->path, &status) == 0 && page_size > 0 && status.st_size % page_size)
        return database_damaged(database, "its end is missing");
    return true;
}

bool database_init(struct database *database, const char *path, struct progress *progress)
{
    *database = (struct database){.path = path, .progress = progress};
    if (!database_check_file(database))
        return false;
    leftover_fold(path);
    return database_open(database) ? database_check_format(database) : database_failed(database);
}

void database_deinit(struct database *database)
{
    sqlite3_close_v2(database->connection);
    if (database->connection) /* its collector may have ended meanwhile */
        leftover_fold(database->path);
    database->connection = NULL;
}
