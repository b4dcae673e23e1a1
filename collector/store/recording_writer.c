/*
 * The recording's writer.
 *
 * What only grows (files, codes, locations, threads, full chunks of nodes) is appended; the last,
 * partial chunk of nodes, a process's row, its counters and its line totals are replaced. The file
 * is in WAL mode while the run goes on, so that it can be read meanwhile, and without syncing: a
 * killed collector loses nothing that was committed, only a crashed kernel could. What says that it
 * is a recording is in the file itself before a WAL stands beside it.
 *
 * Another program may lock the file. Then writing is put off, and nothing waits for it, until the
 * run is over: from then on the writer waits, up to LOCK_PATIENCE_MS. A program that still reads
 * when the file is closed keeps the WAL, or its remains, beside it: the viewer folds them in.
 */
#include "collector/store/recording_writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collector/base/index.h"
#include "collector/book/inheritance.h"
#include "collector/book/run_peak.h"
#include "collector/python/source.h"
#include "collector/python/source_check.h"
#include "store.h"

static const char *const statement_text[STORE_STATEMENTS] = {
    [STORE_MODULE] = "INSERT INTO module VALUES (?, ?, ?, ?)",
    [STORE_MODULE_NOTE] = "UPDATE module SET note = ?2 WHERE id = ?1",
    [STORE_FILE] = "INSERT INTO file VALUES (?, ?, ?, ?)",
    [STORE_SOURCE] = "INSERT OR REPLACE INTO source VALUES (?, ?, ?)",
    [STORE_READ_SOURCE] = "SELECT bytes, text FROM source WHERE file = ?",
    [STORE_FORGET_SOURCE] = "DELETE FROM source WHERE file = ?",
    [STORE_CODE] = "INSERT INTO code VALUES (?, ?, ?, ?)",
    [STORE_LOCATION] = "INSERT INTO location VALUES (?, ?, ?)",
    [STORE_THREAD] = "INSERT INTO thread VALUES (?, ?, ?, ?)"
                     " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    [STORE_NODES] = "INSERT OR REPLACE INTO node_chunk VALUES (?, ?, ?)",
    [STORE_FORGET_COUNTERS] = "DELETE FROM counter_chunk WHERE process = ? AND first >= ?",
    [STORE_COUNTERS] = "INSERT OR REPLACE INTO counter_chunk VALUES (?, ?, ?, ?)",
    [STORE_HISTORY] = "INSERT INTO history_chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [STORE_CHECKPOINT] = "INSERT INTO checkpoint_chunk VALUES (?, ?, ?, ?, ?)",
    [STORE_SLICE] = "INSERT INTO slice_chunk VALUES (?, ?, ?, ?, ?, ?)",
    [STORE_FORGET_SAMPLES] = "DELETE FROM sample WHERE process = ?",
    [STORE_SAMPLE] = "INSERT OR REPLACE INTO sample VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [STORE_LINE] = "INSERT OR REPLACE INTO line_total VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    [STORE_PROCESS] = "INSERT OR REPLACE INTO process VALUES "
                      "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STORE_ENDING] = "INSERT OR REPLACE INTO ending VALUES (?, ?, ?, ?, ?, ?, ?)",
    [STORE_REFUSAL] = "INSERT OR REPLACE INTO refusal VALUES (?, ?)",
    [STORE_INHERITANCE] = "INSERT OR REPLACE INTO inheritance VALUES (?, ?, ?, ?)",
    [STORE_SETTING] = "INSERT OR REPLACE INTO setting VALUES (?, ?, ?)",
    [STORE_LATE_STATUS] = "UPDATE process SET exit_status = ?2, signal = ?3 WHERE id = ?1",
    [STORE_LATE_ENDING] = "UPDATE ending SET core_dumped = ?2, out_of_memory = ?3, "
                          "collector_bytes = ?4 WHERE process = ?1",
    [STORE_RUN] = "UPDATE run SET seconds = ?, complete = ?, trouble = ?",
    [STORE_PEAK] = "INSERT OR REPLACE INTO run_peak VALUES (1, ?, ?, ?)",
    [STORE_FORGET_POSITIONS] = "DELETE FROM run_peak_process",
    [STORE_POSITION] = "INSERT INTO run_peak_process VALUES (?, ?, ?, ?)",
    [STORE_LINEAGE] = "INSERT OR REPLACE INTO lineage VALUES (?, ?)",
    [STORE_ABSENCE] = "INSERT OR REPLACE INTO absence VALUES (?, ?)",
};

__attribute__((format(printf, 2, 3))) static bool fail(struct recording_writer *writer,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!writer->trouble[0])
        vsnprintf(writer->trouble, sizeof writer->trouble, format, arguments);
    va_end(arguments);
    return false;
}

static bool fail_database(struct recording_writer *writer)
{
    /* SQLite's own word for all of these is "disk I/O error". */
    int cause = sqlite3_errcode(writer->database) == SQLITE_IOERR
                    ? sqlite3_system_errno(writer->database)
                    : 0;
    return fail(writer, "the recording could not be written on: %s",
                cause ? strerror(cause) : sqlite3_errmsg(writer->database));
}

static bool execute(struct recording_writer *writer, const char *sql)
{
    return sqlite3_exec(writer->database, sql, NULL, NULL, NULL) == SQLITE_OK ||
           fail_database(writer);
}

/* Binds by format: i int64; d double; I, D the same behind an int that says whether there is a
 * value; s text, null allowed; b blob and its size. Runs. */
