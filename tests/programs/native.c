/*
 * The C side of programs under test: what only C can do while CPython does nothing at all. The
 * programs load it with ctypes, which releases the GIL around each call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

/* What a storm leaves behind, and what it did. */
struct sums {
    uint64_t bytes;
    uint64_t blocks;
    uint64_t allocated_bytes;
    uint64_t allocations;
    uint64_t frees;
    uint64_t peak_bytes;
    uint64_t peak_blocks;
};

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The compiler may drop a malloc whose result nobody uses. */
static void *used(void *block)
{
    __asm__ volatile("" : "+r"(block) : : "memory");
    return block;
}

void *hold(size_t size)
{
    return used(malloc(size));
}

void release(void *block)
{
    free(block);
}

void hold_many(size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hold(size);
}

/* --- one thread, a model beside it ------------------------------------------------------------ */

#define STORM_SLOTS 512

static void storm_allocated(struct sums *sums, size_t size)
{
    sums->bytes += size;
    sums->blocks++;
    sums->allocated_bytes += size;
    sums->allocations++;
    if (sums->bytes > sums->peak_bytes) {
        sums->peak_bytes = sums->bytes;
        sums->peak_blocks = sums->blocks;
    }
}

static void storm_freed(struct sums *sums, size_t size)
{
    sums->bytes -= size;
    sums->blocks--;
    sums->frees++;
}

static void *storm_allocate(uint64_t *random, size_t size)
{
    void *block = NULL;
    switch (random_next(random) % 4) {
    case 0:
        return used(calloc(1, size));
    case 1:
        return used(aligned_alloc(64, size));
    case 2:
        return posix_memalign(&block, 128, size) == 0 ? used(block) : NULL;
    default:
        return used(malloc(size));
    }
}

/* Random mallocs, reallocs and frees. The floor of `base` bytes lifts its peak over anything that
 * the interpreter does. */
void storm(uint64_t seed, uint64_t steps, uint64_t base, uint64_t largest, struct sums *sums)
{
    struct {
        void *block;
        size_t size;
    } slots[STORM_SLOTS] = {0};
    memset(sums, 0, sizeof(*sums));
    void *floor = hold(base);
    storm_allocated(sums, base);
    for (uint64_t i = 0; i < steps; i++) {
        uint64_t slot = random_next(&seed) % STORM_SLOTS;
        size_t size = 1 + random_next(&seed) % largest;
        if (slots[slot].block == NULL) {
            slots[slot].block = storm_allocate(&seed, size);
            storm_allocated(sums, size);
        } else if (random_next(&seed) % 2) {
            slots[slot].block = used(realloc(slots[slot].block, size));
            storm_freed(sums, slots[slot].size);
            storm_allocated(sums, size);
        } else {
            free(slots[slot].block);
            slots[slot].block = NULL;
            storm_freed(sums, slots[slot].size);
            size = 0;
        }
        slots[slot].size = size;
    }
    free(floor);
    storm_freed(sums, base);
}

/* --- peaks ------------------------------------------------------------------------------------ */

static sem_t other_may_start, other_has_ended;
static size_t other_size;

static void *other_thread(void *unused)
{
    (void)unused;
    sem_wait(&other_may_start);
    free(hold(other_size));
    sem_post(&other_has_ended);
    return NULL;
}

/* Two peaks, one here, one in a thread that Python does not know. Nothing else happens between
 * them, so that equal sizes are equal peaks to the byte. */
void two_peaks(size_t here, size_t there, int there_first)
{
    pthread_t thread;
    sem_init(&other_may_start, 0, 0);
    sem_init(&other_has_ended, 0, 0);
    other_size = there;
    if (pthread_create(&thread, NULL, other_thread, NULL) != 0)
        abort();
    if (!there_first)
        free(hold(here));
    sem_post(&other_may_start);
    sem_wait(&other_has_ended);
    if (there_first)
        free(hold(here));
    pthread_join(thread, NULL);
}

void hold_and_exit(size_t size, int status)
{
    hold(size);
    _exit(status);
}

/* --- threads ---------------------------------------------------------------------------------- */

static size_t foreign_size, foreign_count;

static void *foreign_thread(void *unused)
{
    (void)unused;
    hold_many(foreign_size, foreign_count);
    return NULL;
}

/* A thread that Python never sees holds `count` blocks. */
void hold_in_foreign_thread(size_t size, size_t count)
{
    pthread_t thread;
    foreign_size = size;
    foreign_count = count;
    if (pthread_create(&thread, NULL, foreign_thread, NULL) != 0)
        abort();
    pthread_join(thread, NULL);
}

/* Blocks that many threads pass to each other. Each knows its own size. */
#define SHARED_SLOTS 64

struct shared_block {
    size_t size;
};

static _Atomic(struct shared_block *) shared[SHARED_SLOTS];
static atomic_uint_fast64_t shared_allocations, shared_allocated_bytes;

