/*
 * A look goes through the ranges by address, a budget of time at once. A whole one, through all of
 * them, is followed by a pause of LOOK_SHARE times what it took. What is found then was touched at
 * some time since the whole look before.
 */
#include "collector/book/looking.h"

#include "collector/base/clock.h"
#include "collector/book/book.h"
#include "collector/book/mapping_events.h"
#include "collector/book/run_peak.h"
#include "collector/book/touched.h"
#include "collector/system/pages.h"

#define LOOK_EVERY_NS  UINT64_C(10000000)
#define LOOK_BUDGET_NS UINT64_C(2000000)
#define LOOK_SHARE     50u

static void look_at_range(struct book *book, uint64_t start, uint64_t end, uint64_t present)
{
    struct mappings *ranges = &book->presence.ranges;
    uint32_t number = mappings_from(ranges, start);
    uint32_t counter = mappings_at(ranges, mappings_range(ranges, number)->mapping)->counter;
    uint64_t missing = end - start - present;
    uint64_t known = mappings_at(ranges, mappings_range(ranges, number)->mapping)->bytes;
    if (missing >= known)
        return;
    mappings_at(ranges, mappings_range(ranges, number)->mapping)->bytes = missing;
    if (!missing)
        touched_forget(ranges, start, end);
    touched_note_found(book, counter, known - missing);
}

static void look_at_emptied(struct ledger *ledger, struct book *book, uint64_t start, uint64_t end,
                            uint64_t present)
{
    struct mappings *emptied = &book->presence.emptied;
    uint32_t number = mappings_from(emptied, start);
    struct mapping *of = mappings_at(emptied, mappings_range(emptied, number)->mapping);
    uint64_t missing = end - start - present;
    if (missing == of->bytes)
        return;
    of->bytes = missing;
    if (!missing)
        touched_forget(emptied, start, end);
    book->presence.found += present;
    mapping_events_refill(ledger, book, &(struct address_range){start, end - start}, present);
}

/* All have been looked at. */
static void end_look(struct book *book, uint64_t now_ns, uint64_t cost)
{
    struct presence *presence = &book->presence;
    uint64_t pause = cost * LOOK_SHARE;
    touched_note_whole_look(book);
    presence->resume = 0;
    presence->in_emptied = false;
    presence->next_ns = now_ns + (pause > LOOK_EVERY_NS ? pause : LOOK_EVERY_NS);
}

/* The next range to look at; false: there is none. */
static bool next_range(struct presence *presence, struct mapping_range *range)
{
    struct mappings *among = presence->in_emptied ? &presence->emptied : &presence->ranges;
    uint32_t number = among->live_ranges ? mappings_from(among, presence->resume) : 0;
    if (!number && !presence->in_emptied) {
        presence->in_emptied = true;
        presence->resume = 0;
        return next_range(presence, range);
    }
    if (number)
        *range = *mappings_range(among, number);
    return number;
}

static bool look_at_next(struct ledger *ledger, struct book *book, struct pages *pages)
{
    struct presence *presence = &book->presence;
    struct mapping_range range;
    uint64_t present;
    if (!next_range(presence, &range))
        return false;
    presence->resume = range.start + 1;
    if (!pages_present(pages, range.start, range.end, &present))
        return true; /* it has just ended */
    if (presence->in_emptied)
        look_at_emptied(ledger, book, range.start, range.end, present);
    else
        look_at_range(book, range.start, range.end, present);
    return true;
}

/* Looks at some ranges; false when all have been looked at. */
static bool look_at_some(struct ledger *ledger, struct book *book, struct pages *pages,
                         uint64_t *cost)
{
    uint64_t before = clock_computed();
    bool more = true;
    run_peak_begin(ledger, book);
    for (*cost = 0; more && *cost < LOOK_BUDGET_NS; *cost = clock_computed() - before)
        more = look_at_next(ledger, book, pages);
    run_peak_end(ledger, book);
    return more;
}

bool looking_step(struct ledger *ledger, struct book *book, pid_t pid, uint64_t now_ns)
{
    struct presence *presence = &book->presence;
    struct pages pages = {.file = -1};
    uint64_t cost;
    touched_note_most(book); /* before a sample is taken, which begins anew */
    if (now_ns < presence->next_ns || presence->is_hidden ||
        !(presence->ranges.live_ranges | presence->emptied.live_ranges | presence->found))
        return false;
    if (!pid || (!pages_open(&pages, pid) && pages_are_hidden(pid))) {
        run_peak_begin(ledger, book);
        touched_hide(book);
        run_peak_end(ledger, book);
        return true;
    }
    if (pages.file < 0) {
        presence->next_ns = now_ns + LOOK_EVERY_NS;
        return false;
    }
    if (!look_at_some(ledger, book, &pages, &cost))
        end_look(book, now_ns, cost);
    pages_close(&pages);
    return true;
}