static bool put(struct recording_writer *writer, enum recording_statement which, const char *format,
                ...)
{
    sqlite3_stmt *statement = writer->statements[which];
    va_list values;
    va_start(values, format);
    for (int i = 1; format[i - 1]; i++) {
        const void *data;
        char kind = format[i - 1];
        bool present = (kind != 'I' && kind != 'D') || va_arg(values, int);
        sqlite3_bind_null(statement, i);
        if (kind == 's') {
            sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, SQLITE_STATIC);
        } else if (kind == 'b') {
            data = va_arg(values, const void *);
            sqlite3_bind_blob64(statement, i, data, va_arg(values, sqlite3_uint64), SQLITE_STATIC);
        } else if (kind == 'd' || kind == 'D') {
            double value = va_arg(values, double);
            if (present)
                sqlite3_bind_double(statement, i, value);
        } else {
            sqlite3_int64 value = va_arg(values, sqlite3_int64);
            if (present)
                sqlite3_bind_int64(statement, i, value);
        }
    }
    va_end(values);
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    return done || fail_database(writer);
}

#define INTEGER(value) ((sqlite3_int64)(value))

/* --- transactions ------------------------------------------------------------------------------
 */

#define WAL_TRIES        10
#define LOCK_PAUSE_MS    20
#define LOCK_PATIENCE_MS 30000
/* After so long the user is told what is being waited for. */
#define LOCK_TOLD_MS 1000

/* SQLite's busy handler. */
static int wait_for_lock(void *context, int times)
{
    struct recording_writer *writer = context;
    (void)times; /* of this wait: all of them together have an end */
    if (!writer->is_patient || writer->pauses >= LOCK_PATIENCE_MS / LOCK_PAUSE_MS)
        return 0;
    if (writer->pauses++ == LOCK_TOLD_MS / LOCK_PAUSE_MS && writer->may_tell)
        dprintf(STDERR_FILENO, "heapline: waiting for another program that uses the recording\n");
    nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_MS * 1000000L}, NULL);
    return 1;
}

void recording_be_patient(struct recording_writer *writer, bool may_tell)
{
    writer->may_tell = may_tell;
    writer->is_patient = true;
}

/* A transaction that writes, from its beginning on: nothing in it finds the file locked. */
static bool begin(struct recording_writer *writer)
{
    int result = sqlite3_exec(writer->database, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    return result == SQLITE_OK ||
           ((result != SQLITE_BUSY || writer->is_patient) && fail_database(writer));
}

/* Where the file system can have no WAL those who read are waited for. */
static bool commit(struct recording_writer *writer)
{
    bool is_patient = writer->is_patient;
    writer->is_patient = true;
    bool done = execute(writer, "COMMIT");
    writer->is_patient = is_patient;
    return done;
}

bool recording_begin(struct recording_writer *writer)
{
    return writer->in_batch = !writer->trouble[0] && begin(writer);
}

static void roll_back(struct recording_writer *writer)
{
    sqlite3_exec(writer->database, "ROLLBACK", NULL, NULL, NULL);
    writer->in_batch = false;
}

bool recording_commit(struct recording_writer *writer)
{
    bool done = writer->in_batch && commit(writer);
    if (writer->in_batch && !done)
        roll_back(writer);
    writer->in_batch = false;
    return done;
}

/* A transaction of its own, unless there is a batch. */
static bool begin_transaction(struct recording_writer *writer)
{
    return !writer->trouble[0] && (writer->in_batch || begin(writer));
}

/* `done`: all that was to be written is. */
static bool end_transaction(struct recording_writer *writer, bool done)
{
    if (done && (writer->in_batch || commit(writer)))
        return true;
    roll_back(writer);
    return false;
}

/* --- creation ----------------------------------------------------------------------------------
 */

static bool prepare_all(struct recording_writer *writer)
{
    for (int i = 0; i < STORE_STATEMENTS; i++)
        if (sqlite3_prepare_v3(writer->database, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &writer->statements[i], NULL) != SQLITE_OK)
            return fail_database(writer);
    return true;
}

static bool insert_run(struct recording_writer *writer, const struct recorded_run *run)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(writer->database,
                           "INSERT INTO run VALUES (1, ?, ?, ?, ?, ?, NULL, 0, NULL)", -1,
                           &statement, NULL) != SQLITE_OK)
        return fail_database(writer);
    sqlite3_bind_text(statement, 1, HEAPLINE_VERSION, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, run->command, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, run->directory, -1, SQLITE_STATIC);
    sqlite3_bind_double(statement, 4, run->started);
    sqlite3_bind_int(statement, 5, run->keeps_history);
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return done || fail_database(writer);
}

/* Is the file in WAL mode? */
static bool has_wal(struct recording_writer *writer)
{
    sqlite3_stmt *statement = NULL;
    bool has = sqlite3_prepare_v2(writer->database, "PRAGMA journal_mode", -1, &statement, NULL) ==
                   SQLITE_OK &&
               sqlite3_step(statement) == SQLITE_ROW &&
               strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    sqlite3_finalize(statement);
    return has;
}

/* WAL mode is the file's, and this connection's only once it has read: until then a reader who
 * finds nobody else would fold the WAL in. Some file systems cannot have one. */
static bool enter_wal(struct recording_writer *writer)
{
    bool done = true;
    for (int i = 0; done && i < WAL_TRIES && (i == 0 || !has_wal(writer)); i++)
        done = execute(writer, "PRAGMA journal_mode = WAL; SELECT count(*) FROM run");
    return done;
}

/* The tables are in the file before it has a WAL. */
static bool create_tables(struct recording_writer *writer, const struct recorded_run *run)
{
    sqlite3_busy_handler(writer->database, wait_for_lock, writer);
    writer->is_patient = true;
    bool done = execute(writer, "PRAGMA synchronous = OFF; PRAGMA cache_size = -1024; BEGIN") &&
                execute(writer, store_sql) && insert_run(writer, run) && commit(writer) &&
                enter_wal(writer) && prepare_all(writer);
    writer->is_patient = false;
    return done;
}

