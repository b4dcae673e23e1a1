/*
 * The hot loop of the collector.
 *
 * A record is read once its first word carries the current lap bit; then its continuation words are
 * there too, unless the writer is hostile. The loop looks a few words ahead and fetches the bucket
 * of the block that it will meet there, and later the block: in a large heap both come from far.
 */
#include "collector/stream/decode.h"

#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "collector/base/text.h"
#include "collector/book/inheritance.h"
#include "collector/book/program_end.h"
#include "collector/book/run_peak.h"
#include "collector/native/native_chains.h"
#include "collector/native/native_frames.h"
#include "collector/native/native_stack.h"
#include "futex.h"

/* Words to look ahead for addresses. */
#define LOOK_AHEAD_BUCKET 64u
#define LOOK_AHEAD_BLOCK  32u
/* How often the tail is published: a writer may wait for it. */
#define TAIL_STEP 2048u
/* A stream's clock was compared with ours when it said hello, which may have taken as long. */
#define AHEAD_MAX_NS UINT64_C(20000000000)

/* One record at hand. */
struct cursor {
    struct run *run;
    struct process *process;
    uint64_t position; /* of the record's first word */
    uint64_t end;      /* where to stop */
    uint64_t until_ns; /* later times are left alone */
};

static inline uint64_t load_word(const struct process *process, uint64_t position)
{
    uint64_t mask = (UINT64_C(1) << process->ring.log2_words) - 1;
    return atomic_load_explicit(&process->ring.words[position & mask], memory_order_acquire);
}

/* A continuation word's payload; false when the record is not whole. */
static inline bool continuation(const struct process *process, uint64_t position, uint64_t *payload)
{
    uint64_t word = load_word(process, position);
    *payload = word & WIRE_PAYLOAD_MASK;
    return (word & (WIRE_LAP_BIT | WIRE_FIRST_BIT)) ==
           wire_lap_bit(position, process->ring.log2_words);
}

/* Seven bytes a word, as in CODE and MODULE; false: not all words are there. */
static bool read_bytes(const struct cursor *cursor, uint64_t position, uint8_t *bytes, size_t count)
{
    for (size_t at = 0; at < count; at += WIRE_BYTES_PER_WORD) {
        uint64_t payload;
        size_t left = count - at;
        if (!continuation(cursor->process, position++, &payload))
            return false;
        memcpy(bytes + at, &payload, left < WIRE_BYTES_PER_WORD ? left : WIRE_BYTES_PER_WORD);
    }
    return true;
}

/* Sets a level; 0 in code means that there is no frame at it. */
static void set_level(struct cursor *cursor, struct thread_mirror *thread, uint32_t level,
                      uint32_t code, uint32_t instruction, bool is_entry)
{
    struct run *run = cursor->run;
    struct mirror_level *at = &thread->levels[level];
    *at = (struct mirror_level){.loops = at->loops};
    if (code == WIRE_CODE_TRUNCATED) {
        at->location = stacks_truncated(&run->stacks);
    } else if (code != WIRE_CODE_NONE) {
        const uint32_t *numbers = cursor->process->mirror.code_numbers.data;
        if (code < cursor->process->mirror.code_numbers_count)
            at->code = numbers[code];
        if (at->code)
            at->location = codes_locate(&run->stacks.codes, at->code, instruction);
        else
            book_damage(&cursor->process->book, DAMAGE_CODE);
    }
    at->is_entry = is_entry;
    if (level < thread->valid)
        thread->valid = level;
}

/* The node of the innermost `frames_max` frames. */
static uint32_t node_of_innermost(struct stacks *stacks, const struct thread_mirror *thread)
{
    uint32_t from = thread->depth, frames = 0, node = 0;
    while (from > 0 && frames < stacks->frames_max)
        frames += thread->levels[--from].location != 0;
    for (; from < thread->depth; from++)
        if (thread->levels[from].location)
            node = stack_tree_child(&stacks->tree, node, thread->levels[from].location);
    return node;
}

