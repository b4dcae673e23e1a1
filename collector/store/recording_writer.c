/*
 * The recording's writer.
 *
 * What only grows (files, codes, locations, threads, full chunks of nodes) is appended; the last,
 * partial chunk of nodes, a process's row, what has changed of its counters and of its line totals
 * are replaced.
 */
#include "collector/store/recording_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/book/book_reader.h"
#include "collector/book/inheritance.h"
#include "collector/book/run_peak.h"
#include "collector/store/recording_counters.h"
#include "collector/store/recording_survey.h"
#include "collector/store/recording_touched.h"

/* --- creation ----------------------------------------------------------------------------------
 */

bool recording_create(struct recording_writer *writer, const char *path, bool force,
                      const struct recorded_run *run)
{
    struct recording_database *database = &writer->database;
    const struct store_run row = {
        .id = 1,
        .heapline = HEAPLINE_VERSION,
        .command = run->command,
        .directory = run->directory,
        .started = run->started,
        .history = run->keeps_history,
        .seconds = NAN,
    };
    *writer = (struct recording_writer){.files = 1, .codes = 1, .locations = 1, .nodes = 1};
    if (!recording_file_create(&writer->file, path, force, database->trouble,
                               sizeof database->trouble))
        return false;
    writer->path = path;
    if (chunk_writer_init(&writer->chunk) && recording_database_open(database, path, &row)) {
        recording_file_note_wal(&writer->file, path);
        return true;
    }
    if (!database->trouble[0])
        snprintf(database->trouble, sizeof database->trouble, "cannot create %s: %s",
                 recording_path_end(path), sqlite3_errmsg(database->connection));
    recording_close(writer);
    unlink(path);
    return false;
}

void recording_be_patient(struct recording_writer *writer, bool may_tell)
{
    writer->database.may_tell = may_tell;
    writer->database.is_patient = true;
}

bool recording_begin(struct recording_writer *writer)
{
    return recording_database_begin_batch(&writer->database);
}

bool recording_commit(struct recording_writer *writer)
{
    return recording_database_commit_batch(&writer->database);
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
        return recording_database_fail(&writer->database, "memory is short", ORIGIN_HERE);
    struct written_module *written = (struct written_module *)writer->modules.data + number;
    writer->module_count = number < writer->module_count ? writer->module_count : number + 1;
    if (written->is_written)
        return true;
    *written = (struct written_module){true, module->note};
    return RECORDING_PUT(&writer->database, MODULE, module, .id = number, .path = module->path,
                         .build_id = build_id_text(&module->facts.build_id, id) ? id : NULL,
                         .note = module->note);
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
        sqlite3_stmt *statement = writer->database.others[STATEMENT_NOTE_MODULE];
        sqlite3_bind_text(statement, 1, note, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, i);
        if (!recording_database_run(&writer->database, STATEMENT_NOTE_MODULE, ORIGIN_HERE))
            return false;
    }
    return true;
}

static bool append_file(struct recording_writer *writer, const struct run *run, uint32_t number)
{
    const struct code_file *file = codes_file(&run->stacks.codes, number);
    const struct native_module *module =
        native_modules_get(&run->stacks.native.modules, file->module);
    char *package = module ? packages_find_native(&writer->packages, file->root, module->path)
                           : packages_find(&writer->packages, file->root, file->path);
    bool done = (!module || append_module(writer, module, file->module)) &&
                RECORDING_PUT(&writer->database, FILE, file, .id = number, .path = file->path,
                              .package = package ? package : "program",
                              .module = module ? file->module : 0) &&
                recording_sources_keep(&writer->sources, &writer->database, file, module, number);
    free(package);
    return done;
}