bool recording_create(struct recording_writer *writer, const char *path, bool force,
                      const struct recorded_run *run)
{
    *writer = (struct recording_writer){.files = 1, .codes = 1, .locations = 1, .nodes = 1};
    if (!recording_file_create(&writer->file, path, force, writer->trouble, sizeof writer->trouble))
        return false;
    writer->path = path;
    if (chunk_writer_init(&writer->chunk) &&
        sqlite3_open_v2(path, &writer->database, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        create_tables(writer, run)) {
        recording_file_note_wal(&writer->file, path);
        return true;
    }
    if (!writer->trouble[0])
        fail(writer, "cannot create %s: %s", recording_path_end(path),
             sqlite3_errmsg(writer->database));
    recording_close(writer);
    unlink(path);
    return false;
}

/* --- what only grows ---------------------------------------------------------------------------
 */

struct written_module {
    bool is_written;
    const char *note;
};

/* A module is written when the first of its files is: of many others no stack says anything. */
static bool append_module(struct recording_writer *writer, const struct native_module *module,
                          uint32_t number)
{
    char id[2 * BUILD_ID_BYTES_MAX + 1];
    if (!vector_reserve(&writer->modules, (size_t)number + 1, sizeof(struct written_module)))
        return fail(writer, "the recording could not be written on: memory is short");
    struct written_module *written = (struct written_module *)writer->modules.data + number;
    writer->module_count = number < writer->module_count ? writer->module_count : number + 1;
    if (written->is_written)
        return true;
    *written = (struct written_module){true, module->note};
    return put(writer, STORE_MODULE, "isss", INTEGER(number), module->path,
               build_id_text(&module->facts.build_id, id) ? id : NULL, module->note);
}

/* Names are asked for as they appear, and what is wrong with a module is seen then. */
static bool renew_notes(struct recording_writer *writer, const struct native_modules *modules)
{
    struct written_module *written = writer->modules.data;
    for (uint32_t i = 1; i < writer->module_count; i++) {
        const char *note = native_modules_get(modules, i)->note;
        if (!written[i].is_written || written[i].note == note)
            continue;
        written[i].note = note;
        if (!put(writer, STORE_MODULE_NOTE, "is", INTEGER(i), note))
            return false;
    }
    return true;
}

static bool put_source(struct recording_writer *writer, uint32_t number, size_t bytes,
                       const void *packed, size_t packed_bytes)
{
    return put(writer, STORE_SOURCE, "iib", INTEGER(number), INTEGER(bytes), packed,
               (sqlite3_uint64)packed_bytes);
}

static bool set_source_state(struct recording_writer *writer, uint32_t number,
                             enum source_state state)
{
    if (!vector_reserve(&writer->sources, (size_t)number + 1, sizeof(uint8_t)))
        return false;
    ((uint8_t *)writer->sources.data)[number] = (uint8_t)state;
    return true;
}

/* A library itself is no text. */
static bool append_source(struct recording_writer *writer, const struct code_file *file,
                          const struct native_module *module, uint32_t number)
{
    size_t packed_bytes, bytes;
    const struct source_date date = {module ? module->changed : file->seen, !module};
    if (module && strcmp(module->path, file->path) == 0)
        return true;
    if (writer->source_bytes >= SOURCE_BYTES_ALL_MAX) {
        writer->sources_left_out++;
        return true;
    }
    bytes = file->text ? strlen(file->text) : 0;
    void *packed = file->text ? source_pack(file->text, bytes, &packed_bytes)
                              : source_read(file->root, file->path, &date, &packed_bytes, &bytes);
    writer->source_bytes += packed ? bytes : 0;
    bool done = !packed || (!module && !set_source_state(writer, number, SOURCE_KEPT)) ||
                put_source(writer, number, bytes, packed, packed_bytes);
    free(packed);
    return done;
}

static bool append_file(struct recording_writer *writer, const struct run *run, uint32_t number)
{
    const struct code_file *file = codes_file(&run->stacks.codes, number);
    const struct native_module *module =
        native_modules_get(&run->stacks.native.modules, file->module);
    char *package = module ? packages_find_native(&writer->packages, file->root, module->path)
                           : packages_find(&writer->packages, file->root, file->path);
    bool done = (!module || append_module(writer, module, file->module)) &&
                put(writer, STORE_FILE, "issI", INTEGER(number), file->path,
                    package ? package : "program", (int)(module != NULL), INTEGER(file->module)) &&
                append_source(writer, file, module, number);
    free(package);
    return done;
}

/* --- is it their text? -------------------------------------------------------------------------
 */

static enum source_state source_state(const struct recording_writer *writer, uint32_t file)
{
    const uint8_t *states = writer->sources.data;
    return file < writer->sources.bytes ? (enum source_state)states[file] : SOURCE_NONE;
}

static void refute_source(struct recording_writer *writer, uint32_t file)
{
    ((uint8_t *)writer->sources.data)[file] = SOURCE_REFUTED;
}

static bool forget_refuted(struct recording_writer *writer, uint32_t file_count)
{
    for (uint32_t i = 1; i < file_count; i++)
        if (source_state(writer, i) == SOURCE_REFUTED &&
            !put(writer, STORE_FORGET_SOURCE, "i", INTEGER(i)))
            return false;
    return true;
}

/* Can the codes with these numbers all be of the text that stands in the file? */
static bool text_fits(struct recording_writer *writer, const struct codes *codes,
                      const uint32_t *numbers, uint32_t count)
{
    const struct code *first = codes_code(codes, numbers[0]);
    sqlite3_stmt *statement = writer->statements[STORE_READ_SOURCE];
    struct source_text source = {0};
    sqlite3_bind_int64(statement, 1, first->file);
    size_t bytes = 0;
    char *text = NULL;
    if (sqlite3_step(statement) == SQLITE_ROW) {
        bytes = (size_t)sqlite3_column_int64(statement, 0);
        text = source_unpack(sqlite3_column_blob(statement, 1),
                             (size_t)sqlite3_column_bytes(statement, 1), bytes);
    }
    sqlite3_reset(statement);
    bool fits = text && source_text_init(&source, text, bytes);
    for (uint32_t i = 0; fits && i < count; i++)
        fits = source_fits(&source, codes_file(codes, first->file)->path, codes,
                           codes_code(codes, numbers[i]));
    source_text_deinit(&source);
    free(text);
    return fits;
}

static int compare_by_file(const void *a, const void *b, void *codes)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    uint32_t file = codes_code(codes, one)->file, other_file = codes_code(codes, other)->file;
    return (file > other_file) - (file < other_file);
}

