/*
 * The marks of an estate are a list in order of time, and so of their blocks and events: a grave is
 * wanted when the first mark that comes after the block's birth comes before its death. Graves that
 * nobody wants any more are swept out whenever there are twice as many as after the last time.
 */
#include "collector/book/inheritance.h"

#include <stdlib.h>
#include <string.h>

#include "collector/base/clock.h"
#include "collector/book/book.h"
#include "collector/book/graveyard.h"
#include "collector/book/ledger.h"
#include "collector/book/slices.h"

#define SWEEP_AT_FIRST 4096u

/* A table of mappings that several look at. */
struct shared_mappings {
    uint32_t references;
    bool is_filled; /* false: it is still the one of the process that lends it */
    struct mappings table;
};

struct estate {
    uint32_t references;   /* the process, while it is there, and each mark */
    struct book *book;     /* null once it has gone */
    struct live_heap heap; /* then: what it has left */
    struct counters counters;
    struct graveyard graves;
    uint32_t sweep_at;
    uint64_t first_block;
    struct inheritance *own;          /* what it has inherited itself; null without */
    struct inheritance *first, *last; /* marks */
    struct shared_mappings *lent;     /* its mappings; null: it has changed them since the mark */
};

struct inheritance {
    struct inheritance *next; /* noted later, of those that wait */
    uint64_t noted_ns;
    uint64_t host;
    pid_t parent;
    uint32_t token;
    struct estate *from;
    struct inheritance *before, *after; /* marks of the same estate */
    struct inherited_from mark;
    struct shared_mappings *mappings; /* null: there were none, or the child has its own now */
    struct estate *mapped_by;         /* whose counters they name: `from`, or an ancestor of it */
    struct places places;             /* as they were; the child takes them over */
};

/* --- estates ---------------------------------------------------------------------------------- */

static const struct live_heap *heap_of(const struct estate *estate)
{
    return estate->book ? &estate->book->heap : &estate->heap;
}

static const struct counters *counters_of(const struct estate *estate)
{
    return estate->book ? &estate->book->counters : &estate->counters;
}

/* The process's, made when it has none; null when memory is short. */
static struct estate *estate_of(struct book *book)
{
    struct estate *estate = book->estate;
    if (estate || !(estate = calloc(1, sizeof *estate)))
        return estate;
    estate->references = 1;
    estate->book = book;
    estate->sweep_at = SWEEP_AT_FIRST;
    estate->first_block = book->first_block;
    return book->estate = estate;
}

/* What it had inherited itself is returned when the estate goes with this reference. */
static struct inheritance *estate_release(struct estate *estate)
{
    if (--estate->references)
        return NULL;
    struct inheritance *own = estate->own;
    live_heap_deinit(&estate->heap);
    counters_deinit(&estate->counters);
    graveyard_deinit(&estate->graves);
    free(estate);
    return own;
}

/* Whoever has blocks of lower numbers must bury them. */
static void set_wanted(const struct estate *estate)
{
    if (estate->book)
        estate->book->wanted_below = estate->last ? estate->last->mark.blocks : 0;
}

static void add_mark(struct estate *estate, struct inheritance *mark)
{
    mark->from = estate;
    mark->before = estate->last;
    *(estate->last ? &estate->last->after : &estate->first) = mark;
    estate->last = mark;
    estate->references++;
    set_wanted(estate);
}

static void remove_mark(struct estate *estate, struct inheritance *mark)
{
    *(mark->before ? &mark->before->after : &estate->first) = mark->after;
    *(mark->after ? &mark->after->before : &estate->last) = mark->before;
    set_wanted(estate);
    if (!estate->first && !estate->own) {
        graveyard_deinit(&estate->graves);
        estate->sweep_at = SWEEP_AT_FIRST;
    }
}

/* --- mappings --------------------------------------------------------------------------------- */

static void shared_release(struct shared_mappings *shared)
{
    if (!shared || --shared->references)
        return;
    mappings_deinit(&shared->table);
    free(shared);
}