static size_t shared_allocated(size_t size)
{
    atomic_fetch_add(&shared_allocations, 1);
    atomic_fetch_add(&shared_allocated_bytes, size);
    return size;
}

/* Called by several threads at once: whatever a slot holds, another thread has put there. */
void exchange(uint64_t seed, uint64_t steps)
{
    for (uint64_t i = 0; i < steps; i++) {
        uint64_t random = random_next(&seed);
        size_t size = sizeof(struct shared_block) + random / SHARED_SLOTS % 300;
        _Atomic(struct shared_block *) *slot = &shared[random % SHARED_SLOTS];
        struct shared_block *block = atomic_exchange(slot, NULL);
        if (block != NULL && random >> 40 & 1) {
            free(block);
            continue;
        }
        block = used(realloc(block, size));
        block->size = shared_allocated(size);
        free(atomic_exchange(slot, block));
    }
}

void exchange_result(struct sums *sums)
{
    memset(sums, 0, sizeof(*sums));
    for (int i = 0; i < SHARED_SLOTS; i++) {
        struct shared_block *block = shared[i];
        if (block != NULL) {
            sums->bytes += block->size;
            sums->blocks++;
        }
    }
    sums->allocations = shared_allocations;
    sums->allocated_bytes = shared_allocated_bytes;
}

/* --- errno ------------------------------------------------------------------------------------ */

#define ERRNO_BEFORE 77

struct errno_case {
    int after_malloc, after_calloc, after_realloc, after_free, after_free_null;
    int after_huge_malloc, after_huge_realloc, after_bad_alignment, bad_alignment_result;
    int rounds_that_differed;
};

static int errno_taken(void)
{
    int taken = errno;
    errno = ERRNO_BEFORE;
    return taken;
}

void errno_cases(size_t huge, unsigned rounds, struct errno_case *result)
{
    void *block, *kept;
    errno = ERRNO_BEFORE;
    block = hold(100);
    result->after_malloc = errno_taken();
    void *second = used(calloc(3, 100));
    result->after_calloc = errno_taken();
    block = used(realloc(block, 5000));
    result->after_realloc = errno_taken();
    free(second);
    result->after_free = errno_taken();
    free(NULL);
    result->after_free_null = errno_taken();
    used(malloc(huge));
    result->after_huge_malloc = errno_taken();
    kept = used(realloc(block, huge));
    result->after_huge_realloc = errno_taken();
    second = NULL;
    result->bad_alignment_result = posix_memalign(&second, 3, 10);
    result->after_bad_alignment = errno_taken();
    free(kept == NULL ? block : kept);
    /* Often enough that hooks have to wait for room to write to. */
    result->rounds_that_differed = 0;
    for (unsigned i = 0; i < rounds; i++) {
        errno = ERRNO_BEFORE;
        free(hold(1 + i % 1000));
        result->rounds_that_differed += errno != ERRNO_BEFORE;
    }
}

/* --- a signal handler that allocates ---------------------------------------------------------- */

static struct {
    volatile uint64_t calls, limit, bytes, blocks, allocated_bytes;
} handled;

static void handle(int signal)
{
    (void)signal;
    if (handled.calls >= handled.limit)
        return;
    handled.calls++;
    size_t size = 100 + handled.calls % 50;
    void *block = hold(size);
    handled.allocated_bytes += size;
    if (handled.calls % 10 == 0) {
        handled.bytes += size;
        handled.blocks++;
    } else {
        free(block);
    }
}

/* The handler runs on a small stack of its own, and does nothing beyond the times that it has been
 * allowed. The program must not call malloc meanwhile: glibc's is not for handlers. CPython's own
 * allocator is hooked as well, and it is that hook which the handler interrupts. */
void handler_start(int microseconds)
{
    long least = sysconf(_SC_MINSIGSTKSZ);
    size_t size = 8192;
    if (least > 0 && (size_t)least + 4096 > size)
        size = (size_t)least + 4096;
    stack_t stack = {.ss_sp = malloc(size), .ss_size = size};
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK | SA_RESTART};
    /* Both paths of the handler once, so that nothing in glibc starts up inside it. */
    free(hold(120));
    if (sigaltstack(&stack, NULL) != 0 || sigaction(SIGALRM, &action, NULL) != 0)
        abort();
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

void handler_allow(uint64_t times)
{
    handled.limit = times;
}

uint64_t handler_calls(void)
{
    return handled.calls;
}

void handler_stop(struct sums *sums)
{
    struct itimerval timer = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &timer, NULL);
    memset(sums, 0, sizeof(*sums));
    sums->bytes = handled.bytes;
    sums->blocks = handled.blocks;
    sums->allocations = handled.calls;
    sums->allocated_bytes = handled.allocated_bytes;
}

/* --- killed at any moment --------------------------------------------------------------------- */

struct endless {
    size_t size;
    _Atomic uint64_t *progress;
};