/* Refutes the texts that are not what these codes were made of. */
static void check_texts(struct recording_writer *writer, const struct codes *codes,
                        uint32_t *numbers, uint32_t count)
{
    qsort_r(numbers, count, sizeof *numbers, compare_by_file, (void *)(uintptr_t)codes);
    for (uint32_t from = 0, to; from < count; from = to) {
        uint32_t file = codes_code(codes, numbers[from])->file;
        for (to = from; to < count && codes_code(codes, numbers[to])->file == file;)
            to++;
        if (!text_fits(writer, codes, numbers + from, to - from))
            refute_source(writer, file);
    }
}

static bool is_stored(const struct recording_writer *writer, uint32_t file)
{
    enum source_state state = source_state(writer, file);
    return state == SOURCE_KEPT || state == SOURCE_TOLD;
}

/* Refutes the texts that are not what codes were made of which have come since the last time, or
 * of files that have been refuted since. */
static bool check_new_codes(struct recording_writer *writer, const struct codes *codes)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i < codes->file_count; i++) {
        const struct code_file *file = codes_file(codes, i);
        enum source_state state = source_state(writer, i);
        if ((file->is_refuted && state == SOURCE_KEPT) ||
            (file->is_told_twice && state == SOURCE_TOLD))
            refute_source(writer, i);
    }
    uint32_t *numbers = malloc((codes->code_count - writer->codes + 1) * sizeof *numbers);
    if (!numbers)
        return fail(writer, "the recording could not be written on: memory is short");
    for (uint32_t i = writer->codes; i < codes->code_count; i++)
        if (is_stored(writer, codes_code(codes, i)->file))
            numbers[count++] = i;
    check_texts(writer, codes, numbers, count);
    free(numbers);
    return true;
}

/* --- what processes have in memory ------------------------------------------------------------ */

/* Is there one for a file that has no text, or not its own? */
static bool is_wanted(const struct recording_writer *writer, const struct code_file *file,
                      uint32_t number)
{
    enum source_state state = source_state(writer, number);
    return file->told && !file->is_told_twice && (state == SOURCE_NONE || state == SOURCE_REFUTED);
}

static bool adopt_told(struct recording_writer *writer, const struct code_file *file,
                       uint32_t number)
{
    size_t packed_bytes, bytes = strlen(file->told);
    if (writer->source_bytes >= SOURCE_BYTES_ALL_MAX) {
        writer->sources_left_out++;
        return true;
    }
    void *packed = source_pack(file->told, bytes, &packed_bytes);
    writer->source_bytes += packed ? bytes : 0;
    bool done = !packed || !set_source_state(writer, number, SOURCE_TOLD) ||
                put_source(writer, number, bytes, packed, packed_bytes);
    free(packed);
    return done;
}

/* All codes of a file with such a text are looked up in it: some came before it did. */
static bool check_told(struct recording_writer *writer, struct codes *codes)
{
    uint32_t *numbers = malloc(codes->code_count * sizeof *numbers), count = 0;
    if (!numbers)
        return fail(writer, "the recording could not be written on: memory is short");
    for (uint32_t i = 1; i < codes->code_count; i++) {
        uint32_t file = codes_code(codes, i)->file;
        if (source_state(writer, file) == SOURCE_TOLD && codes_file(codes, file)->told)
            numbers[count++] = i;
    }
    check_texts(writer, codes, numbers, count);
    free(numbers);
    return true;
}

static bool append_told(struct recording_writer *writer, struct codes *codes)
{
    bool any = false;
    for (uint32_t i = 1; i < codes->file_count; i++) {
        const struct code_file *file = codes_file(codes, i);
        if (!is_wanted(writer, file, i))
            continue;
        if (!adopt_told(writer, file, i))
            return false;
        any = true;
    }
    if (any && !check_told(writer, codes))
        return false;
    for (uint32_t i = 1; any && i < codes->file_count; i++)
        if (source_state(writer, i) != SOURCE_KEPT)
            codes_drop_told(codes, i);
    return true;
}

static bool append_codes(struct recording_writer *writer, struct run *run)
{
    struct codes *codes = &run->stacks.codes;
    for (uint32_t i = writer->files; i < codes->file_count; i++)
        if (!append_file(writer, run, i))
            return false;
    for (uint32_t i = writer->codes; i < codes->code_count; i++) {
        const struct code *code = codes_code(codes, i);
        if (!put(writer, STORE_CODE, "iisi", INTEGER(i), INTEGER(code->file), code->name,
                 INTEGER(code->first_line)))
            return false;
    }
    if (!check_new_codes(writer, codes) || !append_told(writer, codes) ||
        !forget_refuted(writer, codes->file_count))
        return false;
    for (uint32_t i = writer->locations; i < codes->location_count; i++) {
        const struct location *location = codes_location(codes, i);
        if (!put(writer, STORE_LOCATION, "iii", INTEGER(i), INTEGER(location->code),
                 INTEGER(location->line)))
            return false;
    }
    return true;
}