/* The process lends its mappings as they are. Null when memory is short. */
static struct shared_mappings *lend_mappings(struct estate *estate)
{
    if (!estate->lent && (estate->lent = calloc(1, sizeof *estate->lent)))
        estate->lent->references = 1;
    if (estate->lent)
        estate->lent->references++;
    return estate->lent;
}

/* What the mark's child inherits. False when memory is short. */
static bool share_mappings(struct inheritance *mark, struct estate *estate)
{
    const struct inheritance *own = estate->own;
    if (own && own->mappings) { /* not yet touched */
        mark->mappings = own->mappings;
        mark->mapped_by = own->mapped_by;
        mark->mappings->references++;
        return true;
    }
    if (!estate->book->mappings.live_ranges)
        return true;
    mark->mapped_by = estate;
    return (mark->mappings = lend_mappings(estate)) != NULL;
}

/* The process is about to change what it has lent. */
static bool keep_for_others(struct estate *estate)
{
    struct shared_mappings *lent = estate->lent;
    bool good = true;
    if (lent->references > 1)
        good = lent->is_filled = mappings_copy(&lent->table, &estate->book->mappings);
    estate->lent = NULL;
    shared_release(lent);
    return good;
}

/* The process's number of a counter of another's: made when new, 0: memory is short. */
static uint32_t counter_for(struct book *book, const struct estate *owner, uint32_t number)
{
    const struct counter from = *counters_at(counters_of(owner), number);
    uint32_t own =
        counters_find(&book->counters, from.node, from.thread, from.allocator, from.size_class);
    if (own)
        counters_at(&book->counters, own)->inherited = counters_at(&book->counters, own)->is_apart =
            true;
    return own;
}

/* What is inherited, where the process has not touched it. */
static const struct mappings *mappings_of(const struct inheritance *own)
{
    return own->mappings->is_filled ? &own->mappings->table : &own->mapped_by->book->mappings;
}

/* What is being copied, and `numbers`: by mapping, its number in the child; 0: none yet. */
struct adoption {
    struct book *child;
    const struct estate *owner;
    const struct mappings *from;
    uint32_t *numbers;
};

static bool adopt_range(const struct adoption *adoption, const struct mapping_range *range)
{
    struct book *child = adoption->child;
    uint32_t *number = &adoption->numbers[range->mapping];
    if (!*number) {
        struct mapping mapping = *mappings_at(adoption->from, range->mapping);
        mapping.counter = counter_for(child, adoption->owner, mapping.counter);
        *number = mapping.counter ? mappings_add(&child->mappings, &mapping) : 0;
    }
    struct mapping_range own = *range;
    own.mapping = *number;
    return *number && mappings_add_range(&child->mappings, &own);
}

/* The child makes what it has inherited its own. False when memory is short. */
static bool adopt_mappings(struct book *child, struct inheritance *own)
{
    const struct estate *owner = own->mapped_by;
    const struct mappings *from = mappings_of(own);
    uint32_t *numbers = calloc((size_t)from->all_used + 1, sizeof *numbers);
    const struct adoption adoption = {child, owner, from, numbers};
    const struct mapping_range *range;
    bool good = numbers != NULL;
    for (uint32_t number = mappings_from(from, 0); good && number;
         number = mappings_from(from, range->end)) {
        range = mappings_range(from, number);
        good = adopt_range(&adoption, range);
    }
    free(numbers);
    shared_release(own->mappings);
    own->mappings = NULL;
    return good;
}

void inheritance_touch_mappings(struct ledger *ledger, struct book *book)
{
    struct estate *estate = book->estate;
    if (!estate)
        return;
    if (estate->own && estate->own->mappings && !adopt_mappings(book, estate->own))
        NOTE_HERE(&ledger->memory_short);
    if (estate->lent && !keep_for_others(estate))
        NOTE_HERE(&ledger->memory_short);
}

/* --- those that wait -------------------------------------------------------------------------- */