/* The node of the thread's stack. */
static inline uint32_t current_node(struct stacks *stacks, struct thread_mirror *thread)
{
    if (__builtin_expect(stacks->frames_max != 0, 0))
        return node_of_innermost(stacks, thread);
    if (__builtin_expect(thread->is_merged, 0)) {
        thread->valid = 0; /* nodes of another stack */
        thread->is_merged = false;
    }
    uint32_t level = thread->valid;
    uint32_t node = level ? thread->levels[level - 1].node : 0;
    if (level >= thread->depth)
        return thread->depth ? thread->levels[thread->depth - 1].node : 0;
    for (; level < thread->depth; level++) {
        struct mirror_level *at = &thread->levels[level];
        if (at->location) {
            node = stacks_child(stacks, node, at->location);
        }
        at->node = node;
    }
    thread->valid = level;
    return node;
}

/* Applies what an ALLOCATION says of the stack; false when it cannot be. */
static inline bool apply_change(struct cursor *cursor, struct thread_mirror *thread, uint64_t first,
                                uint64_t second)
{
    uint32_t change = (uint32_t)(first >> WIRE_DEPTH_CHANGE_SHIFT & WIRE_DEPTH_CHANGE_MASK);
    uint32_t depth = thread->depth + change - WIRE_DEPTH_CHANGE_BIAS;
    if (depth > thread->known) /* also a depth below zero */
        return false;
    thread->depth = depth;
    if (second & WIRE_INSTRUCTION_BIT) {
        if (depth == 0 || thread->levels[depth - 1].code == 0)
            return false;
        struct mirror_level *leaf = &thread->levels[depth - 1];
        uint32_t location = codes_locate(&cursor->run->stacks.codes, leaf->code,
                                         (uint32_t)(second & WIRE_INSTRUCTION_MASK));
        if (location != leaf->location) {
            leaf->location = location;
            if (depth - 1 < thread->valid)
                thread->valid = depth - 1;
        }
    }
    return true;
}

/* Is what is known of the thread's stack right? It is when the thread goes on before the end of the
 * doubt, for its own words were not passed over then. */
__attribute__((noinline)) static bool is_certain(const struct cursor *cursor,
                                                 struct thread_mirror *thread)
{
    if (thread->depth != MIRROR_DOUBTED)
        return true;
    if (cursor->position >= cursor->process->mirror.doubted_until)
        return false;
    thread->depth = thread->doubted_depth;
    return true;
}

__attribute__((cold, noinline)) static bool
apply_doubted(struct cursor *cursor, struct thread_mirror *thread, uint64_t first, uint64_t second)
{
    return thread->depth == MIRROR_DOUBTED && is_certain(cursor, thread) &&
           apply_change(cursor, thread, first, second);
}

/* A block that is in no heap any more leaves its counter. */
static inline void count_death(struct cursor *cursor, const struct block *block,
                               struct death *death)
{
    struct process *process = cursor->process;
    struct counter *counter = counters_at(&process->book.counters, block->counter);
    death->temporary = book_is_latest(&process->book, counter->thread, block->number);
    if (book_keeps_history(&cursor->run->ledger, &process->book))
        death->lifetime = history_free(&process->book.history.writer, block->number, block->counter,
                                       block->size, block_born(block));
    counter_free(counter, &process->book.sums, block->size, death->temporary);
}

/* Takes one of the process's own blocks out of the live heap and its counter. */
static inline bool take_out(struct cursor *cursor, uint64_t address, struct block *block,
                            struct death *death)
{
    struct process *process = cursor->process;
    if (!live_heap_remove(&process->book.heap, address, block))
        return false;
    if (__builtin_expect(block->number < process->book.wanted_below, 0))
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
    return block->number < process->book.first_block || live_heap_add(&process->book.heap, block);
}