static bool append_nodes(struct recording_writer *writer, const struct stack_tree *tree)
{
    /* Chunks begin at multiples of CHUNK_ROWS, the first one at node 1. */
    for (uint32_t first = writer->nodes; first < tree->count;) {
        uint32_t end = (first / CHUNK_ROWS + 1) * CHUNK_ROWS;
        end = end < tree->count ? end : tree->count;
        for (uint32_t i = first; i < end; i++) {
            const struct node *node = stack_tree_node(tree, i);
            chunk_add_node(&writer->chunk, i,
                           &(struct node_row){.parent = node->parent, .location = node->location});
        }
        const uint8_t *data;
        size_t size = chunk_writer_finish(&writer->chunk, &data);
        if (!size)
            return fail(writer, "the recording could not be written on: compression failed");
        if (!put(writer, STORE_NODES, "iib", INTEGER(first), INTEGER(end - first), data,
                 (sqlite3_uint64)size))
            return false;
        first = end;
    }
    return true;
}

static bool append_threads(struct recording_writer *writer, const struct process *process)
{
    const struct thread_row *rows = process->book.threads.list.data;
    for (uint32_t i = process->book.threads.written; i < process->book.threads.count; i++)
        if (!put(writer, STORE_THREAD, "iiis", INTEGER(rows[i].number),
                 INTEGER(process->peer.number), INTEGER(rows[i].tid), rows[i].name))
            return false;
    return true;
}

static bool put_chunk(struct recording_writer *writer, const struct process *process,
                      const struct history_chunk *chunk)
{
    const struct history_span *span = &chunk->span;
    const uint8_t *events = chunk->data + chunk->summary_size;
    return put(writer, STORE_HISTORY, "iiiiiibbb", INTEGER(process->peer.number),
               INTEGER(span->first_event), INTEGER(span->events), INTEGER(span->first_block),
               INTEGER(span->started_us), INTEGER(span->ended_us), chunk->data,
               (sqlite3_uint64)chunk->summary_size, events + chunk->events_size,
               (sqlite3_uint64)chunk->lifetimes_size, events, (sqlite3_uint64)chunk->events_size);
}

static bool put_part(struct recording_writer *writer, const struct process *process,
                     const struct history_part *part)
{
    const struct history_place *place = &part->place;
    switch (place->kind) {
    case HISTORY_PART_CHUNK:
        return put_chunk(writer, process, part->chunk);
    case HISTORY_PART_CHECKPOINT:
        return put(writer, STORE_CHECKPOINT, "iiiib", INTEGER(process->peer.number),
                   INTEGER(place->event), INTEGER(place->first), INTEGER(part->rows), part->data,
                   (sqlite3_uint64)part->size);
    case HISTORY_PART_SLICE:
        return put(writer, STORE_SLICE, "iidiib", INTEGER(process->peer.number),
                   INTEGER(place->event), place->time, INTEGER(place->first), INTEGER(part->rows),
                   part->data, (sqlite3_uint64)part->size);
    }
    return false;
}

static bool append_history(struct recording_writer *writer, struct process *process)
{
    bool done = true;
    for (struct history_part *part; done && (part = history_queue_take(&process->book.history));) {
        done = put_part(writer, process, part);
        history_part_free(part);
    }
    return done;
}

static bool put_sample(struct recording_writer *writer, const struct process *process,
                       const struct sample *sample)
{
    const uint64_t *by = sample->by_allocator;
    return put(writer, STORE_SAMPLE, "idiiiiiiIII", INTEGER(process->peer.number), sample->time,
               INTEGER(by[WIRE_ALLOCATOR_MALLOC]), INTEGER(by[WIRE_ALLOCATOR_RAW]),
               INTEGER(by[WIRE_ALLOCATOR_MEM]), INTEGER(by[WIRE_ALLOCATOR_OBJECT]),
               INTEGER(by[WIRE_ALLOCATOR_MMAP]), INTEGER(sample->most),
               (int)(sample->resident != SAMPLE_UNKNOWN), INTEGER(sample->resident),
               (int)(sample->proportional != SAMPLE_UNKNOWN), INTEGER(sample->proportional),
               (int)(sample->swapped != SAMPLE_UNKNOWN), INTEGER(sample->swapped));
}

/* Samples that have become others replace what the file has. */
static bool append_samples(struct recording_writer *writer, const struct process *process)
{
    const struct samples *samples = &process->book.samples;
    if (samples->written == 0 &&
        !put(writer, STORE_FORGET_SAMPLES, "i", INTEGER(process->peer.number)))
        return false;
    for (uint32_t i = samples->written; i < samples->count; i++)
        if (!put_sample(writer, process, &samples->list[i]))
            return false;
    return true;
}

static bool append_all(struct recording_writer *writer, struct run *run, struct process *process)
{
    return append_codes(writer, run) && renew_notes(writer, &run->stacks.native.modules) &&
           append_nodes(writer, &run->stacks.tree) && append_threads(writer, process) &&
           append_history(writer, process) && append_samples(writer, process);
}

/* --- a process's counters ----------------------------------------------------------------------
 */

struct line_sums {
    uint32_t location;
    uint8_t allocator;
    struct counter_row sums;
};

/* One pass over a process's counters: chunks and sums by line. */
struct counter_pass {
    struct recording_writer *writer;
    const struct run *run;
    const struct process *process;
    uint32_t end_at; /* next entry of book.end.entries */
    uint32_t rows;   /* written so far */
    struct index by_line;
    struct vector lines; /* struct line_sums; element 0 unused */
    uint32_t line_count;
};

