/*
 * Looking: mincore() says which pages a process has. What it says of pages that have only been read
 * is that they are there, though all of them are the kernel's one page of zeros; so a few of those
 * that are there are asked for by move_pages(), which does not count that one. Where a program's
 * filter does not let us ask, they count as its own.
 *
 * A program may have been started under a seccomp filter, which may end it for a call that it does
 * not make itself: then nothing is looked at from here. What it gives up later is in sealing.h.
 *
 * Ranges beyond LOOK_BYTES_MAX are looked at in pieces that lie evenly in them.
 */
#include "preload/hooks/presence.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct presence_slot presence_slots[PRESENCE_SLOTS];
/* False: also before presence_begin(). */
static bool may_look;
/* Is there a block that has lost its slot to another one? */
static _Atomic bool has_forgotten;

/* A page of the processor's; what is larger comes in several of these. */
#define LOOK_PAGE_BYTES 4096u
/* Hooks run on small stacks too: that many pages at once. */
#define LOOK_PAGES       256u
#define LOOK_PIECE_BYTES ((uint64_t)LOOK_PAGES * LOOK_PAGE_BYTES)
#define LOOK_BYTES_MAX   (UINT64_C(16) << 30)
#define LOOK_PIECES_MAX  (LOOK_BYTES_MAX / LOOK_PIECE_BYTES)
/* Others are not looked at again for so many times what that has taken. */
#define LOOK_SHARE 100u
/* Of those that are there, so many are asked whether they are zeros. */
#define ZERO_PROBES 32u

/* Reads /proc/self/status: a filter may not even let us ask by prctl(). */
static bool has_filter(void)
{
    static const char name[] = "\nSeccomp:\t";
    char text[4096];
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    text[got > 0 ? got : 0] = 0;
    const char *line = strstr(text, name);
    return !line || line[sizeof name - 1] != '0';
}

void presence_begin(void)
{
    int saved = errno;
    may_look = !has_filter();
    errno = saved;
}

bool presence_may_ask(void)
{
    return may_look && !shim_is_sealed();
}

void presence_note(const void *block, size_t size)
{
    struct presence_slot *slot = presence_slot_of(block);
    uintptr_t other = atomic_load_explicit(&slot->block, memory_order_relaxed);
    if (SHIM_UNLIKELY(other && other != (uintptr_t)block))
        atomic_store_explicit(&has_forgotten, true, memory_order_relaxed);
    atomic_store_explicit(&slot->size, size, memory_order_relaxed);
    atomic_store_explicit(&slot->is_full, false, memory_order_relaxed);
    atomic_store_explicit(&slot->block, (uintptr_t)block, memory_order_relaxed);
}

/* What is found, and some of the pages that are there: every so manieth, which grows when there are
 * too many. */
struct look {
    uint64_t present; /* bytes */
    uint64_t pages;   /* that are there */
    uint64_t step;
    unsigned probes;
    void *probe[ZERO_PROBES];
};

static void add_probe(struct look *look, uintptr_t page)
{
    if (look->pages++ % look->step)
        return;
    if (look->probes == ZERO_PROBES) {
        for (unsigned i = 0; i < ZERO_PROBES / 2; i++)
            look->probe[i] = look->probe[2 * i];
        look->probes /= 2;
        look->step *= 2;
        if ((look->pages - 1) % look->step)
            return;
    }
    look->probe[look->probes++] = (void *)page;
}

/* The part of [start, end) that lies in this page. */
static uint64_t bytes_in_page(uintptr_t page, uintptr_t start, uintptr_t end)
{
    uintptr_t first = page > start ? page : start;
    uintptr_t last = page + LOOK_PAGE_BYTES < end ? page + LOOK_PAGE_BYTES : end;
    return last - first;
}

