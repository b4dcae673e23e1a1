/*
 * The hot loop of the collector.
 *
 * A record is read once its first word carries the current lap bit; then its continuation words are
 * there too, unless the writer is hostile. The loop looks a few words ahead and fetches the bucket
 * of the block that it will meet there, and later the block: in a large heap both come from far.
 */
#include "collector/stream/decode.h"

#include "assertion.h"
#include "chunk.h"
#include "collector/book/inheritance.h"
#include "collector/book/run_peak.h"
#include "collector/book/touched.h"
#include "collector/native/native_stack.h"
#include "collector/stream/cursor.h"
#include "collector/stream/descriptions.h"
#include "collector/stream/mapping_records.h"
#include "collector/stream/marks.h"
#include "collector/stream/stack_records.h"
#include "futex.h"

/* Words to look ahead for addresses. */
#define LOOK_AHEAD_BUCKET 64u
#define LOOK_AHEAD_BLOCK  32u
/* How often the tail is published: a writer may wait for it. */
#define TAIL_STEP 2048u
/* A stream's clock was compared with ours when it said hello, which may have taken as long. */
#define AHEAD_MAX_NS UINT64_C(20000000000)

/* --- large blocks, of which it matters what is in memory ----------------------------------------
 */

__attribute__((cold, noinline)) static void begin_large(struct cursor *cursor,
                                                        const struct block *block, uint64_t touched)
{
    const struct mapping_range range = {.start = block->address,
                                        .end = block->address + block_size(block)};
    touched_begin(&cursor->run->ledger, &cursor->process->book, &range, block->counter, touched);
}

/* How much of it was untouched. */
__attribute__((cold, noinline)) static uint64_t end_large(struct cursor *cursor,
                                                          const struct block *block)
{
    return touched_end(&cursor->run->ledger, &cursor->process->book, block->address,
                       block->address + block_size(block));
}

/* What a realloc's old block had touched its new one has, when the thread has allocated nothing
 * since. */
static uint64_t touched_by_realloc(const struct cursor *cursor, uint32_t thread, uint64_t slot)
{
    const struct pending_realloc *pending =
        &cursor->process->mirror.pending[slot & WIRE_REALLOC_THREAD_MASK];
    bool is_next = pending->found && !book_has_made(&cursor->process->book, thread, pending->made);
    return is_next ? pending->death.touched : 0;
}

/* --- blocks -------------------------------------------------------------------------------------
 */

/* A block that is in no heap any more leaves its counter. */
static inline __attribute__((always_inline)) void
count_death(struct cursor *cursor, const struct block *block, struct death *death)
{
    struct process *process = cursor->process;
    struct counter *counter = counters_at(&process->book.counters, block->counter);
    death->temporary = book_is_latest(&process->book, counter->thread, block_number(block));
    if (book_keeps_history(&cursor->run->ledger, &process->book))
        death->lifetime = history_free(&process->book.history.writer, block_number(block),
                                       block->counter, block_size(block), block_born(block));
    death->touched = block_size(block);
    if (__builtin_expect(block_size(block) >= WIRE_LARGE_BYTES, 0))
        death->touched -= end_large(cursor, block);
    counter_free(counter, &process->book.sums, block_size(block), death->temporary);
    if (__builtin_expect(block_size(block) >= WIRE_LARGE_BYTES, 0))
        touched_settle(&process->book);
}

/* Takes one of the process's own blocks out of the live heap and its counter. */
static inline bool take_out(struct cursor *cursor, uint64_t address, struct block *block,
                            struct death *death)
{
    struct process *process = cursor->process;
    if (!live_heap_remove(&process->book.heap, address, block))
        return false;
    if (__builtin_expect(block_number(block) < process->book.wanted_below, 0))
        inheritance_bury(&cursor->run->ledger, &process->book, block);
    count_death(cursor, block, death);
    return true;
}