static void count_allocation(struct cursor *cursor, uint64_t address, uint64_t size, uint32_t node,
                             uint32_t thread, uint8_t allocator)
{
    struct run *run = cursor->run;
    struct process *process = cursor->process;
    struct block unseen;
    struct death death;
    /* A block whose free was never seen has made room. */
    if (__builtin_expect(take_out(cursor, address, &unseen, &death), 0))
        book_damage(&process->book, DAMAGE_UNFREED);
    struct block block = {
        .address = address,
        .size = size & ((UINT64_C(1) << 48) - 1),
        .counter = counters_find(&process->book.counters, node, thread, allocator,
                                 (uint8_t)size_class_of(size)),
    };
    book_number_block(&process->book, &block);
    if (!block.counter || !live_heap_add(&process->book.heap, &block)) {
        run->ledger.memory_short = true;
        book_damage(&process->book, DAMAGE_MEMORY);
        return;
    }
    process->book.blocks_made++;
    book_note_latest(&run->ledger, &process->book, thread, block.number);
    if (book_keeps_history(&run->ledger, &process->book))
        history_allocate(&process->book.history.writer, block.counter, size);
    counter_allocate(counters_at(&process->book.counters, block.counter), &process->book.sums, size,
                     process->book.now);
}

static bool is_range(const struct address_range *range)
{
    return range->bytes > 0 && range->bytes <= WIRE_ADDRESS_MASK - range->start;
}

/* Rare, and kept out of the hot loop, as all of UNMAP is. */
__attribute__((cold, noinline)) static void count_mapping(struct cursor *cursor,
                                                          const struct address_range *range,
                                                          uint32_t node, uint32_t thread)
{
    if (is_range(range))
        mapping_events_map(&cursor->run->ledger, &cursor->process->book, range, node, thread);
    else
        book_damage(&cursor->process->book, DAMAGE_RECORD);
}

/* Sums over many processes must stay numbers that a recording can hold: one that says it has
 * allocated more than 2^56 bytes does not tell the truth, or runs for ten years. */
static inline bool can_be_counted(const struct process *process, uint64_t size)
{
    return !((size | process->book.sums.allocated_bytes >> 8) >> 48);
}

static unsigned on_allocation(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    uint64_t second, size;
    bool wide = first & WIRE_WIDE_BIT;
    unsigned allocator = first >> WIRE_ALLOCATOR_SHIFT & WIRE_ALLOCATOR_MASK;
    bool whole = continuation(process, cursor->position + 1, &second);
    size = second >> WIRE_SIZE_SHIFT & WIRE_SIZE_MASK;
    if (whole && wide)
        whole = continuation(process, cursor->position + 2, &size);
    if (!whole || allocator >= WIRE_ALLOCATOR_COUNT || !can_be_counted(process, size)) {
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
    if (has_python && !apply_change(cursor, thread, first, second) &&
        !apply_doubted(cursor, thread, first, second)) {
        book_damage(&process->book, DAMAGE_STACK);
    } else if (__builtin_expect((second & WIRE_NATIVE_STACK_BIT) != 0, 0)) {
        if (is_certain(cursor, thread))
            node = native_stack_node(&cursor->run->stacks, &process->mirror.native, thread,
                                     has_python);
        else
            book_damage(&process->book, DAMAGE_STACK);
    } else if (has_python) {
        node = current_node(&cursor->run->stacks, thread);
    }
    if (__builtin_expect(allocator == WIRE_ALLOCATOR_MMAP, 0))
        count_mapping(cursor, &(struct address_range){first & WIRE_ADDRESS_MASK, size}, node,
                      thread->who.number);
    else
        count_allocation(cursor, first & WIRE_ADDRESS_MASK, size, node, thread->who.number,
                         (uint8_t)allocator);
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
            history_restore(&process->book.history.writer, block->number, block->counter,
                            block->size, pending->death.lifetime);
        counter_restore(counters_at(&process->book.counters, block->counter), &process->book.sums,
                        block->size, pending->death.temporary, process->book.now);
    } else {
        cursor->run->ledger.memory_short = true;
        book_damage(&process->book, DAMAGE_MEMORY);
    }
    *pending = (struct pending_realloc){0};
}

