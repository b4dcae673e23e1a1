/*
 * Stacks of Python and native frames in one: what the reader makes of levels that change, compared
 * with a merging that starts anew every time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "collector/native/native_frames.h"
#include "stream.h"

#define RING_LOG2  14
#define LEVELS     24u
#define CODES      6u
#define ADDRESSES  12u
#define CHAINS     8u
#define FIRST_CODE 2u
#define TEXT_MAX   2000
#define MARK       "left-out"

/* A stack as the writer has it. */
struct stack {
    bool without_python;
    uint32_t python_depth, native_depth;
    uint64_t python[LEVELS], native[LEVELS];
};

static uint64_t python_word(uint32_t code, bool entry)
{
    return (entry ? WIRE_ENTRY_BIT : 0) | (uint64_t)code << WIRE_CODE_SHIFT | code;
}

#define INTERPRETER WIRE_NATIVE_INTERPRETER_BIT
#define LOOP        (WIRE_NATIVE_INTERPRETER_BIT | WIRE_NATIVE_LOOP_BIT)

static uint64_t native_word(uint64_t address, unsigned loops, uint64_t bits)
{
    return bits | (uint64_t)loops << WIRE_NATIVE_LOOPS_SHIFT | address;
}

static int loops_of(uint64_t word)
{
    return (int)(word >> WIRE_NATIVE_LOOPS_SHIFT & WIRE_NATIVE_LOOPS_MASK);
}

static void send_levels(struct stream *stream, unsigned kind, const uint64_t *words, uint32_t from,
                        uint32_t depth)
{
    stream_put(stream, wire_first(kind) | (uint64_t)(depth - from) << WIRE_STACK_COUNT_SHIFT |
                           (uint64_t)from << WIRE_STACK_LEVEL_SHIFT | depth);
    for (uint32_t i = from; i < depth; i++)
        stream_put(stream, words[i]);
}

/* An allocation with the thread's stack as it is; its node. */
static uint32_t allocate(struct stream *stream, uint64_t address, bool without_python)
{
    struct block block = {0};
    stream_put(stream, wire_first(WIRE_ALLOCATION) |
                           (uint64_t)WIRE_DEPTH_CHANGE_BIAS << WIRE_DEPTH_CHANGE_SHIFT | address);
    stream_put(stream, WIRE_NATIVE_STACK_BIT | (without_python ? WIRE_NO_STACK_BIT : 0) |
                           UINT64_C(8) << WIRE_SIZE_SHIFT);
    stream_decode(stream);
    assert_int_equal(process_lost(stream->process), 0);
    assert_true(live_heap_remove(&stream->process->book.heap, address, &block));
    return counters_at(&stream->process->book.counters, block.counter)->node;
}

static void add_text(char *text, const char *name)
{
    if (strlen(text) + strlen(name) + 2 < TEXT_MAX)
        strcat(strcat(text, *text ? " " : ""), name);
}

/* The names of a node's stack, outermost first. */
static void describe_node(const struct stream *stream, uint32_t node, char *text)
{
    const struct codes *codes = &stream->run.stacks.codes;
    if (!node)
        return;
    const struct node *at = stack_tree_node(&stream->run.stacks.tree, node);
    describe_node(stream, at->parent, text);
    add_text(text, at->location == stream->run.stacks.truncated
                       ? MARK
                       : codes_code(codes, codes_location(codes, at->location)->code)->name);
}

static bool is_mark(const struct stack *stack)
{
    return stack->native_depth && stack->native[0] == WIRE_NATIVE_TRUNCATED;
}

/* Python's loops less the native ones; and what is left out for want of trust: native frames with
 * fewer loops below them than `least`. */
static int find_hidden(const struct stack *stack, int python_loops, int *least)
{
    const uint64_t innermost = stack->native_depth ? stack->native[stack->native_depth - 1] : 0;
    int native_loops = loops_of(innermost) + ((innermost & WIRE_NATIVE_LOOP_BIT) != 0);
    bool is_known = !stack->without_python && stack->native_depth;
    int hidden = is_known ? python_loops - native_loops : 0;
    bool is_truncated = !stack->without_python && stack->python_depth &&
                        stack->python[0] == python_word(WIRE_CODE_TRUNCATED, false);
    *least = INT32_MIN; /* no mark */
    if (!is_truncated && (hidden < 0 || (hidden == 0 && python_loops > 0 && is_mark(stack))))
        *least = python_loops > 0;
    return hidden;
}