/* What the counter held at the end of the program's own code. */
static void fill_end(struct counter_pass *pass, uint32_t number, struct counter_row *row)
{
    const struct process *process = pass->process;
    if (!process->book.end.seen) {
        row->end_blocks = row->leaked_blocks;
        row->end_bytes = row->leaked_bytes;
        return;
    }
    const struct end_entry *entries = process->book.end.entries.data;
    if (pass->end_at < process->book.end.count && entries[pass->end_at].counter == number) {
        row->end_blocks = entries[pass->end_at].blocks;
        row->end_bytes = entries[pass->end_at].bytes;
        pass->end_at++;
    }
}

static bool flush_counters(struct counter_pass *pass)
{
    uint32_t rows = pass->writer->chunk.rows;
    if (rows == 0)
        return true;
    const uint8_t *data;
    size_t size = chunk_writer_finish(&pass->writer->chunk, &data);
    if (!size)
        return fail(pass->writer, "the recording could not be written on: compression failed");
    uint32_t first = pass->rows;
    pass->rows += rows;
    return put(pass->writer, STORE_COUNTERS, "iiib", INTEGER(pass->process->peer.number),
               INTEGER(first), INTEGER(rows), data, (sqlite3_uint64)size);
}

static bool add_to_line(struct counter_pass *pass, const struct counter_row *row)
{
    uint32_t location = stack_tree_node(&pass->run->stacks.tree, row->node)->location;
    uint32_t *at = index_at(&pass->by_line, (uint64_t)location << 8 | row->allocator);
    if (!at)
        return fail(pass->writer, "the recording could not be written on: memory is short");
    if (!*at) {
        uint32_t count = pass->line_count + 1;
        if (!vector_reserve(&pass->lines, (size_t)count + 1, sizeof(struct line_sums)))
            return fail(pass->writer, "the recording could not be written on: memory is short");
        ((struct line_sums *)pass->lines.data)[count] =
            (struct line_sums){.location = location, .allocator = row->allocator};
        *at = pass->line_count = count;
    }
    struct counter_row *sums = &((struct line_sums *)pass->lines.data)[*at].sums;
    sums->allocations += row->allocations;
    sums->allocated_bytes += row->allocated_bytes;
    sums->peak_blocks += row->peak_blocks;
    sums->peak_bytes += row->peak_bytes;
    sums->end_blocks += row->end_blocks;
    sums->end_bytes += row->end_bytes;
    sums->leaked_blocks += row->leaked_blocks;
    sums->leaked_bytes += row->leaked_bytes;
    return true;
}

/* What a child holds less than at the fork is what it has freed. */
static void tell_as_freed(struct counter_row *row)
{
    uint64_t *const blocks[] = {&row->peak_blocks, &row->end_blocks, &row->leaked_blocks};
    uint64_t *const bytes[] = {&row->peak_bytes, &row->end_bytes, &row->leaked_bytes};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        *blocks[i] = (uint32_t) - *blocks[i];
        *bytes[i] = -*bytes[i];
    }
}

static bool write_counter(struct counter_pass *pass, uint32_t number)
{
    struct counter *counter = counters_at(&pass->process->book.counters, number);
    counter_settle(counter, &pass->process->book.sums);
    struct counter_row row = {.node = counter->node,
                              .thread = counter->thread,
                              .allocator = counter->allocator,
                              .size_class = counter->size_class,
                              .allocations = counter->allocations,
                              .allocated_bytes = counter->allocated_bytes,
                              .peak_blocks = counter->peak_blocks,
                              .peak_bytes = counter->peak_bytes,
                              .leaked_blocks = counter->blocks,
                              .leaked_bytes = counter->bytes,
                              .temporary_blocks = counter->temporary_blocks,
                              .temporary_bytes = counter->temporary_bytes};
    fill_end(pass, number, &row);
    if (counter->inherited)
        tell_as_freed(&row);
    chunk_add_counter(&pass->writer->chunk, &row);
    return (counter->inherited || add_to_line(pass, &row)) &&
           (pass->writer->chunk.rows < CHUNK_ROWS || flush_counters(pass));
}

static bool write_lines(const struct counter_pass *pass)
{
    const struct line_sums *lines = pass->lines.data;
    for (uint32_t i = 1; i <= pass->line_count; i++) {
        const struct counter_row *sums = &lines[i].sums;
        if (!put(pass->writer, STORE_LINE, "iiiiiiiiiii", INTEGER(pass->process->peer.number),
                 INTEGER(lines[i].location), INTEGER(lines[i].allocator),
                 INTEGER(sums->allocations), INTEGER(sums->allocated_bytes),
                 INTEGER(sums->peak_blocks), INTEGER(sums->peak_bytes), INTEGER(sums->end_blocks),
                 INTEGER(sums->end_bytes), INTEGER(sums->leaked_blocks),
                 INTEGER(sums->leaked_bytes)))
            return false;
    }
    return true;
}

static bool write_counters(struct recording_writer *writer, const struct run *run,
                           const struct process *process)
{
    struct counter_pass pass = {.writer = writer, .run = run, .process = process};
    bool done = index_init(&pass.by_line);
    if (!done)
        fail(writer, "the recording could not be written on: memory is short");
    for (uint32_t i = 1; done && i < process->book.counters.count; i++)
        done = write_counter(&pass, i);
    done = done && flush_counters(&pass) &&
           put(writer, STORE_FORGET_COUNTERS, "ii", INTEGER(process->peer.number),
               INTEGER(pass.rows)) &&
           write_lines(&pass);
    index_deinit(&pass.by_line);
    vector_deinit(&pass.lines);
    return done;
}