__attribute__((cold, noinline)) static unsigned on_unmap(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    struct pending_unmap *pending =
        &process->mirror.unmaps[first >> WIRE_REALLOC_THREAD_SHIFT & WIRE_REALLOC_THREAD_MASK];
    struct address_range range = {.start = first & WIRE_ADDRESS_MASK};
    uint64_t second;
    bool whole = continuation(process, cursor->position + 1, &second);
    range.bytes = second & ~WIRE_UNMAP_FAILED_BIT;
    if (!whole || !is_range(&range)) {
        book_damage(&process->book, DAMAGE_RECORD);
        return 1 + whole;
    }
    if (second & WIRE_UNMAP_FAILED_BIT)
        mapping_events_unmap_failed(&cursor->run->ledger, &process->book, pending, &range);
    else
        mapping_events_unmap(&cursor->run->ledger, &process->book, pending, &range);
    return 2;
}

/* The first word of a STACK or a NATIVE record. */
struct levels_head {
    struct thread_mirror *thread; /* null when memory is short */
    uint32_t count, level, depth;
    uint32_t most; /* levels that there must be room for */
};

static struct levels_head read_levels_head(const struct cursor *cursor, uint64_t first)
{
    struct levels_head head = {
        .count = (uint32_t)(first >> WIRE_STACK_COUNT_SHIFT & WIRE_STACK_COUNT_MASK),
        .level = (uint32_t)(first >> WIRE_STACK_LEVEL_SHIFT & WIRE_STACK_LEVEL_MASK),
        .depth = (uint32_t)(first & WIRE_STACK_DEPTH_MASK),
    };
    uint32_t slot = (uint32_t)(first >> WIRE_STACK_THREAD_SHIFT & WIRE_THREAD_MASK);
    head.thread = process_thread(cursor->run, cursor->process, slot);
    head.most = head.level + head.count > head.depth ? head.level + head.count : head.depth;
    return head;
}

/* A record that makes no sense, or for which there is no memory, which is then said. */
static unsigned leave_out(struct cursor *cursor, bool makes_sense)
{
    cursor->run->ledger.memory_short |= makes_sense;
    book_damage(&cursor->process->book, makes_sense ? DAMAGE_MEMORY : DAMAGE_RECORD);
    return 1;
}

static unsigned on_stack(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    const struct levels_head head = read_levels_head(cursor, first);
    struct thread_mirror *thread = head.thread;
    const uint32_t count = head.count, level = head.level, depth = head.depth;
    bool makes_sense = head.most <= WIRE_LEVELS_MAX;
    if (!thread || !makes_sense || !thread_mirror_reserve(thread, head.most))
        return leave_out(cursor, makes_sense);
    if (!is_certain(cursor, thread))
        return 1 + count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t payload;
        if (!continuation(process, cursor->position + 1 + i, &payload)) {
            book_damage(&process->book, DAMAGE_RECORD);
            return 1 + i;
        }
        set_level(cursor, thread, level + i,
                  (uint32_t)(payload >> WIRE_CODE_SHIFT & WIRE_CODE_MASK),
                  (uint32_t)(payload & WIRE_INSTRUCTION_MASK), payload & WIRE_ENTRY_BIT);
    }
    /* Levels may be sent from the innermost down: those between are on their way, or of a writer
     * that lies, and then empty. */
    if (thread->known < level + count)
        thread->known = level + count;
    if (thread->known < depth)
        thread->known = depth;
    thread->depth = depth;
    return 1 + count;
}

/* A description is complete: the stream's number now means this code. */
static void define_code(struct cursor *cursor, uint32_t number)
{
    struct process *process = cursor->process;
    size_t count = process->mirror.code_numbers_count;
    if (number >= count) {
        if (!vector_reserve(&process->mirror.code_numbers, (size_t)number + 1, sizeof(uint32_t))) {
            cursor->run->ledger.memory_short = true;
            return;
        }
        process->mirror.code_numbers_count = number + 1;
    }
    const struct code_place place = {
        .root = process->peer.root, .directory = process->peer.directory, .peer = &process->peer};
    uint32_t code = codes_add(&cursor->run->stacks.codes, process->mirror.description.data.data,
                              process->mirror.description.bytes, &place);
    if (!code)
        book_damage(&process->book, DAMAGE_CODE);
    ((uint32_t *)process->mirror.code_numbers.data)[number] = code;
    process->mirror.description.code = WIRE_CODE_NONE;
}

