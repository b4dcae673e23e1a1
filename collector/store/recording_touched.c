/*
 * Most processes have touched all that they held, at the same peak, and then there is one row to
 * write and no chunk.
 */
#include "collector/store/recording_touched.h"

#include "collector/book/book_reader.h"
#include "collector/book/touched.h"

static bool write_peak(struct recording_database *database, const struct stacks *stacks,
                       const struct process *process)
{
    const struct book_totals totals = book_totals(&process->book);
    uint32_t location = stack_tree_node(&stacks->tree, totals.largest_node)->location;
    return RECORDING_PUT(database, TOUCHED, touched, .process = process->peer.number,
                         .peak_bytes = totals.touched.bytes, .peak_blocks = totals.touched.blocks,
                         .peak_time = totals.touched.time, .peak_events = totals.touched.events,
                         .error_bytes = totals.touched_error,
                         .hidden = process->book.presence.is_hidden,
                         .largest_bytes = totals.largest_untouched,
                         .largest_location = totals.largest_untouched ? location : 0);
}

/* Writes the rows that wait in the chunk, the first of them number `first`. */
static bool put_chunk(struct recording_database *database, struct chunk_writer *chunk,
                      uint32_t process, uint32_t first)
{
    struct store_blob packed;
    uint32_t rows = chunk->rows;
    return recording_database_pack(database, chunk, &packed, ORIGIN_HERE) &&
           RECORDING_PUT(database, TOUCHED_CHUNK, touched_chunk, .process = process, .first = first,
                         .count = rows, .data = packed);
}

static bool write_counters(struct recording_database *database, struct chunk_writer *chunk,
                           const struct process *process)
{
    const struct book *book = &process->book;
    uint32_t first = 0;
    for (uint32_t i = 1; i < book->counters.count; i++) {
        struct live_row row = book_touched(book, i);
        if (row.blocks)
            chunk_add_live(chunk, &row);
        if (chunk->rows < CHUNK_ROWS)
            continue;
        if (!put_chunk(database, chunk, process->peer.number, first))
            return false;
        first += CHUNK_ROWS;
    }
    return !chunk->rows || put_chunk(database, chunk, process->peer.number, first);
}

/* What was untouched where the process stood at the run's peak. */
static bool write_untouched(struct recording_database *database, const struct process *process)
{
    const struct presence *presence = &process->book.presence;
    const struct untouched *list = presence->counters.data;
    bool done =
        !presence->counter_count ||
        recording_database_forget(database, STATEMENT_FORGET_UNTOUCHED, process->peer.number);
    for (uint32_t i = 1; done && i <= presence->counter_count; i++) {
        uint64_t bytes = touched_at_mark(&process->book, &list[i]);
        done =
            !bytes || RECORDING_PUT(database, UNTOUCHED, untouched, .process = process->peer.number,
                                    .counter = list[i].counter, .bytes = bytes);
    }
    return done;
}

bool recording_touched_write(struct recording_database *database, struct chunk_writer *chunk,
                             const struct stacks *stacks, struct process *process)
{
    struct book *book = &process->book;
    bool is_news = book->recorded.touched_epoch != book->sums.touched.epoch;
    bool done = write_peak(database, stacks, process) && write_untouched(database, process);
    if (!done || (!is_news && book->recorded.touched_is_peak == book_touched_is_peak(book)))
        return done;
    book->recorded.touched_epoch = book->sums.touched.epoch;
    book->recorded.touched_is_peak = book_touched_is_peak(book);
    return recording_database_forget(database, STATEMENT_FORGET_TOUCHED, process->peer.number) &&
           (book->recorded.touched_is_peak || write_counters(database, chunk, process));
}
