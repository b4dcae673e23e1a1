/*
 * Levels as they come. Those of a thread whose words may have been passed over are in doubt, and
 * left alone until the thread tells all anew (mirror.h).
 */
#include "collector/stream/stack_records.h"

#include "collector/native/native_chains.h"
#include "collector/native/native_stack.h"

uint32_t stack_node_of_innermost(struct stacks *stacks, const struct thread_mirror *thread)
{
    uint32_t from = thread->depth, frames = 0, node = 0;
    while (from > 0 && frames < stacks->frames_max)
        frames += thread->levels[--from].location != 0;
    for (; from < thread->depth; from++)
        if (thread->levels[from].location)
            node = stack_tree_child(&stacks->tree, node, thread->levels[from].location);
    return node;
}

__attribute__((noinline)) bool stack_is_certain(const struct cursor *cursor,
                                                struct thread_mirror *thread)
{
    if (thread->depth != MIRROR_DOUBTED)
        return true;
    if (cursor->position >= cursor->process->mirror.doubted_until)
        return false;
    thread->depth = thread->doubted_depth;
    return true;
}

__attribute__((cold, noinline)) bool stack_apply_doubted(struct cursor *cursor,
                                                         struct thread_mirror *thread,
                                                         uint64_t first, uint64_t second)
{
    return thread->depth == MIRROR_DOUBTED && stack_is_certain(cursor, thread) &&
           stack_apply_change(cursor, thread, first, second);
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
    if (makes_sense)
        NOTE_HERE(&cursor->run->ledger.memory_short);
    book_damage(&cursor->process->book, makes_sense ? DAMAGE_MEMORY : DAMAGE_RECORD);
    return 1;
}

unsigned on_stack(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    const struct levels_head head = read_levels_head(cursor, first);
    struct thread_mirror *thread = head.thread;
    const uint32_t count = head.count, level = head.level, depth = head.depth;
    bool makes_sense = head.most <= WIRE_LEVELS_MAX;
    if (!thread || !makes_sense || !thread_mirror_reserve(thread, head.most))
        return leave_out(cursor, makes_sense);
    if (!stack_is_certain(cursor, thread))
        return 1 + count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t payload;
        if (!read_continuation(process, cursor->position + 1 + i, &payload)) {
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
    ASSERT(thread_mirror_is_sound(thread));
    return 1 + count;
}

unsigned on_native(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    const struct levels_head head = read_levels_head(cursor, first);
    bool makes_sense = head.most <= WIRE_NATIVE_LEVELS_MAX;
    if (!head.thread || !makes_sense || !native_mirror_reserve(&head.thread->native, head.most))
        return leave_out(cursor, makes_sense);
    if (!stack_is_certain(cursor, head.thread))
        return 1 + head.count;
    for (uint32_t i = 0; i < head.count; i++) {
        uint64_t payload;
        if (!read_continuation(process, cursor->position + 1 + i, &payload)) {
            book_damage(&process->book, DAMAGE_RECORD);
            return 1 + i;
        }
        native_mirror_set(&head.thread->native, head.level + i, payload);
    }
    head.thread->native.depth = head.depth;
    head.thread->native.top = NULL;
    return 1 + head.count;
}

unsigned on_chain(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    uint32_t slot = (uint32_t)(first >> WIRE_CHAIN_THREAD_SHIFT & WIRE_THREAD_MASK);
    uint32_t number = (uint32_t)(first >> WIRE_CHAIN_NUMBER_SHIFT & WIRE_CHAIN_NUMBER_MASK);
    uint32_t level = (uint32_t)(first >> WIRE_CHAIN_LEVEL_SHIFT & WIRE_CHAIN_LEVEL_MASK);
    uint32_t depth = (uint32_t)(first & WIRE_CHAIN_DEPTH_MASK);
    struct thread_mirror *thread = process_thread(cursor->run, process, slot);
    if (thread && !stack_is_certain(cursor, thread))
        return 1;
    bool done = thread && (first & WIRE_CHAIN_KEEP_BIT
                               ? native_chains_keep(&cursor->run->stacks, &thread->native, number,
                                                    level, depth)
                               : native_chains_restore(&thread->native, number, level, depth));
    if (!done)
        book_damage(&process->book, DAMAGE_STACK);
    return 1;
}
