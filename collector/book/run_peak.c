/*
 * Keeping the run's peaks: of what was asked for, and of what was touched.
 *
 * The sum is never above the peak between batches, so a share is never negative.
 */
#include "collector/book/run_peak.h"

#include "assertion.h"
#include "collector/book/book.h"
#include "collector/book/ledger.h"

/* One of the two, and what of the book belongs to it. */
struct aspect {
    struct run_peak *peak;
    struct heap_peak *share;
    struct peak_position *position;
    uint64_t bytes; /* that the process holds */
};

static struct aspect requested(struct ledger *ledger, struct book *book)
{
    return (struct aspect){&ledger->peak, &book->sums.share, &book->positions.peak,
                           book->sums.bytes};
}

static struct aspect touched(struct ledger *ledger, struct book *book)
{
    return (struct aspect){&ledger->touched, &book->sums.touched_share, &book->positions.touched,
                           book->sums.bytes - book->sums.untouched};
}

void run_peak_join(const struct ledger *ledger, struct book *book)
{
    book->positions.peak = (struct peak_position){.epoch = ledger->peak.epoch};
    book->positions.touched = (struct peak_position){.epoch = ledger->touched.epoch};
}

/* What the process holds is what it held at the peak: nothing has changed since. */
static bool settle(const struct aspect *aspect, const struct book *book)
{
    if (book->has_left || aspect->position->epoch == aspect->peak->epoch)
        return false;
    *aspect->position = (struct peak_position){.epoch = aspect->peak->epoch,
                                               .events = book->sums.events,
                                               .bytes = aspect->bytes,
                                               .blocks = book->sums.blocks,
                                               .process = book->peer->number,
                                               .lived = true};
    return true;
}

void run_peak_settle(struct ledger *ledger, struct book *book)
{
    struct aspect of_requested = requested(ledger, book), of_touched = touched(ledger, book);
    settle(&of_requested, book);
    if (settle(&of_touched, book))
        book->sums.touched_share.epoch++;
}

static void begin(const struct aspect *aspect, const struct book *book)
{
    struct run_peak *peak = aspect->peak;
    ASSERT(peak->live_bytes >= aspect->bytes && peak->live_blocks >= book->sums.blocks);
    peak->live_bytes -= aspect->bytes;
    peak->live_blocks -= book->sums.blocks;
    aspect->share->bytes = peak->bytes - peak->live_bytes;
    aspect->share->events = 0;
}

void run_peak_begin(struct ledger *ledger, struct book *book)
{
    struct aspect of_requested = requested(ledger, book), of_touched = touched(ledger, book);
    if (book->has_left) {
        book->sums.share.bytes = book->sums.touched_share.bytes = UINT64_MAX;
    } else {
        run_peak_settle(ledger, book);
        begin(&of_requested, book);
        begin(&of_touched, book);
    }
    heap_sums_set_alert(&book->sums);
}

/* The batch has made a new peak: those who have left since the one before have no part in it. */
static void note_peak(const struct aspect *aspect, const struct book *book)
{
    struct run_peak *peak = aspect->peak;
    const struct heap_peak *share = aspect->share;
    peak->bytes = peak->live_bytes + share->bytes;
    peak->blocks = peak->live_blocks + share->blocks;
    peak->time = share->time;
    peak->epoch++;
    peak->left_count = 0;
    *aspect->position = (struct peak_position){.epoch = peak->epoch,
                                               .events = share->events,
                                               .bytes = share->bytes,
                                               .blocks = share->blocks,
                                               .process = book->peer->number,
                                               .lived = true};
}

static void end(const struct aspect *aspect, const struct book *book)
{
    struct run_peak *peak = aspect->peak;
    if (aspect->share->events)
        note_peak(aspect, book);
    peak->live_bytes += aspect->bytes;
    peak->live_blocks += book->sums.blocks;
    ASSERT(peak->live_bytes <= peak->bytes);
}

void run_peak_end(struct ledger *ledger, struct book *book)
{
    struct aspect of_requested = requested(ledger, book), of_touched = touched(ledger, book);
    if (book->has_left)
        return;
    end(&of_requested, book);
    end(&of_touched, book);
}

static void leave(struct ledger *ledger, const struct aspect *aspect, const struct book *book)
{
    struct run_peak *peak = aspect->peak;
    size_t count = peak->left_count;
    peak->live_bytes -= aspect->bytes;
    peak->live_blocks -= book->sums.blocks;
    if (!aspect->position->lived)
        return;
    if (!vector_reserve(&peak->left, count + 1, sizeof *aspect->position)) {
        NOTE_HERE(&ledger->memory_short);
        return;
    }
    ((struct peak_position *)peak->left.data)[count] = *aspect->position;
    peak->left_count++;
}

void run_peak_leave(struct ledger *ledger, struct book *book)
{
    struct aspect of_requested = requested(ledger, book), of_touched = touched(ledger, book);
    if (book->has_left)
        return;
    run_peak_settle(ledger, book);
    book->has_left = true;
    leave(ledger, &of_requested, book);
    leave(ledger, &of_touched, book);
}
