/*
 * The book's memory, and its history's chunks.
 */
#include "collector/book/book.h"

bool book_init(struct book *book, const struct peer *peer, bool keeps_history)
{
    book->peer = peer;
    return live_heap_init(&book->heap) && history_queue_init(&book->history, keeps_history);
}

void book_close(struct book *book, bool is_shared)
{
    vector_deinit(&book->latest);
    thread_rows_close(&book->threads);
    if (!is_shared)
        live_heap_deinit(&book->heap);
}

void book_deinit(struct book *book)
{
    book_close(book, false);
    mappings_deinit(&book->mappings);
    counters_deinit(&book->counters);
    thread_rows_deinit(&book->threads);
    vector_deinit(&book->end.entries);
    history_queue_deinit(&book->history);
    samples_deinit(&book->samples);
    vector_deinit(&book->slices.base);
    vector_deinit(&book->recorded.chunks);
    vector_deinit(&book->recorded.lines);
}

void book_finish_chunk(struct ledger *ledger, struct book *book)
{
    ledger->history_short |= !history_queue_finish_chunk(&book->history, &ledger->chunk,
                                                         &book->counters, book->sums.events);
}