__attribute__((cold, noinline)) static bool take_out_inherited(struct cursor *cursor,
                                                               uint64_t address,
                                                               struct block *block,
                                                               struct death *death)
{
    struct process *process = cursor->process;
    if (!process->book.first_block ||
        !inheritance_remove(&cursor->run->ledger, &process->book, address, block))
        return false;
    count_death(cursor, block, death);
    return true;
}

/* The same for what the program frees: its own, or inherited. */
static inline bool take_out_any(struct cursor *cursor, uint64_t address, struct block *block,
                                struct death *death)
{
    return take_out(cursor, address, block, death) ||
           take_out_inherited(cursor, address, block, death);
}

/* Puts back what one of these has taken out. False: memory is short. */
static bool put_back(struct process *process, const struct block *block)
{
    inheritance_unbury(&process->book, block);
    return block_number(block) < process->book.first_block ||
           live_heap_add(&process->book.heap, block);
}

/* A block whose free was never seen has made room; *bucket is where its address belongs then. */
__attribute__((cold, noinline)) static void take_out_unfreed(struct cursor *cursor,
                                                             uint64_t address, uint64_t *bucket)
{
    struct block unfreed;
    struct death death;
    take_out(cursor, address, &unfreed, &death);
    *bucket = live_heap_bucket(&cursor->process->book.heap, address);
    book_damage(&cursor->process->book, DAMAGE_UNFREED);
}

/* `touched`: of a large block. */
static void count_allocation(struct cursor *cursor, uint64_t address, uint64_t size, uint32_t node,
                             uint32_t thread, uint8_t allocator, uint64_t touched)
{
    struct run *run = cursor->run;
    struct book *book = &cursor->process->book;
    bool has_room = live_heap_reserve(&book->heap);
    uint64_t bucket = live_heap_bucket(&book->heap, address);
    if (__builtin_expect(live_heap_find_in(&book->heap, bucket, address) != NULL, 0))
        take_out_unfreed(cursor, address, &bucket);
    bool keeps_history = book_keeps_history(&run->ledger, book);
    struct recent_counter *recent =
        recent_counters_find(&book->recent, &book->counters, node, thread, allocator, size);
    const struct block block = book_next_block(book, address, size, recent->counter);
    if (!has_room || !recent->counter || !live_heap_add_to(&book->heap, bucket, &block)) {
        NOTE_HERE(&run->ledger.memory_short);
        book_damage(book, DAMAGE_MEMORY);
        return;
    }
    book_note_latest(&run->ledger, book, thread, book->blocks_made);
    book->blocks_made++;
    if (keeps_history) {
        if (__builtin_expect(!recent->pair, 0))
            recent->pair = 1 + history_pair(&book->history.writer, recent->counter, size);
        ASSERT(history_pair_is(&book->history.writer, recent->pair - 1, recent->counter, size));
        history_allocate(&book->history.writer, recent->pair - 1);
    }
    if (__builtin_expect(size >= WIRE_LARGE_BYTES, 0))
        begin_large(cursor, &block, touched);
    counter_allocate(counters_at(&book->counters, recent->counter), &book->sums, size, book->now);
}

/* Sums over many processes must stay numbers that a recording can hold: one that says it has
 * allocated more than 2^56 bytes does not tell the truth, or runs for ten years. */
static inline bool can_be_counted(const struct process *process, uint64_t size)
{
    const struct heap_sums *sums = &process->book.sums;
    return !((size | sums->allocated_bytes >> 8 | sums->apart_bytes >> 8) >> 48);
}