/* Takes one out of those that wait. */
static struct inheritance *take_mark(struct ledger *ledger, struct inheritance **at)
{
    struct inheritance *taken = *at;
    *at = taken->next;
    if (!*at)
        ledger->inheritances.last = at;
    ledger->inheritances.count--;
    taken->next = NULL;
    return taken;
}

/* Whose child has not said hello. */
static void give_up_oldest(struct ledger *ledger)
{
    ledger->absences.counts[ABSENCE_UNHEARD]++;
    inheritance_free(take_mark(ledger, &ledger->inheritances.first));
}

void inheritance_drop_all(struct ledger *ledger)
{
    while (ledger->inheritances.first)
        give_up_oldest(ledger);
}

void inheritance_drop_old(struct ledger *ledger, uint64_t now_ns)
{
    while (ledger->inheritances.first &&
           ledger->inheritances.first->noted_ns + INHERITANCE_PATIENCE_NS < now_ns)
        give_up_oldest(ledger);
}

static void append_mark(struct ledger *ledger, struct inheritance *mark)
{
    if (!ledger->inheritances.first)
        ledger->inheritances.last = &ledger->inheritances.first;
    *ledger->inheritances.last = mark;
    ledger->inheritances.last = &mark->next;
    ledger->inheritances.count++;
}

static struct inheritance *make_mark(struct book *parent)
{
    struct estate *estate = estate_of(parent);
    struct inheritance *mark = estate ? calloc(1, sizeof *mark) : NULL;
    if (!mark || !share_mappings(mark, estate)) {
        free(mark);
        return NULL;
    }
    mark->host = parent->peer->host;
    mark->parent = parent->peer->pid;
    mark->noted_ns = clock_now();
    mark->mark =
        (struct inherited_from){parent->peer->number, parent->sums.events, parent->blocks_made};
    places_copy(&mark->places, &parent->surveys.places);
    add_mark(estate, mark);
    return mark;
}

void inheritance_note(struct ledger *ledger, struct book *parent, uint32_t token)
{
    if (ledger->inheritances.count >= INHERITANCES_MAX)
        give_up_oldest(ledger);
    struct inheritance *mark = make_mark(parent);
    if (!mark) {
        NOTE_HERE(&ledger->memory_short);
        return;
    }
    mark->token = token;
    ledger->inheritances.forked_ns = mark->noted_ns;
    append_mark(ledger, mark);
    slices_end(ledger, parent); /* without history: what it holds here must be known */
}

static bool is_of(const struct inheritance *noted, uint64_t host, pid_t parent, uint32_t token)
{
    return noted->host == host && noted->parent == parent && noted->token == token;
}

bool inheritance_is_noted(const struct ledger *ledger, uint64_t host, pid_t parent, uint32_t token)
{
    for (const struct inheritance *at = ledger->inheritances.first; at; at = at->next)
        if (is_of(at, host, parent, token))
            return true;
    return false;
}

struct inheritance *inheritance_take(struct ledger *ledger, uint64_t host, pid_t parent,
                                     uint32_t token)
{
    for (struct inheritance **at = &ledger->inheritances.first; *at; at = &(*at)->next)
        if (is_of(*at, host, parent, token))
            return take_mark(ledger, at);
    return NULL;
}

/* Each step frees an estate that nobody else refers to, and then what that had inherited. */
void inheritance_free(struct inheritance *inheritance)
{
    while (inheritance) {
        struct inheritance *gone = inheritance;
        shared_release(gone->mappings);
        places_deinit(&gone->places);
        remove_mark(gone->from, gone);
        inheritance = estate_release(gone->from);
        free(gone);
    }
}

void inheritance_free_all(struct ledger *ledger)
{
    while (ledger->inheritances.first)
        inheritance_free(take_mark(ledger, &ledger->inheritances.first));
}

/* --- the child -------------------------------------------------------------------------------- */

