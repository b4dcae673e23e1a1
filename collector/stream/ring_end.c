/*
 * Making, filling and closing the collector's end of a ring.
 */
#include "collector/stream/ring_end.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/system/owner.h"

/* From its clock's look to its admission, at most. */
#define HELLO_TAKES_NS UINT64_C(20000000000)

/* Reserves its memory: a page of our own (owner.h), the reader's page, the writers' memory. */
static bool reserve_ring(struct ring_end *ring, unsigned log2_words)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    ring->log2_words = log2_words;
    ring->mask = ring_mask(log2_words);
    ring->bytes = 2 * page + ring_writers_bytes(log2_words);
    char *memory =
        mmap(NULL, ring->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    ring->memory = memory;
    ring->reader = (struct ring_reader_page *)(void *)(memory + page);
    ring->writers = (struct ring_writers_page *)(void *)(memory + 2 * page);
    ring->words = ring_words(ring->writers);
    return true;
}

/* Puts a memfd in the place of private memory, and seals it then: what is mapped already stays
 * writable. A peer that could shrink it would make us fault. */
static int share_memory(void *memory, size_t bytes, const char *name, int seals)
{
    int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0)
        return -1;
    if (ftruncate(descriptor, (off_t)bytes) == 0 &&
        mmap(memory, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, 0) !=
            MAP_FAILED &&
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | seals) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

bool ring_can_be_shared(void)
{
    static enum { UNKNOWN, NO, YES } answer;
    int trial = answer == UNKNOWN ? memfd_create("heapline", MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1;
    if (trial >= 0) {
        answer = fcntl(trial, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0 ? YES : NO;
        close(trial);
    }
    return answer != NO;
}

static bool share_ring(const struct ring_end *ring, int parts[RING_PARTS])
{
    parts[RING_READER] =
        share_memory(ring->reader, RING_PAGE_BYTES, "heapline reader", F_SEAL_FUTURE_WRITE);
    parts[RING_WRITERS] =
        share_memory(ring->writers, ring_writers_bytes(ring->log2_words), "heapline ring", 0);
    return parts[RING_READER] >= 0 && parts[RING_WRITERS] >= 0;
}

/* What its writers are to know; those of a stream are told with the welcome. */
static void prepare_ring(const struct ring_end *ring, const struct ring_plan *plan)
{
    ring->reader->magic = RING_MAGIC;
    ring->reader->log2_words = plan->log2_words;
    ring->reader->overflow = plan->overflow;
    ring->reader->patience_ns = plan->patience_ns;
}

static bool open_ring(const struct ring_end *ring, const struct ring_plan *plan,
                      int parts[RING_PARTS])
{
    if (share_ring(ring, parts)) {
        prepare_ring(ring, plan);
        if (owner_hold(&ring->reader->owner))
            return true;
    }
    ring_close_parts(parts);
    return false;
}

/* The kernel tells the writers of our death, but not of this end. */
static void close_ring(const struct ring_end *ring)
{
    if (ring->reader) {
        uint32_t open = RING_OPEN;
        atomic_compare_exchange_strong(&ring->reader->state, &open, RING_CLOSED);
        owner_release(&ring->reader->owner);
        munmap(ring->memory, ring->bytes);
    }
}

void ring_close_parts(int parts[RING_PARTS])
{
    for (int i = 0; i < RING_PARTS; i++) {
        if (parts[i] >= 0)
            close(parts[i]);
        parts[i] = -1;
    }
}

/* A process on this host usually has our clock. Who says hello from the future, or from longer ago
 * than a hello may take, has another one: a time namespace's, or a made-up one. */
static void set_clock_offset(struct ring_end *ring, const struct arrival *arrival)
{
    uint64_t offset = clock_now() - arrival->hello.clock_ns;
    bool same = arrival->hello.clock_ns == 0 || offset <= HELLO_TAKES_NS;
    if (arrival->hello.carrier != HELLO_RING || !same)
        ring->clock_offset = offset;
}

bool ring_end_init(struct ring_end *ring, const struct arrival *arrival,
                   const struct ring_plan *plan, int parts[RING_PARTS])
{
    parts[RING_READER] = parts[RING_WRITERS] = -1;
    set_clock_offset(ring, arrival);
    if (!reserve_ring(ring, plan->log2_words))
        return false;
    if (arrival->hello.carrier == HELLO_RING)
        return open_ring(ring, plan, parts);
    prepare_ring(ring, plan);
    return (ring->stream = stream_reader_new(arrival->connection)) != NULL;
}

void ring_end_deinit(struct ring_end *ring)
{
    close_ring(ring);
    stream_reader_free(ring->stream, ring->farewell);
    ring->reader = NULL;
    ring->writers = NULL;
    ring->stream = NULL;
}

uint64_t ring_end_receive(struct ring_end *ring, uint64_t words)
{
    return ring->stream ? stream_reader_fill(ring->stream, ring->writers, ring->words,
                                             ring->log2_words, ring->position, words)
                        : 0;
}