static unsigned on_allocation(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    uint64_t second, size;
    bool wide = first & WIRE_WIDE_BIT;
    unsigned allocator = first >> WIRE_ALLOCATOR_SHIFT & WIRE_ALLOCATOR_MASK;
    bool whole = read_continuation(process, cursor->position + 1, &second);
    size = second >> WIRE_SIZE_SHIFT & WIRE_SIZE_MASK;
    if (whole && wide)
        whole = read_continuation(process, cursor->position + 2, &size);
    if (!whole || (allocator >= WIRE_ALLOCATOR_COUNT && allocator != WIRE_ALLOCATOR_MOVED) ||
        !can_be_counted(process, size)) {
        book_damage(&process->book, DAMAGE_RECORD);
        return 1;
    }
    struct thread_mirror *thread =
        process_thread(cursor->run, process, second >> WIRE_THREAD_SHIFT & WIRE_THREAD_MASK);
    if (!thread) {
        book_damage(&process->book, DAMAGE_MEMORY);
        return 2 + wide;
    }
    uint32_t node = 0;
    bool has_python = !(second & WIRE_NO_STACK_BIT);
    if (has_python && !stack_apply_change(cursor, thread, first, second) &&
        !stack_apply_doubted(cursor, thread, first, second)) {
        book_damage(&process->book, DAMAGE_STACK);
    } else if (__builtin_expect((second & WIRE_NATIVE_STACK_BIT) != 0, 0)) {
        if (stack_is_certain(cursor, thread))
            node = native_stack_node(&cursor->run->stacks, &process->mirror.native, thread,
                                     has_python);
        else
            book_damage(&process->book, DAMAGE_STACK);
    } else if (has_python) {
        node = stack_node(&cursor->run->stacks, thread);
    }
    if (__builtin_expect(allocator_maps(allocator), 0))
        count_mapping(cursor,
                      &(struct mapped){.range = {first & WIRE_ADDRESS_MASK, size},
                                       .node = node,
                                       .thread = thread->who.number,
                                       .allocator = (uint8_t)allocator},
                      second >> WIRE_THREAD_SHIFT);
    else
        count_allocation(
            cursor, first & WIRE_ADDRESS_MASK, size, node, thread->who.number, (uint8_t)allocator,
            wide ? touched_by_realloc(cursor, thread->who.number, second >> WIRE_THREAD_SHIFT) : 0);
    return 2 + wide;
}

static inline void on_free(struct cursor *cursor, uint64_t first)
{
    struct block block;
    struct death death;
    if (!take_out_any(cursor, first & WIRE_ADDRESS_MASK, &block, &death))
        cursor->process->book.unmatched_frees++;
}

static struct pending_realloc *pending_of(struct cursor *cursor, uint64_t first)
{
    return &cursor->process->mirror
                .pending[first >> WIRE_REALLOC_THREAD_SHIFT & WIRE_REALLOC_THREAD_MASK];
}

static void on_realloc_free(struct cursor *cursor, uint64_t first)
{
    struct pending_realloc *pending = pending_of(cursor, first);
    pending->made = cursor->process->book.blocks_made;
    pending->found =
        take_out_any(cursor, first & WIRE_ADDRESS_MASK, &pending->block, &pending->death);
    pending->block.address = first & WIRE_ADDRESS_MASK;
    if (!pending->found)
        cursor->process->book.unmatched_frees++;
}

static void on_realloc_failed(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    struct pending_realloc *pending = pending_of(cursor, first);
    const struct block *block = &pending->block;
    if (block->address != (first & WIRE_ADDRESS_MASK) || !block->address) {
        book_damage(&process->book, DAMAGE_UNDONE);
    } else if (!pending->found) {
        process->book.unmatched_frees--;
    } else if (put_back(process, block)) {
        if (book_keeps_history(&cursor->run->ledger, &process->book))
            history_restore(&process->book.history.writer, block_number(block), block->counter,
                            block_size(block), pending->death.lifetime);
        if (block_size(block) >= WIRE_LARGE_BYTES)
            begin_large(cursor, block, pending->death.touched);
        counter_restore(counters_at(&process->book.counters, block->counter), &process->book.sums,
                        block_size(block), pending->death.temporary, process->book.now);
    } else {
        NOTE_HERE(&cursor->run->ledger.memory_short);
        book_damage(&process->book, DAMAGE_MEMORY);
    }
    *pending = (struct pending_realloc){0};
}

