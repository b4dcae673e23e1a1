/*
 * Stacks of Python and native frames in one: what the reader makes of levels that change, compared
 * with a merging that starts anew every time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "native_frames.h"
#include "stream.h"

#define RING_LOG2  14
#define LEVELS     24u
#define CODES      6u
#define ADDRESSES  12u
#define CHAINS     8u
#define FIRST_CODE 2u
#define TEXT_MAX   2000

/* A stack as the writer has it. */
struct stack {
    uint32_t python_depth, native_depth;
    uint64_t python[LEVELS], native[LEVELS];
};

static uint64_t python_word(uint32_t code, bool entry)
{
    return (entry ? WIRE_ENTRY_BIT : 0) | (uint64_t)code << WIRE_CODE_SHIFT | code;
}

static uint64_t native_word(uint64_t address, unsigned loops, bool interpreter)
{
    return (interpreter ? WIRE_NATIVE_INTERPRETER_BIT : 0) |
           (uint64_t)loops << WIRE_NATIVE_LOOPS_SHIFT | address;
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
static uint32_t allocate(struct stream *stream, uint64_t address)
{
    struct block block = {0};
    stream_put(stream, wire_first(WIRE_ALLOCATION) |
                           (uint64_t)WIRE_DEPTH_CHANGE_BIAS << WIRE_DEPTH_CHANGE_SHIFT | address);
    stream_put(stream, WIRE_NATIVE_STACK_BIT | UINT64_C(8) << WIRE_SIZE_SHIFT);
    stream_decode(stream);
    assert_int_equal(stream->process->damaged, 0);
    assert_true(live_heap_remove(&stream->process->heap, address, &block));
    return counters_at(&stream->process->counters, block.counter)->node;
}

static void add_text(char *text, const char *name)
{
    if (strlen(text) + strlen(name) + 2 < TEXT_MAX)
        strcat(strcat(text, *text ? " " : ""), name);
}

/* The names of a node's stack, outermost first. */
static void describe_node(const struct stream *stream, uint32_t node, char *text)
{
    const struct codes *codes = &stream->run.codes;
    if (!node)
        return;
    const struct node *at = stack_tree_node(&stream->run.tree, node);
    describe_node(stream, at->parent, text);
    add_text(text, codes_code(codes, codes_location(codes, at->location)->code)->name);
}

static void add_native(char *text, uint64_t word, uint32_t loops)
{
    char name[32];
    bool shown = !(word & WIRE_NATIVE_INTERPRETER_BIT) ||
                 (word >> WIRE_NATIVE_LOOPS_SHIFT & WIRE_NATIVE_LOOPS_MASK) >= loops;
    snprintf(name, sizeof name, "0x%llx", (unsigned long long)(word & WIRE_ADDRESS_MASK));
    if (shown)
        add_text(text, name);
}

/* The same by the definition: frame after frame. */
static void describe_stack(const struct stack *stack, char *text)
{
    uint32_t loops = 0, native = 0, loop = 0;
    for (uint32_t i = 0; i < stack->python_depth; i++)
        loops += (stack->python[i] & WIRE_ENTRY_BIT) != 0;
    for (uint32_t i = 0; i <= stack->python_depth; i++) {
        bool last = i == stack->python_depth;
        uint32_t next = last ? UINT32_MAX : loop + ((stack->python[i] & WIRE_ENTRY_BIT) != 0);
        while (native < stack->native_depth &&
               (stack->native[native] >> WIRE_NATIVE_LOOPS_SHIFT & WIRE_NATIVE_LOOPS_MASK) < next)
            add_native(text, stack->native[native++], loops);
        if (last)
            break;
        loop = next;
        uint32_t code = (uint32_t)(stack->python[i] >> WIRE_CODE_SHIFT & WIRE_CODE_MASK);
        char name[16];
        snprintf(name, sizeof name, "f%u", code);
        if (code)
            add_text(text, name);
    }
}

static void assert_stack(struct stream *stream, const struct stack *stack, const char *expected)
{
    char found[TEXT_MAX] = "", plain[TEXT_MAX] = "";
    describe_node(stream, allocate(stream, 0x100000), found);
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

static void test_frames_stand_between_each_other(void **state)
{
    struct stream stream;
    struct stack stack = {
        .python_depth = 4,
        .native_depth = 6,
        .python = {python_word(2, true), python_word(3, false), python_word(0, true),
                   python_word(4, false)},
        .native = {native_word(0x10, 0, false), native_word(0x20, 0, true),
                   native_word(0x30, 1, false), native_word(0x40, 1, true),
                   native_word(0x50, 2, true), native_word(0x60, 2, false)},
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
    send_levels(&stream, WIRE_STACK, stack.python, 2, 2);
    send_levels(&stream, WIRE_NATIVE, stack.native, 4, 4);
    assert_stack(&stream, &stack, "0x10 f2 f3 0x30 0x40");
    stream_deinit(&stream);
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
    }
    return from;
}

static uint32_t change_native(struct stack *stack)
{
    uint32_t from = (uint32_t)rand() % (stack->native_depth + 1);
    unsigned loops =
        from ? (unsigned)(stack->native[from - 1] >> WIRE_NATIVE_LOOPS_SHIFT & 0x1fff) : 0;
    stack->native_depth = from + (uint32_t)rand() % (LEVELS - from);
    for (uint32_t i = from; i < stack->native_depth; i++) {
        loops += rand() % 4 == 0;
        stack->native[i] =
            native_word(0x10u * (1 + (unsigned)rand() % ADDRESSES), loops, rand() % 2);
    }
    return from;
}

static unsigned loops_of(uint64_t word)
{
    return (unsigned)(word >> WIRE_NATIVE_LOOPS_SHIFT & WIRE_NATIVE_LOOPS_MASK);
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

/* Keeps the innermost levels, where they are a loop's and those above it. */
static void keep_chain(struct stream *stream, const struct stack *stack, struct chain *chains)
{
    uint32_t depth = stack->native_depth, level = depth, number = (uint32_t)rand() % CHAINS;
    unsigned top = depth ? loops_of(stack->native[depth - 1]) : 0;
    while (level > 0 && loops_of(stack->native[level - 1]) == top)
        level--;
    if (level == 0 || depth - level >= WIRE_CHAIN_LEVELS_MAX ||
        loops_of(stack->native[level - 1]) + 1 != top ||
        !(stack->native[level - 1] & WIRE_NATIVE_INTERPRETER_BIT))
        return;
    level--;
    chains[number].count = depth - level;
    memcpy(chains[number].words, &stack->native[level], (depth - level) * sizeof(uint64_t));
    send_chain(stream, number, level, depth, WIRE_CHAIN_KEEP_BIT);
}

static void restore_chain(struct stream *stream, struct stack *stack, const struct chain *chains)
{
    uint32_t number = (uint32_t)rand() % CHAINS, count = chains[number].count;
    uint32_t level = (uint32_t)rand() % (stack->native_depth + 1);
    if (!count || level + count > LEVELS)
        return;
    /* As it was, or on another frame below which are no more loops. */
    while (level > 0 && loops_of(stack->native[level - 1]) > loops_of(chains[number].words[0]))
        level--;
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
        if (rand() % 2)
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
        .native_depth = 3,
        .native = {native_word(0x10, 0, false), native_word(0x20, 0, true),
                   native_word(0x30, 1, false)},
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
        {0, 0, 3, WIRE_CHAIN_KEEP_BIT},           /* begins with no frame of the interpreter */
        {0, 3, 3, WIRE_CHAIN_KEEP_BIT},           /* no levels */
        {0, WIRE_CHAIN_LEVEL_MASK, 3, WIRE_CHAIN_KEEP_BIT},
    };
    for (unsigned i = 0; i < sizeof unsound / sizeof *unsound; i++) {
        send_chain(&stream, unsound[i].number, unsound[i].level, unsound[i].depth, unsound[i].keep);
        stream_decode(&stream);
        assert_int_equal(stream.process->damaged, i + 1);
    }
    stream.process->damaged = 0;
    send_chain(&stream, 7, 1, 3, WIRE_CHAIN_KEEP_BIT);
    assert_stack(&stream, &stack, "0x10 0x20 0x30");
    send_chain(&stream, 7, 1, 4, 0); /* another depth than its levels make */
    send_chain(&stream, 7, WIRE_CHAIN_LEVEL_MASK - 2, WIRE_CHAIN_LEVEL_MASK, 0);
    stream_decode(&stream);
    assert_int_equal(stream.process->damaged, 2);
    stream.process->damaged = 0;
    assert_stack(&stream, &stack, "0x10 0x20 0x30");
    stream_deinit(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_stand_between_each_other),
        cmocka_unit_test(test_random_changes_against_plain_merging),
        cmocka_unit_test(test_chains_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
