/*
 * Threads that allocate at once, without the GIL: what tests/bench/threads loads with ctypes.
 *
 * They work for a given time, so that the longest pause of two runs can be compared. Two kinds of
 * work: `loop` calls malloc and free and does nothing else, the worst that there can be; `tree`
 * allocates as programs do, to build something: a search tree of strings, which it then takes
 * apart.
 *
 * Each batch of BATCH_CALLS allocations is timed by itself; the longest of all is the longest time
 * that a thread was held up, by the scheduler too: that is what the same run without heapline is
 * there for.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH_CALLS  100u
#define THREADS_MAX  256u
#define LONG_NS      UINT64_C(100000000)
#define LOOP_HELD    16u
#define TREE_BATCHES 20u /* then the tree is taken apart */

enum contention_work { CONTENTION_LOOP, CONTENTION_TREE };

struct contention_result {
    double seconds;
    double longest_pause; /* seconds, of one batch */
    uint64_t long_pauses; /* batches beyond LONG_NS */
    uint64_t allocations;
};

struct node {
    struct node *children[2];
    char *key;
};

struct worker {
    pthread_t thread;
    uint64_t random, longest_ns, long_pauses, allocations;
    void *held[LOOP_HELD];
    struct node *tree;
};

static enum contention_work work;
static uint64_t deadline_ns;
static pthread_barrier_t everyone;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The compiler may drop a malloc whose result nobody uses. */
static void *allocate(struct worker *worker, size_t size)
{
    void *block = malloc(size);
    __asm__ volatile("" : "+r"(block) : : "memory");
    worker->allocations++;
    return block;
}

static void loop_batch(struct worker *worker)
{
    for (unsigned i = 0; i < BATCH_CALLS; i++) {
        uint64_t random = random_next(&worker->random);
        void **held = &worker->held[random % LOOP_HELD];
        free(*held);
        *held = allocate(worker, 16 + (random >> 8) % 500);
    }
}

static void insert(struct worker *worker)
{
    char text[32];
    int length =
        snprintf(text, sizeof text, "%016llx", (unsigned long long)random_next(&worker->random));
    struct node **place = &worker->tree;
    while (*place)
        place = &(*place)->children[strcmp(text, (*place)->key) > 0];
    struct node *node = allocate(worker, sizeof *node);
    *node = (struct node){.key = allocate(worker, (size_t)length + 1)};
    memcpy(node->key, text, (size_t)length + 1);
    *place = node;
}

static void take_apart(struct node *node)
{
    if (!node)
        return;
    take_apart(node->children[0]);
    take_apart(node->children[1]);
    free(node->key);
    free(node);
}

static void tree_batch(struct worker *worker, uint64_t number)
{
    for (unsigned i = 0; i < BATCH_CALLS / 2; i++)
        insert(worker);
    if (number % TREE_BATCHES == 0) {
        take_apart(worker->tree);
        worker->tree = NULL;
    }
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    pthread_barrier_wait(&everyone);
    uint64_t before = now_ns();
    for (uint64_t batch = 1; before < deadline_ns; batch++) {
        if (work == CONTENTION_LOOP)
            loop_batch(worker);
        else
            tree_batch(worker, batch);
        uint64_t after = now_ns(), took = after - before;
        before = after;
        if (took > worker->longest_ns)
            worker->longest_ns = took;
        worker->long_pauses += took > LONG_NS;
    }
    return NULL;
}

static void clean_up(struct worker *worker)
{
    for (unsigned i = 0; i < LOOP_HELD; i++)
        free(worker->held[i]);
    take_apart(worker->tree);
}

static void add_up(const struct worker *worker, struct contention_result *result)
{
    double longest = (double)worker->longest_ns / 1e9;
    if (longest > result->longest_pause)
        result->longest_pause = longest;
    result->long_pauses += worker->long_pauses;
    result->allocations += worker->allocations;
}

int contend(unsigned threads, double seconds, int kind, struct contention_result *result);

/* Returns 0, or -1 when the threads cannot be made. */
int contend(unsigned threads, double seconds, int kind, struct contention_result *result)
{
    static struct worker workers[THREADS_MAX];
    if (threads == 0 || threads > THREADS_MAX ||
        pthread_barrier_init(&everyone, NULL, threads) != 0)
        return -1;
    work = (enum contention_work)kind;
    *result = (struct contention_result){0};
    memset(workers, 0, sizeof workers);
    uint64_t started = now_ns();
    deadline_ns = started + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < threads; i++) {
        workers[i].random = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0)
            return -1;
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    result->seconds = (double)(now_ns() - started) / 1e9;
    for (unsigned i = 0; i < threads; i++) {
        add_up(&workers[i], result);
        clean_up(&workers[i]);
    }
    pthread_barrier_destroy(&everyone);
    return 0;
}
