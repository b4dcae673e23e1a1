/*
 * Streams the counter chunks of a process to a visitor, row by row: a recording of a million rows
 * is never held as a whole.
 *
 * The collector writes the same sums twice, in the process row and in these rows. Comparing them is
 * what tells a damaged or half-copied recording from a sound one, so every pass does it.
 */
#include "viewer/counters.h"

#include <inttypes.h>
#include <string.h>

#include "viewer/cleanup.h"

/* One pass over one process. */
struct pass {
    struct recording *recording;
    size_t process;
    counters_visitor *visitor;
    void *context;
    struct chunk_reader reader;
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

static bool pass_has_thread(const struct pass *pass, uint32_t thread)
{
    const struct symbols *symbols = &pass->recording->symbols;
    return thread < symbols->thread_count && symbols->threads[thread].name &&
           symbols->threads[thread].process == pass->recording->processes[pass->process].id;
}

static bool pass_decode(struct pass *pass, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct counter_row row;
        if (!chunk_next_counter(&pass->reader, &row) || row.node >= pass->recording->stacks.count ||
            !pass_has_thread(pass, row.thread) || !sums_add(&pass->sums, &row))
            return false;
        pass->visitor(pass->context, pass->process, &row);
    }
    return chunk_reader_at_end(&pass->reader);
}

static bool pass_read_chunk(struct pass *pass, struct rows *rows, int64_t *next)
{
    int64_t first, count;
    const void *data;
    size_t size;
    if (!rows_whole(rows, 0, *next, *next, &first) || !rows_whole(rows, 1, 1, CHUNK_ROWS, &count) ||
        !rows_blob(rows, 2, &data, &size))
        return false;
    *next = first + count;
    if (chunk_reader_open(&pass->reader, data, size) && pass_decode(pass, (size_t)count))
        return true;
    return database_damaged(&pass->recording->database, "in the counters from %" PRId64 " on",
                            first);
}

static bool pass_read(struct pass *pass)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, &pass->recording->database,
                   "SELECT first, count, data FROM counter_chunk WHERE process = ?1 "
                   "ORDER BY first"))
        return false;
    sqlite3_bind_int64(rows.statement, 1, pass->recording->processes[pass->process].id);
    int64_t next = 0;
    enum rows_step step;
    while ((step = rows_next(&rows)) == ROWS_ROW)
        if (!pass_read_chunk(pass, &rows, &next))
            return false;
    return step == ROWS_END;
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
    if (!chunk_reader_init(&pass.reader))
        return database_damaged(&recording->database, "not enough memory for its counters");
    bool good = pass_read(&pass) && pass_check(&pass);
    chunk_reader_deinit(&pass.reader);
    return good;
}
