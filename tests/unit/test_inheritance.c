/*
 * What forked children inherit: against a model in which every fork copies everything, and that
 * nothing is kept longer than somebody can ask for it.
 */
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "collector/base/clock.h"
#include "collector/book/inheritance.h"
#include "collector/stream/decode.h"
#include "stream.h"

#define RING_LOG2 14
#define ADDRESSES 24u /* few, so that they are used again and again */
#define FAMILY    12u
#define PAGE      UINT64_C(0x1000)
#define BASE      UINT64_C(0x7f0000000000)

static uint32_t below(uint64_t *random, uint32_t limit)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*random >> 33) % limit;
}

/* --- a family ---
 *
 * Each member has a run of its own, with thread numbers of its own, so that nothing is shared but
 * what is inherited. */

struct member {
    struct stream stream;
    bool lives;
    struct {
        uint64_t size; /* 0: nothing is there */
        bool inherited;
    } at[ADDRESSES];
    uint64_t freed_bytes, freed_blocks; /* of what was inherited */
    uint64_t unmatched;
};

static uint32_t threads;

static void member_begin(struct member *member)
{
    *member = (struct member){.lives = true};
    stream_init(&member->stream, RING_LOG2, true);
    member->stream.run.ledger.thread_count = threads += 10;
}

static uint64_t address_of(uint32_t place)
{
    return 0x1000 + (uint64_t)place * 16;
}

static void allocate(struct member *member, uint32_t place, uint64_t size)
{
    stream_bare_allocation(&member->stream, address_of(place), size);
    member->at[place].size = size;
    member->at[place].inherited = false;
}

static void count_free(struct member *member, uint32_t place)
{
    uint64_t size = member->at[place].size;
    member->unmatched += size == 0;
    if (member->at[place].inherited) {
        member->freed_bytes += size;
        member->freed_blocks++;
    }
    member->at[place].size = 0;
    member->at[place].inherited = false;
}

static void release(struct member *member, uint32_t place)
{
    stream_free(&member->stream, address_of(place));
    count_free(member, place);
}

/* A realloc that fails leaves everything as it was. */
static void fail_realloc(struct member *member, uint32_t place)
{
    stream_put(&member->stream, wire_first(WIRE_REALLOC_FREE) | address_of(place));
    stream_put(&member->stream, wire_first(WIRE_REALLOC_FAILED) | address_of(place));
}

static void fork_into(struct member *parent, struct member *child)
{
    static uint32_t token;
    token++;
    stream_put(&parent->stream,
               wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_FORK << WIRE_MARK_SHIFT | token);
    stream_decode(&parent->stream);
    member_begin(child);
    struct inheritance *inheritance =
        inheritance_take(&parent->stream.run.ledger, 0, parent->stream.process->peer.pid, token);
    assert_non_null(inheritance);
    inheritance_apply(&child->stream.run.ledger, &child->stream.process->book, inheritance);
    memcpy(child->at, parent->at, sizeof child->at);
    for (uint32_t i = 0; i < ADDRESSES; i++)
        child->at[i].inherited = child->at[i].size != 0;
}

static void check_member(struct member *member)
{
    struct process *process = member->stream.process;
    uint64_t bytes = 0, blocks = 0, own_bytes = 0, own_blocks = 0;
    stream_decode(&member->stream);
    for (uint32_t i = 1; i < process->book.counters.count; i++) {
        const struct counter *counter = counters_at(&process->book.counters, i);
        if (!counter->inherited)
            continue;
        bytes -= counter->bytes;
        blocks -= counter_blocks(counter);
    }
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        bool is_own = member->at[i].size && !member->at[i].inherited;
        own_blocks += is_own;
        own_bytes += is_own ? member->at[i].size : 0;
    }
    assert_int_equal(bytes, member->freed_bytes);
    assert_int_equal(blocks, member->freed_blocks);
    assert_int_equal(process->book.sums.bytes, own_bytes);
    assert_int_equal(process->book.sums.blocks, own_blocks);
    assert_int_equal(process->book.unmatched_frees, member->unmatched);
    assert_int_equal(process_lost(process), 0);
    assert_null(member->stream.run.ledger.memory_short.file);
}

