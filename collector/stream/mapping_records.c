/*
 * All of this is rare, and kept out of the hot loop. An extended record that is not known is passed
 * over by its length, and counted.
 */
#include "collector/stream/mapping_records.h"

#include "collector/book/mapping_events.h"
#include "collector/book/touched.h"
#include "collector/native/native_stack.h"
#include "collector/stream/stack_records.h"

static bool is_range(const struct address_range *range)
{
    return range->bytes > 0 && range->start <= WIRE_ADDRESS_MASK &&
           range->bytes <= WIRE_ADDRESS_MASK - range->start;
}

static struct pending_unmap *unmap_of(struct cursor *cursor, uint64_t slot)
{
    return &cursor->process->mirror.unmaps[slot & WIRE_REALLOC_THREAD_MASK];
}

__attribute__((cold, noinline)) void count_mapping(struct cursor *cursor, struct mapped *mapped,
                                                   uint64_t slot)
{
    struct book *book = &cursor->process->book;
    if (!is_range(&mapped->range)) {
        book_damage(book, DAMAGE_RECORD);
        return;
    }
    if (mapped->allocator == WIRE_ALLOCATOR_MOVED) {
        const struct pending_unmap *moved = unmap_of(cursor, slot);
        mapped->allocator = mapping_events_kind(book, moved);
        mapped->touched = moved->touched;
    }
    mapping_events_map(&cursor->run->ledger, book, mapped);
}

/* --- ranges that are told -----------------------------------------------------------------------
 */

/* A range whose bytes stand in a word with bits, and behind that what of it is in memory. */
struct told_range {
    struct address_range range;
    uint64_t bits;
    uint64_t present; /* PRESENCE_UNKNOWN: it was not looked at */
};

/* Of the words from `at` (of the record) on; returns how many there are. A range whose words are
 * not all there has no bytes. */
static unsigned read_told_range(const struct cursor *cursor, unsigned at, struct told_range *told)
{
    const struct process *process = cursor->process;
    uint64_t word, position = cursor->position + at;
    told->range.bytes = 0;
    told->present = PRESENCE_UNKNOWN;
    if (!read_continuation(process, position, &word))
        return 0;
    told->bits = word & ~WIRE_ADDRESS_MASK;
    if (word & WIRE_LOOKED_BIT && !read_continuation(process, position + 1, &told->present))
        return 1;
    told->range.bytes = word & WIRE_ADDRESS_MASK;
    return word & WIRE_LOOKED_BIT ? 2 : 1;
}

__attribute__((cold, noinline)) unsigned on_unmap(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    struct pending_unmap *pending = unmap_of(cursor, first >> WIRE_REALLOC_THREAD_SHIFT);
    struct told_range told;
    unsigned words = 1 + read_told_range(cursor, 1, &told);
    told.range.start = first & WIRE_ADDRESS_MASK;
    if (!is_range(&told.range)) {
        book_damage(&process->book, DAMAGE_RECORD);
        return words;
    }
    if (told.bits & WIRE_UNMAP_FAILED_BIT)
        mapping_events_unmap_failed(&cursor->run->ledger, &process->book, pending, &told.range);
    else
        mapping_events_unmap(&cursor->run->ledger, &process->book, pending, &told.range,
                             told.present);
    return words;
}

/* --- extended records ---------------------------------------------------------------------------
 */

static bool on_emptied(struct cursor *cursor)
{
    struct told_range told;
    if (!read_continuation(cursor->process, cursor->position + 1, &told.range.start))
        return false;
    read_told_range(cursor, 2, &told);
    if (is_range(&told.range) && told.bits & WIRE_LAZILY_BIT)
        places_note(&cursor->process->book.surveys.places, PLACE_LAZY, told.range.start,
                    told.range.bytes, 0);
    if (is_range(&told.range))
        mapping_events_empty(&cursor->run->ledger, &cursor->process->book, &told.range,
                             told.present, told.bits & WIRE_LAZILY_BIT);
    return is_range(&told.range);
}

static bool on_present(struct cursor *cursor)
{
    uint64_t address, present;
    bool whole = read_continuation(cursor->process, cursor->position + 1, &address) &&
                 read_continuation(cursor->process, cursor->position + 2, &present);
    if (whole)
        touched_set(&cursor->process->book, address, present);
    return whole;
}