static void add_native(char *text, uint64_t word, int below, int loops, int least)
{
    char name[32];
    bool shown = !(word & WIRE_NATIVE_INTERPRETER_BIT) || below >= loops;
    snprintf(name, sizeof name, "0x%llx", (unsigned long long)(word & WIRE_ADDRESS_MASK));
    if (shown && below >= (least > 0 ? least : 0))
        add_text(text, word == WIRE_NATIVE_TRUNCATED ? MARK : name);
}

/* The same by the definition: frame after frame. */
static void describe_stack(const struct stack *stack, char *text)
{
    const uint32_t depth = stack->without_python ? 0 : stack->python_depth;
    uint32_t native = 0;
    int loops = 0, loop = 0, least;
    for (uint32_t i = 0; i < depth; i++)
        loops += (stack->python[i] & WIRE_ENTRY_BIT) != 0;
    int hidden = find_hidden(stack, loops, &least);
    if (least != INT32_MIN)
        add_text(text, MARK);
    for (uint32_t i = 0; i <= depth; i++) {
        int next = i == depth ? INT32_MAX : loop + ((stack->python[i] & WIRE_ENTRY_BIT) != 0);
        for (; native < stack->native_depth && loops_of(stack->native[native]) + hidden < next;
             native++)
            add_native(text, stack->native[native], loops_of(stack->native[native]) + hidden, loops,
                       least);
        if (i == depth)
            break;
        loop = next;
        uint32_t code = (uint32_t)(stack->python[i] >> WIRE_CODE_SHIFT & WIRE_CODE_MASK);
        char name[16];
        snprintf(name, sizeof name, "f%u", code);
        if (code)
            add_text(text, code == WIRE_CODE_TRUNCATED ? MARK : name);
    }
}

static void assert_stack(struct stream *stream, const struct stack *stack, const char *expected)
{
    char found[TEXT_MAX] = "", plain[TEXT_MAX] = "";
    describe_node(stream, allocate(stream, 0x100000, stack->without_python), found);
    describe_stack(stack, plain);
    assert_string_equal(found, plain);
    if (expected)
        assert_string_equal(found, expected);
}

static void begin(struct stream *stream)
{
    stream_init(stream, RING_LOG2, true);
    for (uint32_t code = FIRST_CODE; code < FIRST_CODE + CODES; code++) {
        char name[16];
        snprintf(name, sizeof name, "f%u", code);
        stream_code(stream, code, "a.py", name, 1);
    }
}

/* Sends a whole stack and compares what it is merged to. */
static void assert_whole(const struct stack *stack, const char *expected)
{
    struct stream stream;
    begin(&stream);
    send_levels(&stream, WIRE_STACK, stack->python, 0, stack->python_depth);
    send_levels(&stream, WIRE_NATIVE, stack->native, 0, stack->native_depth);
    assert_stack(&stream, stack, expected);
    stream_deinit(&stream);
}

static void test_frames_stand_between_each_other(void **state)
{
    struct stream stream;
    struct stack stack = {
        .python_depth = 4,
        .native_depth = 6,
        .python = {python_word(2, true), python_word(3, false), python_word(0, true),
                   python_word(4, false)},
        .native = {native_word(0x10, 0, 0), native_word(0x20, 0, LOOP), native_word(0x30, 1, 0),
                   native_word(0x40, 1, LOOP), native_word(0x50, 2, INTERPRETER),
                   native_word(0x60, 2, 0)},
    };
    (void)state;
    begin(&stream);
    send_levels(&stream, WIRE_STACK, stack.python, 0, stack.python_depth);
    send_levels(&stream, WIRE_NATIVE, stack.native, 0, stack.native_depth);
    /* The interpreter's own are left out but above the innermost loop. */
    assert_stack(&stream, &stack, "0x10 f2 f3 0x30 f4 0x50 0x60");
    /* The second loop has ended: now the interpreter's frame above the first one is innermost. */
    stack.python_depth = 2;
    stack.native_depth = 4;
    stack.native[3] = native_word(0x40, 1, INTERPRETER);
    send_levels(&stream, WIRE_STACK, stack.python, 2, 2);
    send_levels(&stream, WIRE_NATIVE, stack.native, 3, 4);
    assert_stack(&stream, &stack, "0x10 f2 f3 0x30 0x40");
    stream_deinit(&stream);
}