/* How many bytes the description that has begun to arrive will have; 0: not known yet. */
static size_t description_size(const struct arriving *description)
{
    struct wire_code head;
    if (description->bytes < sizeof head)
        return 0;
    memcpy(&head, description->data.data, sizeof head);
    return sizeof head + (size_t)head.file_bytes + head.name_bytes + head.table_bytes;
}

/* The record at hand, of a code: so many more bytes of it. */
struct fragment {
    uint32_t code, bytes;
    bool begins;
};

/* Adds a record's bytes to what arrives, which has at most `most`. Returns the words read. */
static unsigned take_fragment(struct cursor *cursor, struct arriving *arriving,
                              const struct fragment *fragment, size_t most)
{
    if (fragment->begins) {
        arriving->code = fragment->code;
        arriving->bytes = 0;
    }
    bool sound =
        fragment->code >= WIRE_CODE_FIRST && fragment->code == arriving->code &&
        fragment->bytes > 0 && fragment->bytes <= WIRE_FRAGMENT_MAX &&
        arriving->bytes + fragment->bytes <= most &&
        vector_reserve(&arriving->data, arriving->bytes + fragment->bytes + sizeof(uint64_t), 1) &&
        read_bytes(cursor, cursor->position + 1, (uint8_t *)arriving->data.data + arriving->bytes,
                   fragment->bytes);
    if (!sound) {
        book_damage(&cursor->process->book, DAMAGE_RECORD);
        arriving->code = WIRE_CODE_NONE;
        return 1;
    }
    arriving->bytes += fragment->bytes;
    return 1 + (fragment->bytes + WIRE_BYTES_PER_WORD - 1) / WIRE_BYTES_PER_WORD;
}

static unsigned on_native(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    const struct levels_head head = read_levels_head(cursor, first);
    bool makes_sense = head.most <= WIRE_NATIVE_LEVELS_MAX;
    if (!head.thread || !makes_sense || !native_mirror_reserve(&head.thread->native, head.most))
        return leave_out(cursor, makes_sense);
    if (!is_certain(cursor, head.thread))
        return 1 + head.count;
    for (uint32_t i = 0; i < head.count; i++) {
        uint64_t payload;
        if (!continuation(process, cursor->position + 1 + i, &payload)) {
            book_damage(&process->book, DAMAGE_RECORD);
            return 1 + i;
        }
        native_mirror_set(&head.thread->native, head.level + i, payload);
    }
    head.thread->native.depth = head.depth;
    head.thread->native.top = NULL;
    return 1 + head.count;
}

static void on_chain(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    uint32_t slot = (uint32_t)(first >> WIRE_CHAIN_THREAD_SHIFT & WIRE_THREAD_MASK);
    uint32_t number = (uint32_t)(first >> WIRE_CHAIN_NUMBER_SHIFT & WIRE_CHAIN_NUMBER_MASK);
    uint32_t level = (uint32_t)(first >> WIRE_CHAIN_LEVEL_SHIFT & WIRE_CHAIN_LEVEL_MASK);
    uint32_t depth = (uint32_t)(first & WIRE_CHAIN_DEPTH_MASK);
    struct thread_mirror *thread = process_thread(cursor->run, process, slot);
    if (thread && !is_certain(cursor, thread))
        return;
    bool done = thread && (first & WIRE_CHAIN_KEEP_BIT
                               ? native_chains_keep(&cursor->run->stacks, &thread->native, number,
                                                    level, depth)
                               : native_chains_restore(&thread->native, number, level, depth));
    if (!done)
        book_damage(&process->book, DAMAGE_STACK);
}

_Static_assert(WIRE_MODULE_ID_MAX == BUILD_ID_BYTES_MAX, "every build-id has room");

