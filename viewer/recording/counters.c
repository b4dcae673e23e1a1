/*
 * Streams the counter chunks of a process to a visitor, row by row: a recording of a million rows
 * is never held as a whole.
 *
 * The collector writes the same sums twice, in the process row and in these rows. Comparing them is
 * what tells a damaged or half-copied recording from a sound one, so every pass does it.
 */
#include "viewer/recording/counters.h"

#include <inttypes.h>
#include <string.h>

#include "allocators.h"
#include "viewer/base/cleanup.h"

/* --- reading --- */

static bool read_chunk(struct rows *rows, struct chunk_reader *reader, int64_t *next,
                       counters_taker *take, void *context)
{
    int64_t first, count;
    const void *data;
    size_t size;
    if (!rows_whole(rows, 0, *next, *next, &first) || !rows_whole(rows, 1, 1, CHUNK_ROWS, &count) ||
        !rows_blob(rows, 2, &data, &size))
        return false;
    *next = first + count;
    bool good = *next <= UINT32_MAX && chunk_reader_open(reader, data, size);
    for (int64_t number = first; good && number < *next; number++) {
        struct counter_row row;
        good = chunk_next_counter(reader, &row) && take(context, (uint32_t)number, &row);
    }
    if (good && chunk_reader_at_end(reader))
        return true;
    return database_damaged(rows->database, "in the counters from %" PRId64 " on", first);
}

bool counters_read(struct database *database, uint32_t process, counters_taker *take, void *context)
{
    CLEANUP(rows_deinit) struct rows rows = {0};
    CLEANUP(chunk_reader_deinit) struct chunk_reader reader;
    if (!chunk_reader_init(&reader))
        return database_damaged(database, "not enough memory for its counters");
    if (!rows_init(&rows, database,
                   "SELECT first, count, data FROM counter_chunk WHERE process = ?1 "
                   "ORDER BY first"))
        return false;
    sqlite3_bind_int64(rows.statement, 1, process);
    int64_t next = 0;
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW)
        if (!read_chunk(&rows, &reader, &next, take, context))
            return false;
    return step == ROWS_END;
}

/* --- reading and checking --- */

/* One pass over one process. */
struct pass {
    struct recording *recording;
    size_t process;
    counters_visitor *visitor;
    void *context;
    struct sums sums;
};

static bool sums_add(struct sums *sums, const struct counter_row *row)
{
    bool overflow = __builtin_add_overflow(sums->allocations, row->allocations, &sums->allocations);
    overflow |=
        __builtin_add_overflow(sums->allocated_bytes, row->allocated_bytes, &sums->allocated_bytes);
    overflow |= __builtin_add_overflow(sums->peak_blocks, row->peak_blocks, &sums->peak_blocks);
    overflow |= __builtin_add_overflow(sums->peak_bytes, row->peak_bytes, &sums->peak_bytes);
    overflow |= __builtin_add_overflow(sums->end_blocks, row->end_blocks, &sums->end_blocks);
    overflow |= __builtin_add_overflow(sums->end_bytes, row->end_bytes, &sums->end_bytes);
    overflow |=
        __builtin_add_overflow(sums->leaked_blocks, row->leaked_blocks, &sums->leaked_blocks);
    overflow |= __builtin_add_overflow(sums->leaked_bytes, row->leaked_bytes, &sums->leaked_bytes);
    return !overflow;
}

/* What the row says was freed of what was inherited. Modulo 2^64, also where that is not known. */
static void say_what_is_left(const struct process *process, uint32_t number,
                             struct counter_row *row)
{
    const struct held *inherited = process->inherited.held;
    struct held held = inherited ? inherited[number] : (struct held){0};
    row->peak_blocks = held.blocks - row->peak_blocks;
    row->peak_bytes = held.bytes - row->peak_bytes;
    row->end_blocks = held.blocks - row->end_blocks;
    row->end_bytes = held.bytes - row->end_bytes;
    row->leaked_blocks = held.blocks - row->leaked_blocks;
    row->leaked_bytes = held.bytes - row->leaked_bytes;
}

static bool pass_take(void *context, uint32_t number, const struct counter_row *row)
{
    struct pass *pass = context;
    const struct symbols *symbols = &pass->recording->symbols;
    if (row->node >= pass->recording->stacks.count || row->thread >= symbols->thread_count ||
        !symbols->threads[row->thread].name)
        return false;
    bool inherited =
        symbols->threads[row->thread].process != pass->recording->processes[pass->process].id;
    const struct process *process = &pass->recording->processes[pass->process];
    struct counter_row rest = *row;
    if (inherited && process->inherited.parent)
        say_what_is_left(process, number, &rest);
    if (process->ending.kind == ENDING_EXECUTED) /* it has leaked nothing */
        rest.leaked_bytes = rest.leaked_blocks = 0;
    if (!inherited && !allocator_is_apart(row->allocator) && !sums_add(&pass->sums, &rest))
        return false;
    pass->visitor(pass->context, pass->process, number, &rest, inherited);
    return true;
}

/* Those of which nothing has been freed. */
static void visit_untouched(const struct pass *pass)
{
    const struct process *process = &pass->recording->processes[pass->process];
    const struct inherited *inherited = &process->inherited;
    for (uint32_t i = inherited->told; inherited->rows && i < process->counter_count; i++)
        pass->visitor(pass->context, pass->process, i, &inherited->rows[i - inherited->told], true);
}

static bool pass_check(struct pass *pass)
{
    const struct process *process = &pass->recording->processes[pass->process];
    if (!memcmp(&pass->sums, &process->sums, sizeof pass->sums))
        return true;
    return database_damaged(&pass->recording->database,
                            "the rows of process %" PRId64 " do not add up to its totals",
                            process->pid);
}

bool counters_visit(struct recording *recording, size_t process, counters_visitor *visitor,
                    void *context)
{
    struct pass pass = {
        .recording = recording,
        .process = process,
        .visitor = visitor,
        .context = context,
    };
    if (!counters_read(&recording->database, recording->processes[process].id, pass_take, &pass) ||
        !pass_check(&pass))
        return false;
    visit_untouched(&pass);
    return true;
}
