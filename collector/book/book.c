/*
 * The book's memory, and its history's chunks.
 */
#include "collector/book/book.h"

#include "assertion.h"

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
    presence_deinit(&book->presence);
    surveys_deinit(&book->surveys);
    counters_deinit(&book->counters);
    thread_rows_deinit(&book->threads);
    vector_deinit(&book->end.entries);
    history_queue_deinit(&book->history);
    samples_deinit(&book->samples);
    vector_deinit(&book->slices.base);
    vector_deinit(&book->recorded.chunks);
    vector_deinit(&book->recorded.lines);
}

/* Events of the chunk at hand, if there are any, have the numbers that the sums give them. */
__attribute__((unused)) static bool history_is_abreast(const struct book *book)
{
    const struct history_span *span = &book->history.writer.span;
    return !book->history.kept || !span->events ||
           span->first_event + span->events == book->sums.events;
}

void book_finish_chunk(struct ledger *ledger, struct book *book)
{
    ASSERT(history_is_abreast(book));
    recent_counters_forget(&book->recent);
    if (!history_queue_finish_chunk(&book->history, &ledger->chunk, &book->counters,
                                    book->sums.events))
        NOTE_HERE(&ledger->history_short);
}