static void on_thread(struct cursor *cursor, uint64_t first)
{
    uint32_t tid = (uint32_t)(first & WIRE_THREAD_ID_MASK);
    if (tid > INT32_MAX) {
        book_damage(&cursor->process->book, DAMAGE_RECORD);
        return;
    }
    process_thread_begin(cursor->run, cursor->process,
                         (uint32_t)(first >> WIRE_THREAD_SLOT_SHIFT & WIRE_THREAD_MASK), tid);
}

/* In this collector's CLOCK_MONOTONIC. */
static inline uint64_t time_of(const struct process *process, uint64_t first)
{
    return (first & WIRE_TIME_MASK) + process->ring.clock_offset;
}

/* What a stream says of the time is believed only so far. */
static bool is_from_the_future(const struct run *run, uint64_t time_ns)
{
    return run->clock_ns && time_ns > run->clock_ns && time_ns - run->clock_ns > AHEAD_MAX_NS;
}

static unsigned on_time(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    uint64_t time_ns = time_of(process, first);
    if (time_ns > cursor->until_ns) {
        cursor->end = cursor->position;
        return 0;
    }
    if (time_ns > process->mirror.now_ns && !is_from_the_future(cursor->run, time_ns)) {
        process->mirror.now_ns = time_ns;
        process->book.now = run_seconds(cursor->run, time_ns);
        process->peer.looks.seconds = process->book.now - process->peer.started;
        history_writer_set_time(&process->book.history.writer, (uint64_t)(process->book.now * 1e6));
    }
    return 1;
}

/* Handles a record of another kind than the two below. */
static unsigned handle_other(struct cursor *cursor, uint64_t first)
{
    switch (wire_kind(first)) {
    case WIRE_REALLOC_FREE:
        on_realloc_free(cursor, first);
        return 1;
    case WIRE_REALLOC_FAILED:
        on_realloc_failed(cursor, first);
        return 1;
    case WIRE_UNMAP:
        return on_unmap(cursor, first);
    case WIRE_STACK:
        return on_stack(cursor, first);
    case WIRE_NATIVE:
        return on_native(cursor, first);
    case WIRE_CHAIN:
        return on_chain(cursor, first);
    case WIRE_MODULE:
        return on_module(cursor, first);
    case WIRE_CODE:
        return on_code(cursor, first);
    case WIRE_THREAD:
        on_thread(cursor, first);
        return 1;
    case WIRE_TIME:
        return on_time(cursor, first);
    case WIRE_MARK:
        return on_mark(cursor, first);
    case WIRE_EXTENDED:
        return on_extended(cursor, first);
    default:
        book_damage(&cursor->process->book, DAMAGE_UNKNOWN);
        return 1;
    }
}

/* Handles the record that begins with `first`; returns its words. Nearly all are of two kinds. */
static inline unsigned handle_record(struct cursor *cursor, uint64_t first)
{
    unsigned kind = wire_kind(first);
    if (kind == WIRE_ALLOCATION)
        return on_allocation(cursor, first);
    if (__builtin_expect(kind != WIRE_FREE, 0))
        return handle_other(cursor, first);
    on_free(cursor, first);
    return 1;
}

/*
 * Makes room for the writers. Those who wait are woken one at a time: the kernel takes the one that
 * has waited longest, and when its turn on a processor comes there is room left for it. Woken all
 * together most would find the ring full again, and it would be a matter of chance how long a
 * thread stands still. One alone is woken for a quarter of the ring, of many each for its share of
 * that.
 */
static void publish_tail(struct process *process)
{
    struct ring_reader_page *reader = process->ring.reader;
    uint64_t capacity = UINT64_C(1) << process->ring.log2_words;
    ASSERT(atomic_load(&reader->tail) <= process->ring.position);
    atomic_store(&reader->tail, process->ring.position);
    uint32_t waiting = atomic_load(&process->ring.writers->writers_wait);
    if (!waiting)
        return;
    uint64_t used = atomic_load(&process->ring.writers->head) - process->ring.position;
    if (used > capacity - capacity / 4 / waiting)
        return;
    atomic_fetch_add(&reader->progress, 1);
    futex_wake(&reader->progress, used ? 1 : INT32_MAX);
}

