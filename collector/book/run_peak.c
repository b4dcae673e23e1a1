/*
 * Keeping the run's peak.
 *
 * The sum is never above the peak between batches, so a share is never negative.
 */
#include "collector/book/run_peak.h"

#include "assertion.h"
#include "collector/book/book.h"
#include "collector/book/ledger.h"

void run_peak_join(const struct ledger *ledger, struct book *book)
{
    book->position_at_peak = (struct peak_position){.epoch = ledger->peak.epoch};
}

void run_peak_settle(const struct ledger *ledger, struct book *book)
{
    const struct heap_sums *sums = &book->sums;
    if (book->has_left || book->position_at_peak.epoch == ledger->peak.epoch)
        return;
    book->position_at_peak = (struct peak_position){.epoch = ledger->peak.epoch,
                                                    .events = sums->events,
                                                    .bytes = sums->bytes,
                                                    .blocks = sums->blocks,
                                                    .process = book->peer->number,
                                                    .lived = true};
}

void run_peak_begin(struct ledger *ledger, struct book *book)
{
    struct run_peak *peak = &ledger->peak;
    struct heap_sums *sums = &book->sums;
    sums->share = UINT64_MAX;
    if (book->has_left)
        return;
    run_peak_settle(ledger, book);
    ASSERT(peak->live_bytes >= sums->bytes && peak->live_blocks >= sums->blocks);
    peak->live_bytes -= sums->bytes;
    peak->live_blocks -= sums->blocks;
    sums->share = peak->bytes - peak->live_bytes;
    sums->share_events = 0;
}

/* The batch has made a new peak: those who have left since the one before have no part in it. */
static void note_peak(struct run_peak *peak, struct book *book)
{
    const struct heap_sums *sums = &book->sums;
    peak->bytes = peak->live_bytes + sums->share;
    peak->blocks = peak->live_blocks + sums->share_blocks;
    peak->time = sums->share_time;
    peak->epoch++;
    peak->left_count = 0;
    book->position_at_peak = (struct peak_position){.epoch = peak->epoch,
                                                    .events = sums->share_events,
                                                    .bytes = sums->share,
                                                    .blocks = sums->share_blocks,
                                                    .process = book->peer->number,
                                                    .lived = true};
}

void run_peak_end(struct ledger *ledger, struct book *book)
{
    struct run_peak *peak = &ledger->peak;
    struct heap_sums *sums = &book->sums;
    if (book->has_left)
        return;
    if (sums->share_events)
        note_peak(peak, book);
    peak->live_bytes += sums->bytes;
    peak->live_blocks += sums->blocks;
    ASSERT(peak->live_bytes <= peak->bytes);
}

static void keep_position(struct ledger *ledger, const struct peak_position *position)
{
    struct run_peak *peak = &ledger->peak;
    size_t count = peak->left_count;
    if (!vector_reserve(&peak->left, count + 1, sizeof *position)) {
        NOTE_HERE(&ledger->memory_short);
        return;
    }
    ((struct peak_position *)peak->left.data)[count] = *position;
    peak->left_count++;
}

void run_peak_leave(struct ledger *ledger, struct book *book)
{
    if (book->has_left)
        return;
    run_peak_settle(ledger, book);
    book->has_left = true;
    ledger->peak.live_bytes -= book->sums.bytes;
    ledger->peak.live_blocks -= book->sums.blocks;
    if (book->position_at_peak.lived)
        keep_position(ledger, &book->position_at_peak);
}