/* The outer part of the native stack is left out, with one of two loops. */
static void test_mark_stands_behind_the_loops_that_it_hides(void **state)
{
    const struct stack stack = {
        .python_depth = 3,
        .native_depth = 4,
        .python = {python_word(2, true), python_word(3, false), python_word(4, true)},
        .native = {WIRE_NATIVE_TRUNCATED, native_word(0x30, 0, 0), native_word(0x40, 0, LOOP),
                   native_word(0x50, 1, 0)},
    };
    (void)state;
    assert_whole(&stack, "f2 f3 " MARK " 0x30 f4 0x50");
}

/* The way outwards has ended outside of all loops: what stands there is not sure. */
static void test_what_is_outside_of_all_loops_is_cut(void **state)
{
    const struct stack stack = {
        .python_depth = 2,
        .native_depth = 4,
        .python = {python_word(2, true), python_word(3, false)},
        .native = {WIRE_NATIVE_TRUNCATED, native_word(0x30, 0, 0), native_word(0x40, 0, LOOP),
                   native_word(0x50, 1, 0)},
    };
    (void)state;
    assert_whole(&stack, MARK " f2 f3 0x50");
}

/* A greenlet, or another interpreter: on the same stack are loops of which its thread state knows
 * nothing. */
static void test_others_loops_are_cut(void **state)
{
    struct stack stack = {
        .python_depth = 2,
        .native_depth = 6,
        .python = {python_word(2, true), python_word(3, false)},
        .native = {native_word(0x10, 0, 0), native_word(0x20, 0, LOOP), native_word(0x30, 1, 0),
                   native_word(0x40, 1, LOOP), native_word(0x50, 2, INTERPRETER),
                   native_word(0x60, 2, 0)},
    };
    (void)state;
    assert_whole(&stack, MARK " f2 f3 0x50 0x60");
    stack.python_depth = 0; /* it has not begun */
    assert_whole(&stack, MARK " 0x50 0x60");
    stack.without_python = true; /* no interpreter's at all */
    assert_whole(&stack, "0x10 0x20 0x30 0x40 0x50 0x60");
}

/* Where Python's outer frames are left out the outermost loop that is known is none of the first.
 */
static void test_truncated_python_hides_native_loops(void **state)
{
    const struct stack stack = {
        .python_depth = 3,
        .native_depth = 5,
        .python = {python_word(WIRE_CODE_TRUNCATED, false), python_word(2, false),
                   python_word(3, true)},
        .native = {native_word(0x10, 0, 0), native_word(0x20, 0, LOOP), native_word(0x30, 1, 0),
                   native_word(0x40, 1, LOOP), native_word(0x50, 2, 0)},
    };
    (void)state;
    assert_whole(&stack, MARK " f2 0x30 f3 0x50");
}

/* Changes a stack from some level up; returns the level. */
static uint32_t change_python(struct stack *stack)
{
    uint32_t from = (uint32_t)rand() % (stack->python_depth + 1);
    stack->python_depth = from + (uint32_t)rand() % (LEVELS - from);
    for (uint32_t i = from; i < stack->python_depth; i++) {
        bool entry = rand() % 3 == 0;
        uint32_t code = entry && rand() % 2 ? 0 : FIRST_CODE + (uint32_t)rand() % CODES;
        stack->python[i] = python_word(code, entry);
        if (i == 0 && rand() % 8 == 0)
            stack->python[i] = python_word(WIRE_CODE_TRUNCATED, false);
    }
    return from;
}

static uint32_t change_native(struct stack *stack)
{
    uint32_t from = (uint32_t)rand() % (stack->native_depth + 1);
    unsigned loops = 0;
    if (from)
        loops = (unsigned)loops_of(stack->native[from - 1]) +
                ((stack->native[from - 1] & WIRE_NATIVE_LOOP_BIT) != 0);
    stack->native_depth = from + (uint32_t)rand() % (LEVELS - from);
    for (uint32_t i = from; i < stack->native_depth; i++) {
        uint64_t bits = rand() % 4 == 0 ? LOOP : rand() % 2 ? INTERPRETER : 0;
        stack->native[i] = native_word(0x10u * (1 + (unsigned)rand() % ADDRESSES), loops, bits);
        loops += bits == LOOP;
        if (i > 0 || rand() % 4)
            continue;
        stack->native[i] = WIRE_NATIVE_TRUNCATED;
        loops = 0;
    }
    return from;
}