static inline bool is_published(const struct process *process, uint64_t position, uint64_t word)
{
    return !((word ^ wire_lap_bit(position, process->ring.log2_words)) & WIRE_LAP_BIT);
}

static inline void look_ahead(const struct process *process, uint64_t position)
{
    const struct live_heap *heap = &process->book.heap;
    live_heap_prefetch_bucket(heap,
                              load_word(process, position + LOOK_AHEAD_BUCKET) & WIRE_ADDRESS_MASK);
    live_heap_prefetch_block(heap,
                             load_word(process, position + LOOK_AHEAD_BLOCK) & WIRE_ADDRESS_MASK);
}

/* Reads records up to cursor->end, or as many as there are. */
static void read_records(struct cursor *cursor)
{
    struct process *process = cursor->process;
    uint64_t publish_at = cursor->position + TAIL_STEP;
    const bool is_far = live_heap_is_far(&process->book.heap);
    while (cursor->position < cursor->end) {
        uint64_t first = load_word(process, cursor->position);
        if (!is_published(process, cursor->position, first))
            return;
        if (is_far)
            look_ahead(process, cursor->position);
        if (first & WIRE_FIRST_BIT) {
            cursor->position += handle_record(cursor, first);
        } else {
            book_damage(&process->book, DAMAGE_WORD);
            cursor->position++;
        }
        if (cursor->position >= publish_at) {
            process->ring.position = cursor->position;
            publish_tail(process);
            publish_at = cursor->position + TAIL_STEP;
        }
    }
}

uint64_t decode_ring(struct run *run, struct process *process, uint64_t words, uint64_t until_ns)
{
    uint64_t start = process->ring.position, end;
    struct cursor cursor = {run, process, start, UINT64_MAX, until_ns};
    if (!__builtin_add_overflow(start, words, &end))
        cursor.end = end;
    run_peak_begin(&run->ledger, &process->book);
    read_records(&cursor);
    run_peak_end(&run->ledger, &process->book);
    process->ring.position = cursor.position;
    publish_tail(process);
    if (process->book.surveys.look) {
        const struct survey_subject subject = process_subject(run, process);
        survey_finish(&subject);
    }
    return cursor.position - start;
}

bool decode_next_time(const struct process *process, uint64_t *time_ns)
{
    uint64_t first = load_word(process, process->ring.position);
    if (!is_published(process, process->ring.position, first))
        return false;
    *time_ns = process->mirror.now_ns;
    if ((first & WIRE_FIRST_BIT) && wire_kind(first) == WIRE_TIME &&
        time_of(process, first) > process->mirror.now_ns)
        *time_ns = time_of(process, first);
    return true;
}

uint64_t decode_skip_hole(struct process *process)
{
    uint64_t capacity = UINT64_C(1) << process->ring.log2_words;
    uint64_t head = atomic_load(&process->ring.writers->head);
    if (head - process->ring.position - 1 >= capacity)
        return 0; /* nothing reserved, or a head that cannot be */
    uint64_t start = process->ring.position, position = start;
    uint64_t bits = WIRE_LAP_BIT | WIRE_FIRST_BIT;
    while (position < head &&
           (load_word(process, position) & bits) !=
               (wire_lap_bit(position, process->ring.log2_words) | WIRE_FIRST_BIT)) {
        /* What stands here is of two passes ago by the next pass, and would look like its own. */
        atomic_store(&process->ring.words[position & process->ring.mask],
                     wire_lap_bit(position, process->ring.log2_words));
        position++;
    }
    process->ring.position = position;
    publish_tail(process);
    return position - start;
}