static unsigned on_module(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    struct native_range range = {0};
    struct build_id id = {.size = first >> WIRE_MODULE_ID_SHIFT & WIRE_MODULE_ID_MASK};
    uint8_t text[WIRE_MODULE_PATH_MAX + WIRE_MODULE_ID_MAX + 1];
    size_t length = first & WIRE_MODULE_LENGTH_MASK;
    if (length > WIRE_MODULE_PATH_MAX || id.size > WIRE_MODULE_ID_MAX ||
        !continuation(process, cursor->position + 1, &range.start) ||
        !continuation(process, cursor->position + 2, &range.end) ||
        !continuation(process, cursor->position + 3, &range.bias) ||
        !read_bytes(cursor, cursor->position + 4, text, length + id.size)) {
        book_damage(&process->book, DAMAGE_RECORD);
        return 1;
    }
    memcpy(id.bytes, text + length, id.size);
    text[length] = 0;
    native_ranges_add(&cursor->run->stacks, &process->mirror.native, &range, (const char *)text,
                      &id);
    return 4 + (unsigned)(length + id.size + WIRE_BYTES_PER_WORD - 1) / WIRE_BYTES_PER_WORD;
}

static unsigned on_code(struct cursor *cursor, uint64_t first)
{
    struct arriving *description = &cursor->process->mirror.description;
    const struct fragment fragment = {
        .code = (uint32_t)(first >> WIRE_CODE_SHIFT & WIRE_CODE_MASK),
        .bytes = (uint32_t)(first & WIRE_CODE_LENGTH_MASK),
        .begins = first & WIRE_CODE_BEGIN_BIT,
    };
    unsigned words =
        take_fragment(cursor, description, &fragment,
                      sizeof(struct wire_code) + 2 * WIRE_NAME_BYTES_MAX + WIRE_TABLE_BYTES_MAX);
    if (description->code && description->bytes == description_size(description))
        define_code(cursor, fragment.code);
    return words;
}

/* A text is complete. */
static void define_text(struct cursor *cursor, struct arriving *arriving)
{
    const uint8_t *data = (const uint8_t *)arriving->data.data + sizeof(struct wire_text);
    size_t left = arriving->bytes - sizeof(struct wire_text);
    char *name = text_from_pieces(&data, &left, 1);
    char *text = text_from_pieces(&data, &left, UINT32_MAX);
    arriving->code = WIRE_CODE_NONE;
    if (name && text && !left)
        codes_tell_text(&cursor->run->stacks.codes, name, text);
    else
        free(text);
    free(name);
    if (left)
        book_damage(&cursor->process->book, DAMAGE_CODE);
}

static unsigned on_text(struct cursor *cursor, uint64_t value)
{
    struct arriving *text = &cursor->process->mirror.text;
    struct wire_text head;
    const struct fragment fragment = {
        .code = WIRE_CODE_FIRST, /* of any */
        .bytes = (uint32_t)(value & WIRE_TEXT_LENGTH_MASK),
        .begins = value & WIRE_TEXT_BEGIN_BIT,
    };
    unsigned words = take_fragment(cursor, text, &fragment, sizeof head + WIRE_TEXT_BYTES_MAX);
    if (!text->code || text->bytes < sizeof head)
        return words;
    memcpy(&head, text->data.data, sizeof head);
    if (text->bytes == sizeof head + head.bytes)
        define_text(cursor, text);
    return words;
}