/* --- rows and transactions ---------------------------------------------------------------------
 */

static void version_text(uint32_t version, char *text, size_t size)
{
    static const char *const levels[] = {[0xa] = "a", [0xb] = "b", [0xc] = "rc", [0xf] = ""};
    unsigned level = version >> 4 & 15;
    int length =
        snprintf(text, size, "%u.%u.%u", version >> 24, version >> 16 & 255, version >> 8 & 255);
    if (level != 15 && level >= 10 && levels[level])
        snprintf(text + length, size - (size_t)length, "%s%u", levels[level], version & 15);
}

static bool write_process(struct recording_writer *writer, const struct process *process,
                          const struct recorded_run *about)
{
    const struct heap_sums *sums = &process->book.sums;
    bool is_main = process->peer.pid == about->main_pid, seen = process->book.end.seen;
    const struct ending *ending = &process->peer.ending;
    char python[32];
    version_text(process->mirror.python_version, python, sizeof python);
    return put(writer, STORE_PROCESS, "iiIsssidDIIiidiiidiiiiiiiiii", INTEGER(process->peer.number),
               INTEGER(process->peer.pid), !is_main && process->peer.parent,
               INTEGER(process->peer.parent), process->peer.command, process->peer.directory,
               process->mirror.python_version ? python : NULL,
               INTEGER(!process->mirror.stacks_unreadable), process->peer.started,
               (int)process->peer.ended, process->peer.ended_time, (int)(ending->exit_status >= 0),
               INTEGER(ending->exit_status), (int)(ending->signal != 0), INTEGER(ending->signal),
               INTEGER(sums->peak_bytes), INTEGER(sums->peak_blocks), sums->peak_time,
               INTEGER(sums->peak_events), INTEGER(seen ? process->book.end.bytes : sums->bytes),
               INTEGER(seen ? process->book.end.blocks : sums->blocks),
               seen ? process->book.end.time : process->book.now,
               INTEGER(seen ? process->book.end.events : sums->events), INTEGER(seen),
               INTEGER(sums->bytes), INTEGER(sums->blocks), INTEGER(sums->allocations),
               INTEGER(sums->frees), INTEGER(sums->allocated_bytes), INTEGER(sums->events),
               INTEGER(process->book.unmatched_frees), INTEGER(process_lost(process)));
}

static bool write_ending(struct recording_writer *writer, const struct process *process)
{
    const struct ending *ending = &process->peer.ending;
    return put(writer, STORE_ENDING, "iiiiiii", INTEGER(process->peer.number),
               INTEGER(ending->core_dumped), INTEGER(ending->out_of_memory),
               INTEGER(process->book.refusals.count), INTEGER(process->book.refusals.most),
               INTEGER(ending->collector_bytes), INTEGER(process->peer.is_replaced));
}

static bool write_lineage(struct recording_writer *writer, const struct process *process)
{
    return !process->peer.descends_from ||
           put(writer, STORE_LINEAGE, "ii", INTEGER(process->peer.number),
               INTEGER(process->peer.descends_from));
}

static bool write_refusal(struct recording_writer *writer, const struct process *process)
{
    return !process->book.refusals.location ||
           put(writer, STORE_REFUSAL, "ii", INTEGER(process->peer.number),
               INTEGER(process->book.refusals.location));
}

static bool write_inheritance(struct recording_writer *writer, const struct process *process)
{
    struct inherited_from from;
    return !inheritance_of(&process->book, &from) ||
           put(writer, STORE_INHERITANCE, "iiii", INTEGER(process->peer.number),
               INTEGER(from.process), INTEGER(from.events), INTEGER(from.blocks));
}

static bool write_settings(struct recording_writer *writer, const struct process *process)
{
    bool good = true;
    for (char *entry = process->peer.settings; good && entry && *entry;
         entry += strlen(entry) + 1) {
        char *equals = strchr(entry, '=');
        *equals = 0;
        good = put(writer, STORE_SETTING, "iss", INTEGER(process->peer.number), entry, equals + 1);
        *equals = '=';
    }
    return good;
}

/* Remembers what a snapshot has brought into the file, or will with the batch: should that fail,
 * nothing more is written. */
static void note_written(struct recording_writer *writer, const struct run *run,
                         struct process *process)
{
    writer->files = run->stacks.codes.file_count;
    writer->codes = run->stacks.codes.code_count;
    writer->locations = run->stacks.codes.location_count;
    uint32_t partial = run->stacks.tree.count / CHUNK_ROWS * CHUNK_ROWS;
    writer->nodes = partial > 1 ? partial : 1;
    process->book.threads.written = process->book.threads.count;
    process->book.samples.written = process->book.samples.count;
}

/* Nothing more will be written of a process when the file cannot be: so nothing need wait. */
static bool is_put_off(const struct recording_writer *writer, struct process *process)
{
    if (writer->trouble[0])
        history_queue_deinit(&process->book.history);
    return !writer->trouble[0];
}

enum recording_outcome recording_snapshot(struct recording_writer *writer, struct run *run,
                                          struct process *process, const struct recorded_run *about)
{
    book_finish_chunk(&run->ledger, &process->book);
    if (!begin_transaction(writer))
        return is_put_off(writer, process) ? RECORDING_PUT_OFF : RECORDING_FAILED;
    bool done = append_all(writer, run, process) && write_process(writer, process, about) &&
                write_ending(writer, process) && write_refusal(writer, process) &&
                write_lineage(writer, process) && write_inheritance(writer, process) &&
                write_settings(writer, process) && write_counters(writer, run, process);
    if (!end_transaction(writer, done)) {
        history_queue_deinit(&process->book.history);
        return RECORDING_FAILED;
    }
    note_written(writer, run, process);
    free(process->peer.settings);
    process->peer.settings = NULL;
    return RECORDING_WRITTEN;
}

