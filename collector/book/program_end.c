/*
 * Noting the end: one look at every counter.
 */
#include "collector/book/program_end.h"

#include "collector/book/book.h"
#include "collector/book/slices.h"

/* Ends of the program's own code that are noted whatever happens between. */
#define ENDS_FREE 64u

/* May the end be noted once more? */
static bool may_end(struct book *book)
{
    uint64_t since = book->sums.events - book->end.events;
    if (book->end.noted >= ENDS_FREE && since < book->counters.count)
        return false;
    book->end.noted += book->end.noted < ENDS_FREE;
    return true;
}

bool program_end_note(struct ledger *ledger, struct book *book)
{
    if (!may_end(book)) {
        book_damage(book, DAMAGE_REPEATED);
        return false;
    }
    book->end.seen = true;
    book->end.time = book->now;
    book->end.bytes = book->sums.bytes;
    book->end.blocks = book->sums.blocks;
    book->end.events = book->sums.events;
    book->end.count = 0;
    for (uint32_t i = 1; i < book->counters.count; i++) {
        const struct counter *counter = counters_at(&book->counters, i);
        if (!counter->blocks)
            continue;
        size_t count = book->end.count;
        if (!vector_reserve(&book->end.entries, count + 1, sizeof(struct end_entry))) {
            NOTE_HERE(&ledger->memory_short);
            return true;
        }
        ((struct end_entry *)book->end.entries.data)[count] =
            (struct end_entry){i, counter->blocks, counter->bytes};
        book->end.count++;
    }
    slices_end(ledger, book);
    return true;
}