void inheritance_apply(struct ledger *ledger, struct book *child, struct inheritance *inheritance)
{
    struct estate *estate = estate_of(child);
    if (!estate) {
        NOTE_HERE(&ledger->memory_short);
        inheritance_free(inheritance);
        return;
    }
    estate->own = inheritance;
    places_deinit(&child->surveys.places);
    child->surveys.places = inheritance->places;
    inheritance->places = (struct places){0};
    estate->first_block = inheritance->mark.blocks;
    child->first_block = child->blocks_made = inheritance->mark.blocks;
    child->history.writer.span.first_block = inheritance->mark.blocks;
}

bool inheritance_of(const struct book *book, struct inherited_from *from)
{
    const struct estate *estate = book->estate;
    if (!estate || !estate->own)
        return false;
    *from = estate->own->mark;
    return true;
}

/* Was a block that the estate's process has made itself, and freed, live at the mark? */
static bool was_live(const struct inheritance *mark, const struct grave *grave)
{
    return block_number(&grave->block) >= mark->from->first_block &&
           block_number(&grave->block) < mark->mark.blocks && grave->died >= mark->mark.events;
}

/* Of the blocks that the estate's process has made itself, the one that was live at the mark. */
static const struct block *find_made(const struct inheritance *mark, uint64_t address)
{
    const struct estate *estate = mark->from;
    const struct block *block = live_heap_find(heap_of(estate), address);
    if (block && block_number(block) < mark->mark.blocks)
        return block;
    const struct grave *grave = NULL;
    while ((grave = graveyard_find(&estate->graves, address, grave)))
        if (was_live(mark, grave))
            return &grave->block;
    return NULL;
}

/* Was an inherited block gone at the mark? */
static bool was_freed(const struct inheritance *mark, const struct block *block)
{
    const struct grave *grave =
        graveyard_find_block(&mark->from->graves, block->address, block_number(block));
    return grave && grave->died < mark->mark.events;
}

/* The block that was live at `address` in the parent, or in a parent of that; *owner: whose
 * counters it names. */
static const struct block *find_inherited(const struct inheritance *own, uint64_t address,
                                          const struct estate **owner)
{
    const struct block *block = NULL;
    const struct inheritance *at = own;
    while (at && !(block = find_made(at, address)))
        at = at->from->own;
    for (const struct inheritance *between = own; between != at; between = between->from->own)
        if (block && was_freed(between, block))
            return NULL;
    *owner = at ? at->from : NULL;
    return block;
}

bool inheritance_remove(struct ledger *ledger, struct book *book, uint64_t address,
                        struct block *block)
{
    struct estate *estate = book->estate;
    const struct estate *owner;
    const struct block *found = find_inherited(estate->own, address, &owner);
    if (!found || graveyard_find_block(&estate->graves, address, block_number(found)))
        return false;
    *block = *found;
    block->counter = counter_for(book, owner, found->counter);
    if (!block->counter) {
        NOTE_HERE(&ledger->memory_short);
        return false;
    }
    inheritance_bury(ledger, book, block);
    return true;
}

/* Who is told of what a process has inherited. */
struct listener {
    const struct estate *child;
    const struct inheritance *own, *at;
    void (*each)(void *context, const struct block *block, const struct counters *counters);
    void *context;
};

/* A block of the estate at->from, which was live at its mark. */
static void tell_inherited(const struct listener *listener, const struct block *block)
{
    for (const struct inheritance *between = listener->own; between != listener->at;
         between = between->from->own)
        if (was_freed(between, block))
            return;
    if (!graveyard_find_block(&listener->child->graves, block->address, block_number(block)))
        listener->each(listener->context, block, counters_of(listener->at->from));
}

static void tell_all_inherited(const struct listener *listener)
{
    const struct estate *estate = listener->at->from;
    const struct live_heap *heap = heap_of(estate);
    const struct block *blocks = heap->blocks.data;
    for (uint32_t i = 1; i < heap->blocks_used; i++)
        if (blocks[i].counter && block_number(&blocks[i]) < listener->at->mark.blocks)
            tell_inherited(listener, &blocks[i]);
    const struct grave *graves = estate->graves.graves.data;
    for (uint32_t i = 1; i < estate->graves.used; i++)
        if (graves[i].block.counter && was_live(listener->at, &graves[i]))
            tell_inherited(listener, &graves[i].block);
}

