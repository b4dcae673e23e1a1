/*
 * Making counters, and finding those that are in no node's list: hashing with chains. The buckets
 * are doubled when there are as many counters in them, and filled anew, with another seed, when
 * look-ups take long.
 */
#include "collector/book/counters.h"

#define LOG2_BUCKETS_AT_FIRST 10u
#define LOG2_BUCKETS_MAX      31u

void counters_deinit(struct counters *counters)
{
    vector_deinit(&counters->all);
    vector_deinit(&counters->of_node);
    vector_deinit(&counters->buckets);
}

/* Makes a counter that nothing leads to yet; 0 when memory is short. */
static uint32_t make_counter(struct counters *counters, const struct counter *made)
{
    uint32_t number = counters->count ? counters->count : 1;
    if (number == UINT32_MAX ||
        !vector_reserve(&counters->all, (size_t)number + 1, sizeof(struct counter)))
        return 0;
    counters->count = number + 1;
    *counters_at(counters, number) = *made;
    return number;
}

static uint32_t put_first(struct counters *counters, uint32_t number, uint32_t *first)
{
    if (number) {
        counters_at(counters, number)->next = *first;
        *first = number;
    }
    return number;
}

/* --- lists -------------------------------------------------------------------------------------
 */

static uint32_t add_to_list(struct counters *counters, const struct counter *made)
{
    if (!vector_reserve(&counters->of_node, (size_t)made->node + 1, sizeof(uint32_t)))
        return 0;
    return put_first(counters, make_counter(counters, made),
                     (uint32_t *)counters->of_node.data + made->node);
}

/* --- buckets -----------------------------------------------------------------------------------
 */

static uint32_t *bucket_of(const struct counters *counters, const struct counter *counter)
{
    uint64_t hash = hash_number(&counters->seed, (uint64_t)counter->node << 32 | counter->thread) ^
                    ((uint64_t)counter->allocator << 8 | counter->size_class);
    hash = hash_number(&counters->seed, hash);
    return (uint32_t *)counters->buckets.data + (hash >> (64 - counters->log2_buckets));
}

static bool is_same(const struct counter *a, const struct counter *b)
{
    return a->node == b->node && a->thread == b->thread && a->size_class == b->size_class &&
           a->allocator == b->allocator;
}

/* Moves every chain of `old` into the buckets. */
static void move_chains(struct counters *counters, const struct vector *old, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t number = ((const uint32_t *)old->data)[i];
        while (number) {
            struct counter *counter = counters_at(counters, number);
            uint32_t next = counter->next;
            put_first(counters, number, bucket_of(counters, counter));
            number = next;
        }
    }
}

/* Makes so many buckets, with another seed. False only when there are none at all: chains may grow
 * long where memory is short. */
static bool make_buckets(struct counters *counters, unsigned log2_new)
{
    struct vector old = counters->buckets;
    unsigned log2_old = counters->log2_buckets;
    struct vector fresh = {0};
    if (log2_new > LOG2_BUCKETS_MAX ||
        !vector_reserve(&fresh, (size_t)1 << log2_new, sizeof(uint32_t)))
        return old.data != NULL;
    counters->buckets = fresh;
    counters->log2_buckets = log2_new;
    counters->seed = hash_seed_new();
    if (old.data)
        move_chains(counters, &old, (size_t)1 << log2_old);
    vector_deinit(&old);
    return true;
}

static uint32_t find_in_buckets(struct counters *counters, const struct counter *wanted)
{
    bool none = !counters->buckets.data;
    if ((none || counters->hashed >> counters->log2_buckets) &&
        !make_buckets(counters, none ? LOG2_BUCKETS_AT_FIRST : counters->log2_buckets + 1))
        return 0;
    uint32_t *first = bucket_of(counters, wanted), number = *first, steps = 0;
    for (; number && !is_same(counters_at(counters, number), wanted); steps++)
        number = counters_at(counters, number)->next;
    if (!number) {
        number = put_first(counters, make_counter(counters, wanted), first);
        counters->hashed += number != 0;
    }
    if (hash_is_outworn(&counters->wasted, steps, counters->hashed))
        make_buckets(counters, counters->log2_buckets);
    return number;
}

uint32_t counters_find_unlisted(struct counters *counters, uint32_t node, uint32_t thread,
                                uint8_t allocator, uint8_t size_class, unsigned listed)
{
    const struct counter wanted = {.node = node,
                                   .thread = thread,
                                   .allocator = allocator,
                                   .size_class = size_class,
                                   .is_apart = allocator_is_apart(allocator)};
    return listed < COUNTERS_LISTED ? add_to_list(counters, &wanted)
                                    : find_in_buckets(counters, &wanted);
}

/* --- peaks -------------------------------------------------------------------------------------
 */

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void heap_sums_set_alert(struct heap_sums *sums)
{
    uint64_t touched =
        smaller(sums->most_touched, smaller(sums->touched.bytes, sums->touched_share.bytes));
    uint64_t alert = smaller(sums->most, smaller(sums->peak.bytes, sums->share.bytes));
    /* What may be beyond every number is never reached. */
    if (touched <= UINT64_MAX - sums->untouched)
        alert = smaller(alert, touched + sums->untouched);
    sums->alert = alert;
}

static inline void set_peak(struct heap_peak *peak, const struct heap_sums *sums, uint64_t bytes,
                            double now)
{
    peak->bytes = bytes;
    peak->blocks = sums->blocks;
    peak->events = sums->events;
    peak->time = now;
}

/* Notes where what the process holds is more than the run's peaks leave it. */
static inline void note_shares(struct heap_sums *sums, uint64_t touched, double now)
{
    if (sums->bytes > sums->share.bytes)
        set_peak(&sums->share, sums, sums->bytes, now);
    if (touched > sums->touched_share.bytes) {
        set_peak(&sums->touched_share, sums, touched, now);
        sums->touched_share.epoch++;
    }
}

/* Something is more than ever, or since a sample was taken, but not everything. */
static __attribute__((noinline)) void note_some(struct heap_sums *sums, uint64_t touched,
                                                double now)
{
    bool is_peak = sums->bytes > sums->peak.bytes, is_touched = touched > sums->touched.bytes;
    sums->most = sums->bytes > sums->most ? sums->bytes : sums->most;
    sums->most_touched = touched > sums->most_touched ? touched : sums->most_touched;
    sums->epoch += is_peak || is_touched;
    if (is_peak) {
        set_peak(&sums->peak, sums, sums->bytes, now);
        sums->peak.epoch = sums->epoch;
    }
    if (is_touched) {
        set_peak(&sums->touched, sums, touched, now);
        sums->touched.epoch = sums->epoch;
    }
    note_shares(sums, touched, now);
    heap_sums_set_alert(sums);
}

void heap_sums_note_peaks(struct heap_sums *sums, double now)
{
    uint64_t touched = sums->bytes - sums->untouched;
    ASSERT(sums->untouched <= sums->bytes);
    if (sums->bytes <= sums->peak.bytes || touched <= sums->touched.bytes) {
        note_some(sums, touched, now);
        return;
    }
    /* A heap that grows: both are at a new peak, and nothing has ever been more. */
    sums->most = sums->bytes;
    sums->most_touched = touched;
    sums->peak.epoch = sums->touched.epoch = ++sums->epoch;
    set_peak(&sums->peak, sums, sums->bytes, now);
    set_peak(&sums->touched, sums, touched, now);
    note_shares(sums, touched, now);
    sums->alert = sums->bytes;
}
