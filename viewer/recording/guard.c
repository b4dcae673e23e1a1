/*
 * SQLite asks before it compiles each part of a statement whether it may (an authorizer). The
 * reply is a list of what may be: to select, to read a column, to recurse, to call a function that
 * computes something and touches nothing, and pragmas that tell and change nothing. What is on no
 * list is refused, also what a later SQLite brings. Attaching would open other files, writing into
 * a temporary table is writing, and COMMIT would end the transaction that shows one moment of a
 * file that grows, and that keeps VACUUM INTO from writing.
 *
 * A recording comes from anywhere, and its schema is SQL that its maker wrote. Triggers do not run,
 * nothing is read through a view unless that is asked for, and then under the same rules. Modules
 * of virtual tables are taken away before anything could be connected to one: those of full-text
 * and spatial search parse what lies in the file. The limits are far above what a query by hand
 * needs, and no file can be attached at all.
 */
#include "viewer/recording/guard.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The longest row that is read: source files are the biggest things in a recording. */
#define ROW_BYTES_MAX (256 << 20)

static const struct {
    int what, most;
} limits[] = {
    {SQLITE_LIMIT_LENGTH, ROW_BYTES_MAX},
    {SQLITE_LIMIT_SQL_LENGTH, 1000000},
    {SQLITE_LIMIT_COLUMN, 1000},
    {SQLITE_LIMIT_EXPR_DEPTH, 200},
    {SQLITE_LIMIT_COMPOUND_SELECT, 100},
    {SQLITE_LIMIT_VDBE_OP, 1000000},
    {SQLITE_LIMIT_FUNCTION_ARG, 100},
    {SQLITE_LIMIT_ATTACHED, 0},
    {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
    {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

/* Words between spaces. */
#define FUNCTIONS_ALLOWED                                                                          \
    " -> ->> abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce concat "    \
    "concat_ws cos cosh count cume_dist current_date current_time current_timestamp date "         \
    "datetime degrees dense_rank exp first_value floor format glob group_concat hex if ifnull "    \
    "iif instr json json_array json_array_length json_error_position json_extract "                \
    "json_group_array json_group_object json_insert json_object json_patch json_pretty "           \
    "json_quote json_remove json_replace json_set json_type json_valid julianday lag last_value "  \
    "lead length like likelihood likely ln log log10 log2 lower ltrim max median min mod "         \
    "nth_value ntile nullif octet_length percent_rank percentile percentile_cont "                 \
    "percentile_disc pi pow power printf quote radians random randomblob rank replace round "      \
    "row_number rtrim sign sin sinh soundex sqlite_source_id sqlite_version sqrt strftime "        \
    "string_agg substr substring subtype sum tan tanh time timediff total trim trunc typeof "      \
    "unhex unicode unistr unixepoch unlikely upper zeroblob "
/* Those that take the name of something. */
#define PRAGMAS_OF                                                                                 \
    " foreign_key_check foreign_key_list index_info index_list index_xinfo integrity_check "       \
    "quick_check table_info table_list table_xinfo "
/* Those that would set something if they were given a value. */
#define PRAGMAS_ALLOWED                                                                            \
    " application_id collation_list compile_options data_version database_list encoding "          \
    "freelist_count function_list module_list page_count page_size pragma_list schema_version "    \
    "user_version "

static const char *const modules[] = {"json_each", "json_tree", NULL};

static bool is_in(const char *list, const char *word)
{
    char spaced[64];
    if (!word || strchr(word, ' ') ||
        snprintf(spaced, sizeof spaced, " %s ", word) >= (int)sizeof spaced)
        return false;
    return strcasestr(list, spaced);
}

#define SCHEMA_TABLE "sqlite_master"

/* Connecting to one of our tables compiles its declaration as a CREATE TABLE, whose last step, an
 * UPDATE of the schema, is asked about and never run. A CREATE TABLE of somebody else is refused at
 * its first step, and an UPDATE that is written out by SQLite itself. */
static bool declares_table(int action, const char *table)
{
    return action == SQLITE_UPDATE && table && !strcmp(table, SCHEMA_TABLE);
}

/* The first step of CREATE and DROP of anything is an INSERT into the schema, or a DELETE. */
static const char *name_of(int action, const char *table)
{
    static const char *const names[] = {
        [SQLITE_DELETE] = "DELETE",       [SQLITE_INSERT] = "INSERT",
        [SQLITE_UPDATE] = "UPDATE",       [SQLITE_ATTACH] = "ATTACH",
        [SQLITE_DETACH] = "DETACH",       [SQLITE_ALTER_TABLE] = "ALTER TABLE",
        [SQLITE_ANALYZE] = "ANALYZE",     [SQLITE_REINDEX] = "REINDEX",
        [SQLITE_SAVEPOINT] = "SAVEPOINT",
    };
    bool is_plain = action != SQLITE_INSERT && action != SQLITE_DELETE;
    bool of_schema = table && !strncmp(table, "sqlite_", strlen("sqlite_"));
    bool known = action >= 0 && (size_t)action < sizeof names / sizeof *names && names[action];
    return known && (is_plain || !of_schema) ? names[action] : "changing the schema";
}

static int guard_refuse(struct database *database, const char *what, const char *name,
                        const char *more)
{
    database_refuse(database, "%s%.60s%s is refused: a recording can only be read", what, name,
                    more);
    return SQLITE_DENY;
}

static int guard_decide(void *context, int action, const char *first, const char *second,
                        const char *schema, const char *view)
{
    (void)schema, (void)view;
    struct database *database = context;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return is_in(FUNCTIONS_ALLOWED, second)
                   ? SQLITE_OK
                   : guard_refuse(database, "the function ", second, "()");
    case SQLITE_PRAGMA:
        if (is_in(PRAGMAS_OF, first) || (!second && is_in(PRAGMAS_ALLOWED, first)))
            return SQLITE_OK;
        return guard_refuse(database, second ? "setting PRAGMA " : "PRAGMA ", first, "");
    case SQLITE_TRANSACTION:
        return guard_refuse(database, first, "", "");
    default:
        if (declares_table(action, first))
            return SQLITE_OK;
        return guard_refuse(database, name_of(action, first), "", "");
    }
}

void guard_set(struct database *database)
{
    sqlite3 *connection = database->connection;
    sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        sqlite3_limit(connection, limits[i].what, limits[i].most);
    sqlite3_drop_modules(connection, (const char **)modules);
    sqlite3_set_authorizer(connection, guard_decide, database);
}

void guard_allow_views(struct database *database)
{
    sqlite3_db_config(database->connection, SQLITE_DBCONFIG_ENABLE_VIEW, 1, NULL);
}

bool guard_passes(struct database *database, sqlite3_stmt *statement)
{
    return !statement || sqlite3_stmt_readonly(statement) ||
           guard_refuse(database, "'", sqlite3_sql(statement), "'") == SQLITE_OK;
}