static void member_end(struct member *member)
{
    check_member(member);
    stream_check_history(&member->stream);
    stream_deinit(&member->stream);
    member->lives = false;
}

/* --- against the model --- */

static struct member family[FAMILY];

static struct member *someone(uint64_t *random, bool lives)
{
    for (uint32_t from = below(random, FAMILY), i = 0; i < FAMILY; i++) {
        struct member *member = &family[(from + i) % FAMILY];
        if (member->lives == lives)
            return member;
    }
    return NULL;
}

/* Something happens to one of them. */
static void happen(uint64_t *random)
{
    struct member *member = someone(random, true), *other = someone(random, false);
    uint32_t place = below(random, ADDRESSES), what = below(random, 100);
    if (what < 3 && other) {
        fork_into(member, other);
    } else if (what < 5) {
        member->lives = false;
        if (someone(random, true))
            member_end(member);
        member->lives = !someone(random, true);
    } else if (what < 15) {
        fail_realloc(member, place);
    } else if (member->at[place].size) {
        release(member, place);
    } else if (what < 20) {
        release(member, place); /* of nothing */
    } else {
        allocate(member, place, 1 + below(random, 3000));
    }
}

static void test_random_against_copies(void **state)
{
    (void)state;
    enum { EVENTS = 60000, CHECK_EVERY = 50 };
    uint64_t random = 7;
    member_begin(&family[0]);
    for (int event = 0; event < EVENTS; event++) {
        happen(&random);
        for (uint32_t i = 0; event % CHECK_EVERY == 0 && i < FAMILY; i++)
            if (family[i].lives)
                check_member(&family[i]);
    }
    for (uint32_t i = 0; i < FAMILY; i++)
        if (family[i].lives)
            member_end(&family[i]);
}

/* --- one by one --- */

static void test_frees_on_both_sides(void **state)
{
    (void)state;
    static struct member parent, child, grandchild;
    member_begin(&parent);
    for (uint32_t i = 0; i < 6; i++)
        allocate(&parent, i, 100 + i);
    fork_into(&parent, &child);
    /* Freed by the child before and after its parent, and an address that both use again. */
    release(&child, 0);
    release(&parent, 0);
    release(&parent, 1);
    release(&child, 1);
    allocate(&parent, 1, 5000);
    release(&child, 1); /* a second time: nobody's */
    allocate(&child, 1, 50);
    release(&child, 1);
    release(&child, 1);
    release(&parent, 2);
    check_member(&child);
    assert_int_equal(child.unmatched, 2);
    /* Its child inherits what is left, from both. */
    allocate(&child, 7, 700);
    fork_into(&child, &grandchild);
    release(&child, 3);
    release(&child, 7);
    release(&grandchild, 0); /* gone before */
    release(&grandchild, 2); /* the oldest has freed it */
    release(&grandchild, 3);
    release(&grandchild, 7);
    check_member(&grandchild);
    assert_int_equal(grandchild.freed_blocks, 3);
    assert_int_equal(grandchild.unmatched, 1);
    /* Those before it end first. */
    member_end(&parent);
    release(&grandchild, 4);
    member_end(&child);
    release(&grandchild, 5);
    release(&grandchild, 5);
    assert_int_equal(grandchild.freed_blocks, 5);
    member_end(&grandchild);
}

static void test_reallocs_of_inherited_blocks(void **state)
{
    (void)state;
    static struct member parent, child;
    member_begin(&parent);
    allocate(&parent, 0, 100);
    fork_into(&parent, &child);
    fail_realloc(&child, 0);
    check_member(&child);
    stream_put(&child.stream, wire_first(WIRE_REALLOC_FREE) | address_of(0));
    count_free(&child, 0);
    allocate(&child, 0, 200);
    check_member(&child);
    /* A block of the parent's that is given back to it is there for the next child too. */
    fail_realloc(&parent, 0);
    static struct member second;
    fork_into(&parent, &second);
    fail_realloc(&parent, 0);
    release(&parent, 0);
    release(&second, 0);
    assert_int_equal(second.freed_blocks, 1);
    member_end(&second);
    member_end(&child);
    member_end(&parent);
}