static unsigned on_thread_name(struct cursor *cursor, uint64_t value)
{
    struct process *process = cursor->process;
    uint8_t data[WIRE_THREAD_NAME_BYTES_MAX];
    size_t bytes = value & WIRE_THREAD_NAME_LENGTH_MASK;
    unsigned width = value >> WIRE_THREAD_NAME_WIDTH_SHIFT & WIRE_THREAD_NAME_WIDTH_MASK;
    uint32_t slot = (uint32_t)(value >> WIRE_THREAD_NAME_SLOT_SHIFT & WIRE_THREAD_MASK);
    if (bytes > sizeof data || width > 2 ||
        !read_bytes(cursor, cursor->position + 1, data, bytes)) {
        book_damage(&process->book, DAMAGE_RECORD);
        return 1;
    }
    char *name = text_to_utf8(data, bytes, 1u << width);
    if (name)
        process_name_thread(cursor->run, process, slot, name);
    free(name);
    return 1 + (unsigned)(bytes + WIRE_BYTES_PER_WORD - 1) / WIRE_BYTES_PER_WORD;
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

/* Applies what REFUSED says of the stack; returns the innermost location, 0 when there is none. */
static uint32_t refused_at(struct cursor *cursor, uint64_t second)
{
    struct process *process = cursor->process;
    uint64_t change = second >> WIRE_SIZE_SHIFT & WIRE_DEPTH_CHANGE_MASK;
    if (second & WIRE_NO_STACK_BIT)
        return 0;
    struct thread_mirror *thread =
        process_thread(cursor->run, process, second >> WIRE_THREAD_SHIFT & WIRE_THREAD_MASK);
    change <<= WIRE_DEPTH_CHANGE_SHIFT;
    if (!thread || (!apply_change(cursor, thread, change, second) &&
                    !apply_doubted(cursor, thread, change, second))) {
        book_damage(&process->book, DAMAGE_STACK);
        return 0;
    }
    for (uint32_t level = thread->depth; level-- > 0;)
        if (thread->levels[level].location)
            return thread->levels[level].location;
    return 0;
}

/* A child that was spawned may have said hello before its parent could tell. */
#define SPAWN_SLACK_NS UINT64_C(1000000000)

static void on_executed(struct cursor *cursor, uint64_t value)
{
    const struct process *process = cursor->process;
    uint64_t ago = (value & WIRE_EXECUTED_MS_MASK) * 1000000u;
    if (!cursor->run->has_no_children)
        absences_expect(&cursor->run->ledger.absences, process->peer.place,
                        (pid_t)(value >> WIRE_EXECUTED_PID_SHIFT),
                        process->mirror.now_ns - (ago ? ago + SPAWN_SLACK_NS : 0));
}

static void on_child_ended(struct cursor *cursor, uint64_t value)
{
    const struct process *process = cursor->process;
    pid_t pid = (pid_t)(value >> WIRE_CHILD_PID_SHIFT);
    int status = (int)(value & WIRE_CHILD_STATUS_MASK);
    endings_tell(&cursor->run->endings, &process->peer, pid, status);
    absences_child_ended(&cursor->run->ledger.absences, process->peer.place, pid, status,
                         process->mirror.now_ns);
}

static unsigned on_refused(struct cursor *cursor, uint64_t bytes)
{
    struct process *process = cursor->process;
    uint64_t second;
    bool has_place = continuation(process, cursor->position + 1, &second);
    uint32_t location = has_place ? refused_at(cursor, second) : 0;
    process->book.refusals.count++;
    if (bytes > process->book.refusals.most) {
        process->book.refusals.most = bytes;
        process->book.refusals.location = location;
    }
    return 1 + has_place;
}

static unsigned on_made_code(struct cursor *cursor, uint64_t length)
{
    struct process *process = cursor->process;
    char name[WIRE_MADE_NAME_MAX + 1];
    uint64_t start, end;
    if (length > WIRE_MADE_NAME_MAX || !continuation(process, cursor->position + 1, &start) ||
        !continuation(process, cursor->position + 2, &end) || start >= end ||
        !read_bytes(cursor, cursor->position + 3, (uint8_t *)name, length)) {
        book_damage(&process->book, DAMAGE_RECORD);
        return 1;
    }
    name[length] = 0;
    native_made_add(&cursor->run->stacks, &process->mirror.native, start, end, name);
    return 3 + (unsigned)(length + WIRE_BYTES_PER_WORD - 1) / WIRE_BYTES_PER_WORD;
}

/* Returns its words. */
static unsigned on_mark(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    uint64_t whole = first & WIRE_MARK_VALUE_MASK;
    uint32_t value = (uint32_t)whole;
    switch (first >> WIRE_MARK_SHIFT & WIRE_MARK_MASK) {
    case WIRE_MARK_PYTHON:
        process->mirror.python_version = value;
        break;
    case WIRE_MARK_UNKNOWN_PYTHON:
        process->mirror.python_version = value;
        process->mirror.stacks_unreadable = true;
        break;
    case WIRE_MARK_PROGRAM_END:
        program_end_note(&cursor->run->ledger, &process->book);
        break;
    case WIRE_MARK_FORK:
        if (!cursor->run->has_no_children)
            inheritance_note(&cursor->run->ledger, &process->book, value);
        break;
    case WIRE_MARK_CHILD_ENDED:
        on_child_ended(cursor, whole);
        break;
    case WIRE_MARK_REFUSED:
        return on_refused(cursor, whole);
    case WIRE_MARK_EXECUTED:
        on_executed(cursor, whole);
        break;
    case WIRE_MARK_NOT_EXECUTED:
        absences_take_back(&cursor->run->ledger.absences, process->peer.place,
                           (pid_t)(whole >> WIRE_EXECUTED_PID_SHIFT));
        break;
    case WIRE_MARK_REPLACED:
    case WIRE_MARK_NOT_REPLACED:
        process->mirror.executes =
            (first >> WIRE_MARK_SHIFT & WIRE_MARK_MASK) == WIRE_MARK_REPLACED;
        break;
    case WIRE_MARK_NOT_FORKED:
        inheritance_free(
            inheritance_take(&cursor->run->ledger, process->peer.place, process->peer.pid, value));
        break;
    case WIRE_MARK_ABANDONED:
        break;
    case WIRE_MARK_TEXT:
        return on_text(cursor, whole);
    case WIRE_MARK_THREAD_NAME:
        return on_thread_name(cursor, whole);
    case WIRE_MARK_MADE_CODE:
        return on_made_code(cursor, whole);
    default:
        book_damage(&process->book, DAMAGE_UNKNOWN);
    }
    return 1;
}

/* No number is known yet. */
__attribute__((cold, noinline)) static unsigned on_extended(struct cursor *cursor, uint64_t first)
{
    unsigned count = first & WIRE_EXTENDED_COUNT_MASK, words = 1;
    uint64_t payload;
    while (words <= count && continuation(cursor->process, cursor->position + words, &payload))
        words++;
    book_damage(&cursor->process->book, words > count ? DAMAGE_UNKNOWN : DAMAGE_RECORD);
    return words;
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

/* Handles the record that begins with `first`; returns its words. */
static inline unsigned handle(struct cursor *cursor, uint64_t first)
{
    switch (wire_kind(first)) {
    case WIRE_ALLOCATION:
        return on_allocation(cursor, first);
    case WIRE_FREE:
        on_free(cursor, first);
        return 1;
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
        on_chain(cursor, first);
        return 1;
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

/* Reads records up to cursor->end, or as many as there are. */
static void read_records(struct cursor *cursor)
{
    struct process *process = cursor->process;
    uint64_t publish_at = cursor->position + TAIL_STEP;
    while (cursor->position < cursor->end) {
        uint64_t first = load_word(process, cursor->position);
        if (!is_published(process, cursor->position, first))
            return;
        live_heap_prefetch_bucket(&process->book.heap,
                                  load_word(process, cursor->position + LOOK_AHEAD_BUCKET) &
                                      WIRE_ADDRESS_MASK);
        live_heap_prefetch_block(&process->book.heap,
                                 load_word(process, cursor->position + LOOK_AHEAD_BLOCK) &
                                     WIRE_ADDRESS_MASK);
        if (first & WIRE_FIRST_BIT) {
            cursor->position += handle(cursor, first);
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
        uint64_t mask = capacity - 1;
        atomic_store(&process->ring.words[position & mask],
                     wire_lap_bit(position, process->ring.log2_words));
        position++;
    }
    process->ring.position = position;
    publish_tail(process);
    return position - start;
}