/* Another address at a level, and nothing else. */
static void change_address(struct stream *stream, struct stack *stack)
{
    uint32_t level = (uint32_t)rand() % LEVELS;
    if (level >= stack->native_depth)
        return;
    uint64_t word = stack->native[level] & ~WIRE_ADDRESS_MASK;
    stack->native[level] = word | 0x10u * (1 + (unsigned)rand() % ADDRESSES);
    stream_put(stream, wire_first(WIRE_NATIVE) | UINT64_C(1) << WIRE_STACK_COUNT_SHIFT |
                           (uint64_t)level << WIRE_STACK_LEVEL_SHIFT | stack->native_depth);
    stream_put(stream, stack->native[level]);
}

/* A chain as the writer keeps it. */
struct chain {
    uint32_t count;
    uint64_t words[WIRE_CHAIN_LEVELS_MAX];
};

static void send_chain(struct stream *stream, uint32_t number, uint32_t level, uint32_t depth,
                       uint64_t keep)
{
    stream_put(stream, wire_first(WIRE_CHAIN) | keep | (uint64_t)number << WIRE_CHAIN_NUMBER_SHIFT |
                           (uint64_t)level << WIRE_CHAIN_LEVEL_SHIFT | depth);
}

/* Keeps the innermost levels, or those below a level, where they are a loop's and those above it.
 */
static void keep_chain(struct stream *stream, const struct stack *stack, struct chain *chains)
{
    uint32_t depth = stack->native_depth, number = (uint32_t)rand() % CHAINS;
    if (rand() % 4 == 0 && depth)
        depth = (uint32_t)rand() % depth;
    uint32_t level = depth;
    while (level > 0 && !(stack->native[level - 1] & WIRE_NATIVE_LOOP_BIT))
        level--;
    if (level == 0 || depth - level >= WIRE_CHAIN_LEVELS_MAX)
        return;
    level--;
    chains[number].count = depth - level;
    memcpy(chains[number].words, &stack->native[level], (depth - level) * sizeof(uint64_t));
    send_chain(stream, number, level, depth, WIRE_CHAIN_KEEP_BIT);
}

/* The loops below the levels from one up. */
static int loops_below(const struct stack *stack, uint32_t level)
{
    uint64_t word = level ? stack->native[level - 1] : 0;
    return loops_of(word) + ((word & WIRE_NATIVE_LOOP_BIT) != 0);
}

/* As it was, or on another frame with as many loops. */
static void restore_chain(struct stream *stream, struct stack *stack, const struct chain *chains)
{
    uint32_t number = (uint32_t)rand() % CHAINS, count = chains[number].count;
    uint32_t level = (uint32_t)rand() % (stack->native_depth + 1);
    while (level > 0 && count && loops_below(stack, level) > loops_of(chains[number].words[0]))
        level--;
    if (!count || level + count >= LEVELS ||
        loops_below(stack, level) != loops_of(chains[number].words[0]))
        return;
    memcpy(&stack->native[level], chains[number].words, count * sizeof(uint64_t));
    stack->native_depth = level + count;
    send_chain(stream, number, level, stack->native_depth, 0);
}

static void test_random_changes_against_plain_merging(void **state)
{
    struct stream stream;
    struct stack stack = {0};
    struct chain chains[CHAINS] = {0};
    (void)state;
    srand(6);
    begin(&stream);
    for (unsigned round = 0; round < 40000; round++) {
        stack.without_python = rand() % 16 == 0;
        if (rand() % 2) {
            uint32_t from = change_python(&stack);
            send_levels(&stream, WIRE_STACK, stack.python, from, stack.python_depth);
        }
        if (rand() % 2) {
            uint32_t from = change_native(&stack);
            send_levels(&stream, WIRE_NATIVE, stack.native, from, stack.native_depth);
            keep_chain(&stream, &stack, chains);
        }
        if (rand() % 4 == 0)
            change_address(&stream, &stack);
        for (unsigned times = (unsigned)rand() % 3; times; times--)
            restore_chain(&stream, &stack, chains);
        assert_stack(&stream, &stack, NULL);
    }
    stream_deinit(&stream);
}