/* The numbers of its blocks go on from its parent's, so that lifetimes are told over the fork. */
static void test_numbers_go_on(void **state)
{
    (void)state;
    static struct member parent, child;
    struct inherited_from from;
    member_begin(&parent);
    allocate(&parent, 0, 100);
    allocate(&parent, 1, 100);
    fork_into(&parent, &child);
    assert_true(inheritance_of(&child.stream.process->book, &from));
    assert_false(inheritance_of(&parent.stream.process->book, &from));
    assert_int_equal(from.process, 1);
    assert_int_equal(from.events, 2);
    assert_int_equal(from.blocks, 2);
    allocate(&child, 2, 10);
    check_member(&child);
    assert_int_equal(child.stream.process->book.blocks_made, 3);
    member_end(&parent);
    member_end(&child);
}

/* --- mappings --- */

static uint64_t held_mappings(const struct member *member)
{
    const struct mappings *mappings = &member->stream.process->book.mappings;
    uint64_t bytes = 0;
    for (uint32_t number = mappings_from(mappings, 0), i = 0; number; i++) {
        const struct mapping_range *range = mappings_range(mappings, number);
        bytes += range->end - range->start;
        number = mappings_from(mappings, range->end);
    }
    return bytes;
}

static void test_mappings_are_shared_until_changed(void **state)
{
    (void)state;
    static struct member parent, first, second, grandchild;
    member_begin(&parent);
    stream_map(&parent.stream, 0, BASE, 8 * PAGE);
    stream_map(&parent.stream, 0, BASE + 100 * PAGE, 2 * PAGE);
    fork_into(&parent, &first);
    fork_into(&parent, &second);
    fork_into(&first, &grandchild);
    /* The parent changes its own: theirs stay. */
    stream_unmap(&parent.stream, 0, BASE, 8 * PAGE);
    stream_decode(&parent.stream);
    assert_int_equal(held_mappings(&parent), 2 * PAGE);
    stream_unmap(&first.stream, 0, BASE + 2 * PAGE, PAGE);
    stream_decode(&first.stream);
    assert_int_equal(held_mappings(&first), 9 * PAGE);
    stream_deinit(&parent.stream);
    stream_unmap(&second.stream, 0, BASE, 200 * PAGE);
    stream_unmap(&second.stream, 0, BASE, PAGE); /* nothing is there any more */
    stream_decode(&second.stream);
    assert_int_equal(held_mappings(&second), 0);
    assert_int_equal(second.stream.process->book.unmatched_frees, 1);
    stream_check_history(&second.stream);
    stream_deinit(&second.stream);
    stream_check_history(&first.stream);
    stream_deinit(&first.stream);
    /* What its parent has cut since is whole here. */
    stream_unmap(&grandchild.stream, 0, BASE + 101 * PAGE, PAGE);
    stream_decode(&grandchild.stream);
    assert_int_equal(held_mappings(&grandchild), 9 * PAGE);
    assert_int_equal(grandchild.stream.process->book.sums.bytes, 0);
    stream_check_history(&grandchild.stream);
    stream_deinit(&grandchild.stream);
}

/* --- memory --- */