static bool append_codes(struct recording_writer *writer, struct run *run)
{
    struct codes *codes = &run->stacks.codes;
    for (uint32_t i = writer->files; i < codes->file_count; i++)
        if (!append_file(writer, run, i))
            return false;
    for (uint32_t i = writer->codes; i < codes->code_count; i++) {
        const struct code *code = codes_code(codes, i);
        if (!RECORDING_PUT(&writer->database, CODE, code, .id = i, .file = code->file,
                           .name = code->name, .first_line = code->first_line))
            return false;
    }
    if (!recording_sources_check(&writer->sources, &writer->database, codes, writer->codes))
        return false;
    for (uint32_t i = writer->locations; i < codes->location_count; i++) {
        const struct location *location = codes_location(codes, i);
        if (!RECORDING_PUT(&writer->database, LOCATION, location, .id = i, .code = location->code,
                           .line = location->line))
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
        struct store_blob packed;
        if (!recording_database_pack(&writer->database, &writer->chunk, &packed, ORIGIN_HERE) ||
            !RECORDING_PUT(&writer->database, NODE_CHUNK, node_chunk, .first = first,
                           .count = end - first, .data = packed))
            return false;
        first = end;
    }
    return true;
}

static bool append_threads(struct recording_writer *writer, const struct process *process)
{
    const struct thread_row *rows = process->book.threads.list.data;
    for (uint32_t i = process->book.threads.written; i < process->book.threads.count; i++)
        if (!RECORDING_PUT(&writer->database, THREAD, thread, .id = rows[i].number,
                           .process = process->peer.number, .tid = rows[i].tid,
                           .name = rows[i].name))
            return false;
    return true;
}

static bool put_chunk(struct recording_writer *writer, const struct process *process,
                      const struct history_chunk *chunk)
{
    const struct history_span *span = &chunk->span;
    const uint8_t *events = chunk->data + chunk->summary_size;
    return RECORDING_PUT(&writer->database, HISTORY_CHUNK, history_chunk,
                         .process = process->peer.number, .first_event = span->first_event,
                         .events = span->events, .first_block = span->first_block,
                         .started_us = span->started_us, .ended_us = span->ended_us,
                         .summary = {chunk->data, chunk->summary_size},
                         .lifetimes = {events + chunk->events_size, chunk->lifetimes_size},
                         .data = {events, chunk->events_size});
}