/* The node of the stack that a word tells, with the change of depth in its size field. */
static bool read_stack(struct cursor *cursor, uint64_t word, struct mapped *mapped)
{
    uint64_t change = (word >> WIRE_SIZE_SHIFT & WIRE_DEPTH_CHANGE_MASK) << WIRE_DEPTH_CHANGE_SHIFT;
    struct stacks *stacks = &cursor->run->stacks;
    bool has_python = !(word & WIRE_NO_STACK_BIT);
    struct thread_mirror *thread =
        process_thread(cursor->run, cursor->process, word >> WIRE_THREAD_SHIFT & WIRE_THREAD_MASK);
    if (!thread)
        return false;
    mapped->thread = thread->who.number;
    if (has_python && !stack_apply_change(cursor, thread, change, word) &&
        !stack_apply_doubted(cursor, thread, change, word))
        return false;
    if (word & WIRE_NATIVE_STACK_BIT && !stack_is_certain(cursor, thread))
        return false;
    if (word & WIRE_NATIVE_STACK_BIT)
        mapped->node =
            native_stack_node(stacks, &cursor->process->mirror.native, thread, has_python);
    else if (has_python)
        mapped->node = stack_node(stacks, thread);
    return true;
}

static bool on_accessible(struct cursor *cursor)
{
    struct book *book = &cursor->process->book;
    struct mapped mapped = {.allocator = WIRE_ALLOCATOR_MMAP};
    uint64_t stack;
    if (!read_continuation(cursor->process, cursor->position + 1, &stack) ||
        !read_continuation(cursor->process, cursor->position + 2, &mapped.range.start) ||
        !read_continuation(cursor->process, cursor->position + 3, &mapped.range.bytes) ||
        !is_range(&mapped.range))
        return false;
    if (!read_stack(cursor, stack, &mapped))
        book_damage(book, DAMAGE_STACK);
    mapping_events_open(&cursor->run->ledger, book, &mapped);
    return true;
}

static bool on_place(struct cursor *cursor, unsigned count)
{
    struct address_range range;
    uint64_t word, caller = 0;
    if (!read_continuation(cursor->process, cursor->position + 1, &range.start) ||
        !read_continuation(cursor->process, cursor->position + 2, &word) ||
        (count > 2 && !read_continuation(cursor->process, cursor->position + 3, &caller)))
        return false;
    unsigned kind = word >> WIRE_PLACE_SHIFT & WIRE_PLACE_MASK;
    range.bytes = word & WIRE_ADDRESS_MASK;
    if (kind >= WIRE_PLACE_COUNT || !is_range(&range))
        return false;
    places_note(&cursor->process->book.surveys.places, (enum wire_place)kind, range.start,
                range.bytes, caller);
    return true;
}

/* Whether the record is whole and makes sense; *known: whether its number is. */
static bool handle_extended(struct cursor *cursor, uint64_t number, unsigned count, bool *known)
{
    *known = true;
    switch (number) {
    case WIRE_EXTENDED_ACCESSIBLE:
        return on_accessible(cursor);
    case WIRE_EXTENDED_PRESENT:
        return on_present(cursor);
    case WIRE_EXTENDED_EMPTIED:
        return on_emptied(cursor);
    case WIRE_EXTENDED_LOOKED:
        touched_note_whole_look(&cursor->process->book);
        return true;
    case WIRE_EXTENDED_PLACE:
        return on_place(cursor, count);
    default:
        *known = false;
        return true;
    }
}

__attribute__((cold, noinline)) unsigned on_extended(struct cursor *cursor, uint64_t first)
{
    unsigned count = first & WIRE_EXTENDED_COUNT_MASK, words = 1;
    uint64_t payload;
    while (words <= count && read_continuation(cursor->process, cursor->position + words, &payload))
        words++;
    bool known = true;
    bool whole =
        words > count &&
        handle_extended(cursor, first >> WIRE_EXTENDED_NUMBER_SHIFT & WIRE_EXTENDED_NUMBER_MASK,
                        count, &known);
    if (!whole || !known)
        book_damage(&cursor->process->book, whole ? DAMAGE_UNKNOWN : DAMAGE_RECORD);
    return words;
}