static void *endless_thread(void *argument)
{
    struct endless *endless = argument;
    for (;;) {
        void *block = hold(endless->size);
        atomic_fetch_add(endless->progress, 1);
        free(block);
    }
    return NULL;
}

/* Threads that allocate and free until the process is killed, each in a size of its own: `size`,
 * `size` + 1 and so on. Each counts in its place of `progress`, after malloc has returned. */
void allocate_until_killed(size_t size, unsigned threads, _Atomic uint64_t *progress)
{
    struct endless *all = calloc(threads, sizeof *all);
    pthread_t thread;
    for (unsigned i = 0; i < threads; i++) {
        all[i] = (struct endless){size + i, &progress[i]};
        if (pthread_create(&thread, NULL, endless_thread, &all[i]) != 0)
            abort();
    }
    for (;;)
        pause();
}

/* --- mappings --------------------------------------------------------------------------------- */

#define PAGE ((size_t)4096)

static void *map_pages(size_t pages)
{
    void *memory =
        mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? (abort(), NULL) : memory;
}

/* Nothing comes between. */
void map_briefly(size_t pages)
{
    munmap(map_pages(pages), pages * PAGE);
}

/* Moves the end of the data segment up and down, and then up again with brk(). CPython and glibc do
 * nothing meanwhile that could use what is given back. */
void move_break(size_t up, size_t down, size_t up_again)
{
    char *start = sbrk((intptr_t)up);
    if (sbrk(-(intptr_t)down) != start + up || brk(start + up - down + up_again) != 0 ||
        sbrk(0) != start + up - down + up_again)
        abort();
}

/* What munmap() says of a hole in `kept` when the process may have no more mappings. */
int unmap_at_the_limit(char *kept)
{
    size_t pages = (size_t)4 << 20, at = 0;
    char *region =
        mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    while (at < pages && mprotect(region + at * PAGE, PAGE, PROT_READ) == 0)
        at += 2;
    int result = munmap(kept + 4 * PAGE, 4 * PAGE) == 0 ? 0 : errno;
    return munmap(region, pages * PAGE) == 0 ? result : -1;
}

/* Mappings that many threads pass to each other. Each knows its own size. */
struct mapped {
    size_t pages;
};

static _Atomic(struct mapped *) mapped[SHARED_SLOTS];
static atomic_uint_fast64_t mapped_allocations, mapped_pages, mapped_frees;

static struct mapped *new_mapped(void *memory, size_t pages)
{
    struct mapped *made = memory;
    made->pages = pages;
    atomic_fetch_add(&mapped_allocations, 1);
    atomic_fetch_add(&mapped_pages, pages);
    return made;
}

static void unmap_whole(struct mapped *old)
{
    if (old && munmap(old, old->pages * PAGE) == 0)
        atomic_fetch_add(&mapped_frees, 1);
}

/* Gives back the first pages of it, or the last. */
static struct mapped *unmap_part(struct mapped *old, size_t pages, int first)
{
    size_t left = old->pages - pages;
    char *start = (char *)old;
    if (munmap(first ? start : start + left * PAGE, pages * PAGE) != 0)
        abort();
    old = (struct mapped *)(first ? start + pages * PAGE : start);
    old->pages = left;
    return old;
}

static struct mapped *change_mapped(struct mapped *old, uint64_t random, size_t pages)
{
    size_t part = pages % (old ? old->pages : 1);
    if (!old)
        return new_mapped(map_pages(pages), pages);
    if (random >> 40 & 1 && part)
        return unmap_part(old, part, random >> 41 & 1);
    void *moved = mremap(old, old->pages * PAGE, pages * PAGE, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED)
        abort();
    atomic_fetch_add(&mapped_frees, 1);
    return new_mapped(moved, pages);
}

/* Called by several threads at once, as exchange(): what one gives back another one is given. */
void exchange_mapped(uint64_t seed, uint64_t steps)
{
    for (uint64_t i = 0; i < steps; i++) {
        uint64_t random = random_next(&seed);
        _Atomic(struct mapped *) *slot = &mapped[random % SHARED_SLOTS];
        struct mapped *old = atomic_exchange(slot, NULL);
        if (old && random >> 42 & 1) {
            unmap_whole(old);
            continue;
        }
        old = change_mapped(old, random, 1 + random / SHARED_SLOTS % 9);
        unmap_whole(atomic_exchange(slot, old));
    }
}

void exchange_mapped_result(struct sums *sums)
{
    memset(sums, 0, sizeof(*sums));
    for (int i = 0; i < SHARED_SLOTS; i++)
        if (mapped[i] != NULL) {
            sums->bytes += mapped[i]->pages * PAGE;
            sums->blocks++;
        }
    sums->allocations = mapped_allocations;
    sums->allocated_bytes = mapped_pages * PAGE;
    sums->frees = mapped_frees;
}