static bool put_part(struct recording_writer *writer, const struct process *process,
                     const struct history_part *part)
{
    const struct history_position *position = &part->position;
    const struct store_blob data = {part->data, part->size};
    switch (position->kind) {
    case HISTORY_PART_CHUNK:
        return put_chunk(writer, process, part->chunk);
    case HISTORY_PART_CHECKPOINT:
        return RECORDING_PUT(&writer->database, CHECKPOINT_CHUNK, checkpoint_chunk,
                             .process = process->peer.number, .event = position->event,
                             .first = position->first, .count = part->rows, .data = data);
    case HISTORY_PART_SLICE:
        return RECORDING_PUT(&writer->database, SLICE_CHUNK, slice_chunk,
                             .process = process->peer.number, .event = position->event,
                             .time = position->time, .first = position->first, .count = part->rows,
                             .data = data);
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

/* SAMPLE_UNKNOWN is -1 there. */
static bool put_sample(struct recording_writer *writer, uint32_t process,
                       const struct sample *sample)
{
    bool done = RECORDING_PUT(
        &writer->database, SAMPLE_TOTAL, sample_total, .process = process, .time = sample->time,
        .most_bytes = sample->most, .resident = (int64_t)sample->resident,
        .proportional = (int64_t)sample->proportional, .swapped = (int64_t)sample->swapped);
    if (done && sample->most_touched != sample->most)
        done = RECORDING_PUT(&writer->database, TOUCHED_SAMPLE, touched_sample, .process = process,
                             .time = sample->time, .most_bytes = sample->most_touched);
    for (uint32_t i = 0; done && i < WIRE_ALLOCATOR_COUNT; i++)
        done =
            !sample->by_allocator[i] ||
            RECORDING_PUT(&writer->database, SAMPLE_PART, sample_part, .process = process,
                          .time = sample->time, .allocator = i, .bytes = sample->by_allocator[i]);
    return done;
}

/* Samples that have become others replace what the file has. */
static bool append_samples(struct recording_writer *writer, const struct process *process)
{
    const struct samples *samples = &process->book.samples;
    uint32_t number = process->peer.number;
    struct recording_database *database = &writer->database;
    if (samples->written == 0 &&
        (!recording_database_forget(database, STATEMENT_FORGET_SAMPLE_TOTALS, number) ||
         !recording_database_forget(database, STATEMENT_FORGET_SAMPLE_PARTS, number) ||
         !recording_database_forget(database, STATEMENT_FORGET_TOUCHED_SAMPLES, number)))
        return false;
    for (uint32_t i = samples->written; i < samples->count; i++)
        if (!put_sample(writer, number, &samples->list[i]))
            return false;
    return true;
}

static bool append_all(struct recording_writer *writer, struct run *run, struct process *process)
{
    return append_codes(writer, run) && renew_notes(writer, &run->stacks.native.modules) &&
           append_nodes(writer, &run->stacks.tree) && append_threads(writer, process) &&
           append_history(writer, process) && append_samples(writer, process);
}

/* --- a process's rows --------------------------------------------------------------------------
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
    const struct peer *peer = &process->peer;
    const struct book_totals totals = book_totals(&process->book);
    uint32_t version = process->mirror.python_version;
    char python[32];
    version_text(version, python, sizeof python);
    return RECORDING_PUT(
        &writer->database, PROCESS, process, .id = peer->number, .pid = peer->pid,
        .parent_pid = peer->pid != about->main_pid && peer->parent ? peer->parent : -1,
        .command = peer->command, .directory = peer->directory, .python = version ? python : NULL,
        .python_stacks = !process->mirror.stacks_unreadable, .started = peer->started,
        .ended = peer->ended ? peer->ended_time : NAN, .exit_status = peer->ending.exit_status,
        .signal = peer->ending.signal ? peer->ending.signal : -1, .peak_bytes = totals.peak.bytes,
        .peak_blocks = totals.peak.blocks, .peak_time = totals.peak.time,
        .peak_events = totals.peak.events, .end_bytes = totals.end.bytes,
        .end_blocks = totals.end.blocks, .end_time = totals.end.time,
        .end_events = totals.end.events, .end_seen = totals.end_seen,
        .leaked_bytes = totals.now.bytes, .leaked_blocks = totals.now.blocks,
        .allocations = totals.allocations, .frees = totals.frees,
        .allocated_bytes = totals.allocated_bytes, .events = totals.now.events,
        .unmatched_frees = totals.unmatched_frees, .lost_events = process_lost(process));
}

static bool write_damage(struct recording_writer *writer, const struct process *process)
{
    static const char *const reasons[] = {DAMAGE_REASONS(DAMAGE_KEY)};
    bool done = true;
    for (int i = 0; done && i < DAMAGE_COUNT; i++) {
        uint64_t times = process_damage(process, (enum damage)i);
        done = !times ||
               RECORDING_PUT(&writer->database, DAMAGE, damage, .process = process->peer.number,
                             .reason = reasons[i], .times = times);
    }
    return done;
}

static bool write_ending(struct recording_writer *writer, const struct process *process)
{
    const struct ending *ending = &process->peer.ending;
    const struct refusals *refusals = &process->book.refusals;
    uint32_t number = process->peer.number;
    return RECORDING_PUT(&writer->database, ENDING, ending, .process = number,
                         .core_dumped = ending->core_dumped, .out_of_memory = ending->out_of_memory,
                         .refused = refusals->count, .most_refused_bytes = refusals->most,
                         .collector_bytes = ending->collector_bytes,
                         .executed = process->peer.is_replaced) &&
           (!refusals->location ||
            RECORDING_PUT(&writer->database, REFUSAL, refusal, .process = number,
                          .location = refusals->location));
}

static bool write_descent(struct recording_writer *writer, const struct process *process)
{
    struct inherited_from from;
    uint32_t number = process->peer.number, parent = process->peer.descends_from;
    if (parent &&
        !RECORDING_PUT(&writer->database, LINEAGE, lineage, .process = number, .parent = parent))
        return false;
    return !inheritance_of(&process->book, &from) ||
           RECORDING_PUT(&writer->database, INHERITANCE, inheritance, .process = number,
                         .parent = from.process, .events = from.events, .first_block = from.blocks);
}

static bool write_settings(struct recording_writer *writer, const struct process *process)
{
    bool good = true;
    for (char *entry = process->peer.settings; good && entry && *entry;
         entry += strlen(entry) + 1) {
        char *equals = strchr(entry, '=');
        *equals = 0;
        good = RECORDING_PUT(&writer->database, SETTING, setting, .process = process->peer.number,
                             .name = entry, .value = equals + 1);
        *equals = '=';
    }
    return good;
}

static bool write_rows(struct recording_writer *writer, const struct run *run,
                       struct process *process, const struct recorded_run *about)
{
    return write_process(writer, process, about) && write_damage(writer, process) &&
           write_ending(writer, process) && write_descent(writer, process) &&
           write_settings(writer, process) &&
           recording_counters_write(&writer->database, &writer->chunk, &run->stacks, process) &&
           recording_touched_write(&writer->database, &writer->chunk, &run->stacks, process) &&
           recording_survey_write(&writer->database, process);
}

/* --- transactions ------------------------------------------------------------------------------
 */

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
    if (writer->database.trouble[0])
        history_queue_deinit(&process->book.history);
    return !writer->database.trouble[0];
}

/* `about`: a snapshot; null: only what grows. */
static enum recording_outcome bring_up_to_date(struct recording_writer *writer, struct run *run,
                                               struct process *process,
                                               const struct recorded_run *about)
{
    if (!recording_database_begin(&writer->database))
        return is_put_off(writer, process) ? RECORDING_PUT_OFF : RECORDING_FAILED;
    bool done =
        append_all(writer, run, process) && (!about || write_rows(writer, run, process, about));
    if (!recording_database_end(&writer->database, done)) {
        history_queue_deinit(&process->book.history);
        return RECORDING_FAILED;
    }
    note_written(writer, run, process);
    return RECORDING_WRITTEN;
}

enum recording_outcome recording_snapshot(struct recording_writer *writer, struct run *run,
                                          struct process *process, const struct recorded_run *about)
{
    book_finish_chunk(&run->ledger, &process->book);
    enum recording_outcome outcome = bring_up_to_date(writer, run, process, about);
    if (outcome != RECORDING_WRITTEN)
        return outcome;
    free(process->peer.settings);
    process->peer.settings = NULL;
    return RECORDING_WRITTEN;
}

enum recording_outcome recording_append(struct recording_writer *writer, struct run *run,
                                        struct process *process)
{
    return bring_up_to_date(writer, run, process, NULL);
}

static bool put_position(struct recording_database *database, const struct peak_position *position)
{
    return !position->lived ||
           RECORDING_PUT(database, RUN_PEAK_PROCESS, run_peak_process, .process = position->process,
                         .events = position->events, .bytes = position->bytes,
                         .blocks = position->blocks);
}

static bool put_touched_position(struct recording_database *database,
                                 const struct peak_position *position)
{
    return !position->lived ||
           RECORDING_PUT(database, RUN_TOUCHED_PROCESS, run_touched_process,
                         .process = position->process, .events = position->events,
                         .bytes = position->bytes, .blocks = position->blocks);
}

/* Of those that lived at a peak and have left since. */
static bool put_left(struct recording_database *database, const struct run_peak *peak,
                     bool (*put)(struct recording_database *, const struct peak_position *))
{
    const struct peak_position *left = peak->left.data;
    bool done = true;
    for (uint32_t i = 0; done && i < peak->left_count; i++)
        done = put(database, &left[i]);
    return done;
}

static bool write_peak(struct recording_writer *writer, struct run *run,
                       struct process *const *processes, unsigned count)
{
    struct recording_database *database = &writer->database;
    const struct run_peak *peak = &run->ledger.peak, *touched = &run->ledger.touched;
    bool done = recording_database_run(database, STATEMENT_FORGET_POSITIONS, ORIGIN_HERE) &&
                recording_database_run(database, STATEMENT_FORGET_TOUCHED_POSITIONS, ORIGIN_HERE) &&
                RECORDING_PUT(database, RUN_PEAK, run_peak, .id = 1, .bytes = peak->bytes,
                              .blocks = peak->blocks, .time = peak->time) &&
                RECORDING_PUT(database, RUN_TOUCHED, run_touched, .id = 1, .bytes = touched->bytes,
                              .blocks = touched->blocks, .time = touched->time) &&
                put_left(database, peak, put_position) &&
                put_left(database, touched, put_touched_position);
    for (unsigned i = 0; done && i < count; i++) {
        struct book *book = &processes[i]->book;
        run_peak_settle(&run->ledger, book);
        done = book->has_left || (put_position(database, &book->positions.peak) &&
                                  put_touched_position(database, &book->positions.touched));
    }
    return done;
}

bool recording_peak(struct recording_writer *writer, struct run *run,
                    struct process *const *processes, unsigned count)
{
    uint64_t epoch = run->ledger.peak.epoch + run->ledger.touched.epoch;
    if (writer->has_peak && writer->peak_epoch == epoch)
        return true;
    if (!recording_database_begin(&writer->database) ||
        !recording_database_end(&writer->database, write_peak(writer, run, processes, count)))
        return false;
    writer->has_peak = true;
    writer->peak_epoch = epoch;
    return true;
}

static void bind_known(sqlite3_stmt *statement, int at, bool known, int value)
{
    if (known)
        sqlite3_bind_int(statement, at, value);
}

static bool put_late_ending(struct recording_writer *writer, uint32_t process,
                            const struct ending *ending)
{
    sqlite3_stmt *status = writer->database.others[STATEMENT_LATE_STATUS];
    bind_known(status, 1, ending->exit_status >= 0, ending->exit_status);
    bind_known(status, 2, ending->signal != 0, ending->signal);
    sqlite3_bind_int64(status, 3, process);
    sqlite3_stmt *rest = writer->database.others[STATEMENT_LATE_ENDING];
    sqlite3_bind_int(rest, 1, ending->core_dumped);
    sqlite3_bind_int(rest, 2, ending->out_of_memory);
    sqlite3_bind_int64(rest, 3, (sqlite3_int64)ending->collector_bytes);
    sqlite3_bind_int64(rest, 4, process);
    return recording_database_run(&writer->database, STATEMENT_LATE_STATUS, ORIGIN_HERE) &&
           recording_database_run(&writer->database, STATEMENT_LATE_ENDING, ORIGIN_HERE);
}

void recording_put_late_endings(struct recording_writer *writer, struct endings *endings)
{
    struct ending ending;
    bool done = true;
    if (!endings->late || !recording_database_begin(&writer->database))
        return;
    for (uint32_t process; done && endings_take_late(endings, &process, &ending);)
        done = put_late_ending(writer, process, &ending);
    recording_database_end(&writer->database, done);
}

static bool put_absences(struct recording_writer *writer, const struct absences *absences)
{
    bool done = true;
    for (int kind = 0; done && kind < ABSENCE_KINDS; kind++)
        done = absences->counts[kind] == writer->absences[kind] ||
               RECORDING_PUT(&writer->database, ABSENCE, absence,
                             .reason = absence_name((enum absence)kind),
                             .processes = absences->counts[kind]);
    return done;
}

void recording_put_absences(struct recording_writer *writer, const struct absences *absences)
{
    bool is_news = memcmp(writer->absences, absences->counts, sizeof writer->absences) != 0;
    if (is_news && recording_database_begin(&writer->database) &&
        recording_database_end(&writer->database, put_absences(writer, absences)))
        memcpy(writer->absences, absences->counts, sizeof writer->absences);
}

bool recording_complete(struct recording_writer *writer, double seconds, bool complete,
                        const char *trouble)
{
    if (!recording_database_begin(&writer->database))
        return false;
    sqlite3_stmt *statement = writer->database.others[STATEMENT_END_RUN];
    sqlite3_bind_double(statement, 1, seconds);
    sqlite3_bind_int(statement, 2, complete);
    sqlite3_bind_text(statement, 3, trouble, -1, SQLITE_STATIC);
    return recording_database_end(
        &writer->database,
        recording_database_run(&writer->database, STATEMENT_END_RUN, ORIGIN_HERE));
}

void recording_rest(struct recording_writer *writer)
{
    chunk_writer_rest(&writer->chunk);
    recording_database_rest(&writer->database);
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
    bool is_one = !writer->database.connection ||
                  recording_database_fold(&writer->database,
                                          recording_file_owns_wal(&writer->file, writer->path));
    recording_database_close(&writer->database);
    recording_file_close(&writer->file);
    chunk_writer_deinit(&writer->chunk);
    vector_deinit(&writer->modules);
    recording_sources_deinit(&writer->sources);
    packages_deinit(&writer->packages);
    return is_one;
}