/* A parent that goes on for long while its children live, or many of them come and go. */
static void test_what_nobody_asks_for_is_given_up(void **state)
{
    (void)state;
    enum { ROUNDS = 1000, BLOCKS = 20 };
    static struct member parent, worker, job;
    member_begin(&parent);
    for (uint32_t i = 0; i < ADDRESSES; i++)
        allocate(&parent, i, 100);
    fork_into(&parent, &worker);
    for (int round = 0; round < ROUNDS; round++) {
        fork_into(&parent, &job);
        for (uint32_t i = 0; i < BLOCKS; i++) {
            release(&parent, i);
            allocate(&parent, i, 100);
        }
        member_end(&job);
    }
    stream_decode(&parent.stream);
    /* 20,000 blocks have gone; the worker can ask for 20 of them. */
    assert_true(inheritance_graves(&parent.stream.process->book) <= 4096 + BLOCKS);
    for (uint32_t i = 0; i < ADDRESSES; i++)
        release(&worker, i);
    assert_int_equal(worker.freed_blocks, ADDRESSES);
    member_end(&worker);
    stream_decode(&parent.stream);
    assert_int_equal(inheritance_graves(&parent.stream.process->book), 0);
    /* Nobody is left: nothing is buried. */
    assert_int_equal(parent.stream.process->book.wanted_below, 0);
    member_end(&parent);
}

static void test_forks_without_children(void **state)
{
    (void)state;
    enum { FORKS = INHERITANCES_MAX + 100 };
    static struct member parent;
    member_begin(&parent);
    allocate(&parent, 0, 100);
    struct stream *stream = &parent.stream;
    for (uint64_t token = 1; token <= FORKS; token++) {
        stream_put(stream,
                   wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_FORK << WIRE_MARK_SHIFT | token);
        if (token % 1000 == 0)
            stream_decode(stream);
    }
    stream_decode(stream);
    /* The oldest have gone. */
    pid_t pid = stream->process->peer.pid;
    assert_int_equal(stream->run.ledger.inheritances.count, INHERITANCES_MAX);
    assert_null(inheritance_take(&stream->run.ledger, 0, pid, FORKS - INHERITANCES_MAX));
    assert_null(inheritance_take(&stream->run.ledger, 0, pid + 1, FORKS));
    struct inheritance *latest = inheritance_take(&stream->run.ledger, 0, pid, FORKS);
    assert_non_null(latest);
    inheritance_free(latest);
    assert_null(inheritance_take(&stream->run.ledger, 0, pid, FORKS));
    /* Those that nobody asks for go after a while, and the rest with the run. */
    inheritance_drop_old(&stream->run.ledger, clock_now());
    assert_int_equal(stream->run.ledger.inheritances.count, INHERITANCES_MAX - 1);
    inheritance_drop_old(&stream->run.ledger, clock_now() + INHERITANCE_PATIENCE_NS + 1);
    assert_int_equal(stream->run.ledger.inheritances.count, 0);
    stream_put(stream, wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_FORK << WIRE_MARK_SHIFT | 1);
    stream_decode(stream);
    assert_true(inheritance_is_noted(&stream->run.ledger, 0, pid, 1));
    member_end(&parent);
}

/* Each generation forks the next and ends: what they leave is freed without end of stack. */
static void test_a_long_line(void **state)
{
    (void)state;
    enum { GENERATIONS = 300 };
    static struct member line[2];
    member_begin(&line[0]);
    allocate(&line[0], 0, 100);
    for (int i = 0; i < GENERATIONS; i++) {
        struct member *parent = &line[i & 1], *child = &line[~i & 1];
        fork_into(parent, child);
        member_end(parent);
        allocate(child, 1, 10);
        release(child, 1);
    }
    release(&line[GENERATIONS & 1], 0);
    assert_int_equal(line[GENERATIONS & 1].freed_blocks, 1);
    member_end(&line[GENERATIONS & 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frees_on_both_sides),
        cmocka_unit_test(test_reallocs_of_inherited_blocks),
        cmocka_unit_test(test_numbers_go_on),
        cmocka_unit_test(test_random_against_copies),
        cmocka_unit_test(test_mappings_are_shared_until_changed),
        cmocka_unit_test(test_what_nobody_asks_for_is_given_up),
        cmocka_unit_test(test_forks_without_children),
        cmocka_unit_test(test_a_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