/* What no writer of ours says is counted as damage and changes nothing. */
static void test_chains_that_are_none(void **state)
{
    struct stream stream;
    struct stack stack = {
        .without_python = true,
        .native_depth = 3,
        .native = {native_word(0x10, 0, 0), native_word(0x20, 0, LOOP), native_word(0x30, 1, 0)},
    };
    (void)state;
    begin(&stream);
    send_levels(&stream, WIRE_NATIVE, stack.native, 0, stack.native_depth);
    stream_decode(&stream);
    const struct {
        uint32_t number, level, depth;
        uint64_t keep;
    } unsound[] = {
        {0, 1, 3, 0},                             /* nothing is kept yet */
        {WIRE_CHAINS, 1, 3, 0},                   /* no such number */
        {WIRE_CHAINS, 1, 3, WIRE_CHAIN_KEEP_BIT}, /* nor here */
        {0, 0, 3, WIRE_CHAIN_KEEP_BIT},           /* begins with no loop */
        {0, 3, 3, WIRE_CHAIN_KEEP_BIT},           /* no levels */
        {0, 1, 4, WIRE_CHAIN_KEEP_BIT},           /* more than there are */
        {0, WIRE_CHAIN_LEVEL_MASK, 3, WIRE_CHAIN_KEEP_BIT},
    };
    for (unsigned i = 0; i < sizeof unsound / sizeof *unsound; i++) {
        send_chain(&stream, unsound[i].number, unsound[i].level, unsound[i].depth, unsound[i].keep);
        stream_decode(&stream);
        assert_int_equal(process_lost(stream.process), i + 1);
    }
    memset(stream.process->book.damaged, 0, sizeof stream.process->book.damaged);
    send_chain(&stream, 7, 1, 3, WIRE_CHAIN_KEEP_BIT);
    assert_stack(&stream, &stack, "0x10 0x20 0x30");
    send_chain(&stream, 7, 1, 4, 0); /* another depth than its levels make */
    send_chain(&stream, 7, WIRE_CHAIN_LEVEL_MASK - 2, WIRE_CHAIN_LEVEL_MASK, 0);
    stream_decode(&stream);
    assert_int_equal(process_lost(stream.process), 2);
    memset(stream.process->book.damaged, 0, sizeof stream.process->book.damaged);
    assert_stack(&stream, &stack, "0x10 0x20 0x30");
    stream_deinit(&stream);
}

/* --- modules --- */

#define MODULES   2200u
#define MODULE_AT UINT64_C(0x10000)

static void send_module(struct stream *stream, uint64_t start, uint64_t bytes)
{
    stream_put(stream, wire_first(WIRE_MODULE)); /* code without a file */
    stream_put(stream, start);
    stream_put(stream, start + bytes);
    stream_put(stream, start);
    if (stream->position % 1024 < 8)
        stream_decode(stream);
}

static void test_modules_beyond_the_allowance(void **state)
{
    (void)state;
    struct stream stream;
    stream_init(&stream, RING_LOG2, true);
    stream.process->peer.looks.used = ALLOWANCE_FIRST - ALLOWANCE_MODULE;
    send_module(&stream, MODULE_AT, MODULE_AT);
    send_module(&stream, 2 * MODULE_AT, MODULE_AT);
    stream_decode(&stream);
    assert_int_equal(process_lost(stream.process), 1);
    assert_int_equal(stream.process->mirror.native.modules.count, 1);
    send_module(&stream, MODULE_AT, MODULE_AT); /* what stood there is void all the same */
    stream_decode(&stream);
    assert_int_equal(process_lost(stream.process), 2);
    assert_int_equal(stream.process->mirror.native.modules.count, 0);
    stream_deinit(&stream);
}

static void test_more_modules_than_there_was_room_for(void **state)
{
    (void)state;
    struct stream stream;
    stream_init(&stream, RING_LOG2, true);
    const struct native_ranges *ranges = &stream.process->mirror.native.modules;
    for (uint64_t i = 0; i < MODULES; i++)
        send_module(&stream, (i + 1) * MODULE_AT, MODULE_AT);
    stream_decode(&stream);
    assert_int_equal(ranges->count, MODULES);
    for (uint64_t i = 0; i < MODULES; i++)
        assert_int_equal(((struct native_range *)ranges->list.data)[i].start, (i + 1) * MODULE_AT);
    send_module(&stream, MODULE_AT + 1, (MODULES - 1) * MODULE_AT); /* over all of them */
    stream_decode(&stream);
    assert_int_equal(ranges->count, 1);
    stream_deinit(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_stand_between_each_other),
        cmocka_unit_test(test_mark_stands_behind_the_loops_that_it_hides),
        cmocka_unit_test(test_what_is_outside_of_all_loops_is_cut),
        cmocka_unit_test(test_others_loops_are_cut),
        cmocka_unit_test(test_truncated_python_hides_native_loops),
        cmocka_unit_test(test_random_changes_against_plain_merging),
        cmocka_unit_test(test_chains_that_are_none),
        cmocka_unit_test(test_more_modules_than_there_was_room_for),
        cmocka_unit_test(test_modules_beyond_the_allowance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