/* Looks at the pages of [start, end), which are not more than LOOK_PAGES. */
static bool look_at_piece(struct look *look, uintptr_t start, uintptr_t end)
{
    unsigned char there[LOOK_PAGES];
    uintptr_t page = start & ~(uintptr_t)(LOOK_PAGE_BYTES - 1);
    if (mincore((void *)page, end - page, there) != 0)
        return false;
    for (unsigned i = 0; page < end; page += LOOK_PAGE_BYTES, i++) {
        if (!(there[i] & 1))
            continue;
        look->present += bytes_in_page(page, start, end);
        if (page > start) /* in the first one the allocator writes */
            add_probe(look, page);
    }
    return true;
}

/* The part of what is there that is more than zeros. */
static uint64_t without_zeros(const struct look *look)
{
    int status[ZERO_PROBES];
    unsigned zeros = 0;
    if (!look->probes ||
        syscall(SYS_move_pages, 0, (unsigned long)look->probes, look->probe, NULL, status, 0) != 0)
        return look->present;
    for (unsigned i = 0; i < look->probes; i++)
        zeros += status[i] == -EFAULT;
    return look->present / look->probes * (look->probes - zeros);
}

static uint64_t look_at_range(uintptr_t start, size_t bytes)
{
    struct look look = {.step = 1};
    uintptr_t end = start + bytes;
    uint64_t looked = 0, pieces = bytes / LOOK_PIECE_BYTES + 1;
    uint64_t stride = (pieces + LOOK_PIECES_MAX - 1) / LOOK_PIECES_MAX * LOOK_PIECE_BYTES;
    /* Pieces end where pages do: each but the first begins with one. */
    uintptr_t first_page = start & ~(uintptr_t)(LOOK_PAGE_BYTES - 1);
    for (uintptr_t piece = first_page; piece < end; piece += stride) {
        uintptr_t from = piece > start ? piece : start;
        uintptr_t to = piece + LOOK_PIECE_BYTES < end ? piece + LOOK_PIECE_BYTES : end;
        if (!look_at_piece(&look, from, to))
            return PRESENCE_UNKNOWN;
        looked += to - from;
    }
    uint64_t present = without_zeros(&look);
    return looked == bytes ? present : (uint64_t)((double)present / (double)looked * (double)bytes);
}

uint64_t presence_look(const void *start, size_t bytes)
{
    if (!presence_may_ask() || !bytes)
        return PRESENCE_UNKNOWN;
    int saved = errno;
    uint64_t present = look_at_range((uintptr_t)start, bytes);
    errno = saved;
    return present;
}

uint64_t presence_take(const void *block)
{
    struct presence_slot *slot = presence_slot_of(block);
    size_t size = atomic_load_explicit(&slot->size, memory_order_relaxed);
    atomic_store_explicit(&slot->block, 0, memory_order_relaxed);
    return presence_look(block, size);
}

/* False: nothing can be said of it. */
static bool look_at_slot(struct presence_slot *slot,
                         void (*found)(const void *block, uint64_t present))
{
    uintptr_t block = atomic_load_explicit(&slot->block, memory_order_relaxed);
    size_t size = atomic_load_explicit(&slot->size, memory_order_relaxed);
    if (!block || atomic_load_explicit(&slot->is_full, memory_order_relaxed))
        return true;
    uint64_t present = presence_look((const void *)block, size);
    if (present == PRESENCE_UNKNOWN)
        return false;
    atomic_store_explicit(&slot->is_full, present >= size, memory_order_relaxed);
    found((const void *)block, present);
    return true;
}

bool presence_look_at_all(void (*found)(const void *block, uint64_t present))
{
    bool all = !atomic_load_explicit(&has_forgotten, memory_order_relaxed);
    for (unsigned i = 0; i < PRESENCE_SLOTS; i++)
        all &= look_at_slot(&presence_slots[i], found);
    return all;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool presence_look_at_others(void (*found)(const void *block, uint64_t present))
{
    static _Atomic uint64_t next_ns;
    if (!presence_may_ask())
        return false;
    uint64_t before = now_ns();
    if (before < atomic_load_explicit(&next_ns, memory_order_relaxed))
        return false;
    bool all = presence_look_at_all(found);
    uint64_t after = now_ns();
    atomic_store_explicit(&next_ns, after + LOOK_SHARE * (after - before), memory_order_relaxed);
    return all;
}
