/*
 * Keys that are chosen to meet in a table do not, as each table has a secret; and a table whose
 * secret is bad, or known, takes another one before its look-ups have cost much.
 */
#include <stdlib.h>

#include "unit.h"

#include "collector/base/index.h"
#include "collector/book/counters.h"
#include "collector/book/live_heap.h"
#include "collector/python/stack_tree.h"

#define KEYS 60000u

/* Addresses whose pages a fixed multiplier (that of the golden ratio, as it was once) puts into one
 * bucket: multiples of its inverse. */
static void fill_with_chosen(struct live_heap *heap, uint64_t *addresses)
{
    uint64_t multiplier = UINT64_C(0x9e3779b97f4a7c15), inverse = multiplier;
    for (int i = 0; i < 6; i++)
        inverse *= 2 - multiplier * inverse;
    uint32_t count = 0;
    for (uint64_t remainder = 1; count < KEYS; remainder++) {
        uint64_t page = remainder * inverse & ((UINT64_C(1) << 37) - 1);
        if (page >> 36)
            continue;
        addresses[count++] = page << 12;
        assert_true(live_heap_add(heap, &(struct block){.address = page << 12, .counter = 1}));
    }
}

/* Blocks that are met when every one is looked for once. */
static uint64_t steps_for_all(const struct live_heap *heap)
{
    uint64_t steps = 0;
    const struct block *blocks = heap->blocks.data;
    for (uint64_t i = 0; i < heap->bucket_count + LIVE_HEAP_NEIGHBOURS; i++) {
        uint64_t length = 0;
        for (uint32_t at = ((uint32_t *)heap->buckets.data)[i]; at; at = blocks[at].next)
            steps += ++length;
    }
    return steps;
}

static void look_for_all(struct live_heap *heap, const uint64_t *addresses)
{
    struct block block = {0};
    for (uint32_t i = 0; i < KEYS; i++) {
        assert_true(live_heap_remove(heap, addresses[i], &block));
        assert_int_equal(block.address, addresses[i]);
        assert_true(live_heap_add(heap, &block));
    }
    assert_int_equal(heap->live, KEYS);
}

static void test_chosen_addresses(void **state)
{
    (void)state;
    static uint64_t addresses[KEYS];
    struct live_heap heap;
    assert_true(live_heap_init(&heap));
    fill_with_chosen(&heap, addresses);
    look_for_all(&heap, addresses);
    assert_true(steps_for_all(&heap) < UINT64_C(2) * HASH_STEPS_FREE * KEYS);
    live_heap_deinit(&heap);
}

static void test_addresses_for_a_multiplier_that_is_known(void **state)
{
    (void)state;
    static uint64_t addresses[KEYS];
    struct live_heap heap;
    assert_true(live_heap_init(&heap));
    heap.multiplier = 1;
    for (uint64_t i = 0; i < KEYS; i++) {
        addresses[i] = (i + 1) << 12;
        assert_true(live_heap_add(&heap, &(struct block){.address = addresses[i], .counter = 1}));
    }
    look_for_all(&heap, addresses);
    assert_int_not_equal(heap.multiplier, 1);
    assert_true(steps_for_all(&heap) < UINT64_C(2) * HASH_STEPS_FREE * KEYS);
    live_heap_deinit(&heap);
}

/* Multiples of a good one leave no place empty, and put few into one. */
static void test_multipliers_are_even(void **state)
{
    (void)state;
    enum { PLACES = 4096 };
    for (int round = 0; round < 100; round++) {
        static uint32_t met[PLACES];
        uint64_t multiplier = hash_multiplier();
        for (uint64_t i = 0; i < PLACES; i++)
            met[i] = 0;
        for (uint64_t i = 0; i < PLACES; i++)
            met[i * multiplier >> 52]++;
        for (uint64_t i = 0; i < PLACES; i++)
            assert_true(met[i] <= 34);
    }
}

static void test_keys_for_a_seed_that_is_known(void **state)
{
    (void)state;
    struct index index;
    assert_true(index_init(&index));
    index.slots = (struct hash_seed){0}; /* all keys stand in a row */
    for (uint32_t key = 1; key <= KEYS; key++) {
        uint32_t *value = index_at(&index, key);
        assert_non_null(value);
        assert_int_equal(*value, 0);
        *value = key;
        if (key == 500)
            assert_int_not_equal(index.slots.multiplier, 0);
    }
    for (uint32_t key = 1; key <= KEYS; key++)
        assert_int_equal(index_find(&index, key), key);
    assert_int_equal(index_find(&index, KEYS + 1), 0);
    assert_int_equal(index.count, KEYS);
    index_deinit(&index);
}

/* Who asks for a place and gives no value takes no room. */
static void test_keys_without_a_value(void **state)
{
    (void)state;
    struct index index;
    assert_true(index_init(&index));
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(*index_at(&index, 7), 0);
    assert_int_equal(index.mask, 1023);
    index_deinit(&index);
}

static void test_nodes_for_a_seed_that_is_known(void **state)
{
    (void)state;
    struct stack_tree tree;
    assert_true(stack_tree_init(&tree));
    tree.seed = (struct hash_seed){0};
    for (uint32_t location = 1; location <= 2000; location++)
        assert_int_equal(stack_tree_find(&tree, 0, location), location);
    assert_int_not_equal(tree.seed.multiplier, 0);
    for (uint32_t location = 1; location <= 2000; location++)
        assert_int_equal(stack_tree_find(&tree, 0, location), location);
    stack_tree_deinit(&tree);
}

static void test_counters_for_a_seed_that_is_known(void **state)
{
    (void)state;
    enum { THREADS = 900 }; /* fewer than there are buckets at first */
    struct counters counters = {0};
    uint32_t numbers[THREADS];
    for (uint32_t thread = 0; thread < THREADS; thread++) {
        numbers[thread] = counters_find(&counters, 1, thread, 0, 0);
        if (thread == COUNTERS_LISTED)
            counters.seed.multiplier = 0;
    }
    for (uint32_t thread = 0; thread < THREADS; thread++)
        assert_int_equal(counters_find(&counters, 1, thread, 0, 0), numbers[thread]);
    assert_int_not_equal(counters.seed.multiplier, 0);
    counters_deinit(&counters);
}

static void test_every_table_has_its_own(void **state)
{
    (void)state;
    struct index one, other;
    assert_true(index_init(&one) && index_init(&other));
    assert_true(one.slots.mask != other.slots.mask);
    assert_true(index_key(&one, 0, "name", 4) != index_key(&other, 0, "name", 4));
    assert_true(index_key(&one, 0, "name", 4) != index_key(&one, 1, "name", 4));
    assert_true(index_key(&one, 0, "name", 4) != index_key(&one, 0, "name\0", 5));
    assert_true(index_key(&one, 0, "name", 4) == index_key(&one, 0, "name", 4));
    index_deinit(&one);
    index_deinit(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chosen_addresses),
        cmocka_unit_test(test_addresses_for_a_multiplier_that_is_known),
        cmocka_unit_test(test_multipliers_are_even),
        cmocka_unit_test(test_keys_for_a_seed_that_is_known),
        cmocka_unit_test(test_keys_without_a_value),
        cmocka_unit_test(test_nodes_for_a_seed_that_is_known),
        cmocka_unit_test(test_counters_for_a_seed_that_is_known),
        cmocka_unit_test(test_every_table_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