enum recording_outcome recording_append(struct recording_writer *writer, struct run *run,
                                        struct process *process)
{
    if (!begin_transaction(writer))
        return is_put_off(writer, process) ? RECORDING_PUT_OFF : RECORDING_FAILED;
    if (!end_transaction(writer, append_all(writer, run, process))) {
        history_queue_deinit(&process->book.history);
        return RECORDING_FAILED;
    }
    note_written(writer, run, process);
    return RECORDING_WRITTEN;
}

static bool put_position(struct recording_writer *writer, const struct peak_position *position)
{
    return !position->lived ||
           put(writer, STORE_POSITION, "iiii", INTEGER(position->process),
               INTEGER(position->events), INTEGER(position->bytes), INTEGER(position->blocks));
}

static bool write_peak(struct recording_writer *writer, const struct run *run,
                       struct process *const *processes, unsigned count)
{
    const struct run_peak *peak = &run->ledger.peak;
    const struct peak_position *left = peak->left.data;
    if (!put(writer, STORE_FORGET_POSITIONS, "") ||
        !put(writer, STORE_PEAK, "iid", INTEGER(peak->bytes), INTEGER(peak->blocks), peak->time))
        return false;
    for (uint32_t i = 0; i < peak->left_count; i++)
        if (!put_position(writer, &left[i]))
            return false;
    for (unsigned i = 0; i < count; i++) {
        run_peak_settle(&run->ledger, &processes[i]->book);
        if (!processes[i]->book.has_left &&
            !put_position(writer, &processes[i]->book.position_at_peak))
            return false;
    }
    return true;
}

bool recording_peak(struct recording_writer *writer, const struct run *run,
                    struct process *const *processes, unsigned count)
{
    if (writer->has_peak && writer->peak_epoch == run->ledger.peak.epoch)
        return true;
    if (!begin_transaction(writer) ||
        !end_transaction(writer, write_peak(writer, run, processes, count)))
        return false;
    writer->has_peak = true;
    writer->peak_epoch = run->ledger.peak.epoch;
    return true;
}

static bool put_late_ending(struct recording_writer *writer, uint32_t process,
                            const struct ending *ending)
{
    return put(writer, STORE_LATE_STATUS, "iII", INTEGER(process), (int)(ending->exit_status >= 0),
               INTEGER(ending->exit_status), (int)(ending->signal != 0), INTEGER(ending->signal)) &&
           put(writer, STORE_LATE_ENDING, "iiii", INTEGER(process), INTEGER(ending->core_dumped),
               INTEGER(ending->out_of_memory), INTEGER(ending->collector_bytes));
}

void recording_put_late_endings(struct recording_writer *writer, struct endings *endings)
{
    struct ending ending;
    bool done = true;
    if (!endings->late || !begin_transaction(writer))
        return;
    for (uint32_t process; done && endings_take_late(endings, &process, &ending);)
        done = put_late_ending(writer, process, &ending);
    end_transaction(writer, done);
}

static bool put_absences(struct recording_writer *writer, const struct absences *absences)
{
    for (int kind = 0; kind < ABSENCE_KINDS; kind++) {
        uint32_t count = absences->counts[kind];
        if (count != writer->absences[kind] &&
            !put(writer, STORE_ABSENCE, "si", absence_name((enum absence)kind), INTEGER(count)))
            return false;
    }
    return true;
}

void recording_put_absences(struct recording_writer *writer, const struct absences *absences)
{
    bool is_news = memcmp(writer->absences, absences->counts, sizeof writer->absences) != 0;
    if (is_news && begin_transaction(writer) &&
        end_transaction(writer, put_absences(writer, absences)))
        memcpy(writer->absences, absences->counts, sizeof writer->absences);
}

bool recording_complete(struct recording_writer *writer, double seconds, bool complete,
                        const char *trouble)
{
    return begin_transaction(writer) &&
           end_transaction(writer,
                           put(writer, STORE_RUN, "dis", seconds, INTEGER(complete), trouble));
}

void recording_rest(struct recording_writer *writer)
{
    chunk_writer_rest(&writer->chunk);
    if (writer->database)
        sqlite3_db_release_memory(writer->database);
}

/* One file, unless another program reads what stood in it before the last commits; where it only
 * has the file open, what stands beside it is of no consequence. What stands beside the name once
 * it is another's is left alone: a checkpoint goes by descriptors, the end of the WAL by the name.
 */
static bool fold_in(struct recording_writer *writer)
{
    int left = 0;
    int result =
        sqlite3_wal_checkpoint_v2(writer->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, &left, NULL);
    if (recording_file_owns_wal(&writer->file, writer->path))
        sqlite3_exec(writer->database, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    return result == SQLITE_OK || left <= 0;
}

bool recording_is_gone(const struct recording_writer *writer, char *text, size_t size)
{
    bool is_gone = !recording_file_is_in_place(&writer->file, writer->path);
    if (is_gone)
        recording_file_describe_move(&writer->file, text, size);
    return is_gone;
}

bool recording_close(struct recording_writer *writer)
{
    bool is_one = true;
    for (int i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_finalize(writer->statements[i]);
    if (writer->database)
        is_one = fold_in(writer);
    sqlite3_close(writer->database);
    recording_file_close(&writer->file);
    chunk_writer_deinit(&writer->chunk);
    vector_deinit(&writer->modules);
    vector_deinit(&writer->sources);
    packages_deinit(&writer->packages);
    writer->database = NULL;
    return is_one;
}