bool inheritance_is_related(const struct book *book)
{
    return book->estate != NULL;
}

void inheritance_each(const struct book *book,
                      void (*each)(void *context, const struct block *block,
                                   const struct counters *counters),
                      void *context)
{
    struct listener listener = {.child = book->estate, .each = each, .context = context};
    if (!book->estate)
        return;
    listener.own = book->estate->own;
    for (listener.at = listener.own; listener.at; listener.at = listener.at->from->own)
        tell_all_inherited(&listener);
}

struct inherited_mappings inheritance_mappings(const struct book *book)
{
    const struct inheritance *own = book->estate ? book->estate->own : NULL;
    if (!own || !own->mappings)
        return (struct inherited_mappings){&book->mappings, &book->counters};
    return (struct inherited_mappings){mappings_of(own), counters_of(own->mapped_by)};
}

/* --- graves ----------------------------------------------------------------------------------- */

/* The marks of an estate, in an array. */
struct marks {
    const struct estate *estate;
    struct inherited_from *list;
    size_t count;
};

/* Was the block, which has gone, there at one of the marks? Those that are inherited are kept: the
 * process itself asks for them. */
static bool is_wanted(void *context, const struct grave *grave)
{
    const struct marks *marks = context;
    size_t low = 0, high = marks->count;
    if (block_number(&grave->block) < marks->estate->first_block)
        return true;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (marks->list[middle].blocks > block_number(&grave->block))
            high = middle;
        else
            low = middle + 1;
    }
    return low < marks->count && marks->list[low].events <= grave->died;
}

/* When memory is short, nothing is swept. */
static void sweep_estate(struct estate *estate)
{
    struct marks marks = {.estate = estate};
    for (const struct inheritance *at = estate->first; at; at = at->after)
        marks.count++;
    marks.list = malloc((marks.count + 1) * sizeof *marks.list);
    size_t i = 0;
    for (const struct inheritance *at = estate->first; at && marks.list; at = at->after)
        marks.list[i++] = at->mark;
    if (marks.list)
        graveyard_sweep(&estate->graves, is_wanted, &marks);
    free(marks.list);
    uint32_t twice = 2 * estate->graves.count;
    estate->sweep_at = twice > SWEEP_AT_FIRST ? twice : SWEEP_AT_FIRST;
}

void inheritance_bury(struct ledger *ledger, struct book *book, const struct block *block)
{
    struct estate *estate = book->estate;
    if (estate->graves.count >= estate->sweep_at)
        sweep_estate(estate);
    if (!graveyard_add(&estate->graves, block, book->sums.events))
        NOTE_HERE(&ledger->memory_short);
}

void inheritance_unbury(struct book *book, const struct block *block)
{
    if (book->estate)
        graveyard_remove(&book->estate->graves, block->address, block_number(block));
}

uint32_t inheritance_graves(const struct book *book)
{
    return book->estate ? book->estate->graves.count : 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Whoever still looks at the process's mappings gets the table itself. */
static void leave_mappings(struct estate *estate)
{
    struct shared_mappings *lent = estate->lent;
    if (lent && lent->references > 1) {
        lent->table = estate->book->mappings;
        lent->is_filled = true;
        estate->book->mappings = (struct mappings){0};
    }
    shared_release(lent);
    estate->lent = NULL;
}

bool inheritance_is_shared(const struct book *book)
{
    return book->estate && book->estate->references > 1;
}

void inheritance_leave(struct book *book)
{
    struct estate *estate = book->estate;
    if (!estate)
        return;
    leave_mappings(estate);
    if (estate->references > 1) {
        estate->heap = book->heap;
        estate->counters = book->counters;
        book->heap = (struct live_heap){0};
        book->counters = (struct counters){0};
    }
    estate->book = NULL;
    book->estate = NULL;
    book->wanted_below = 0;
    inheritance_free(estate_release(estate));
}
