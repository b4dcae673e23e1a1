/*
 * Asking by PAGEMAP_SCAN, which tells pages of zeros from others and skips what is not there; on
 * older kernels by reading 8 bytes a page, where zeros are those that are neither mapped
 * exclusively nor of a file. So is what a forked process shares, which is then not counted.
 */
#include "collector/system/pages.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "collector/system/proc.h"

/* Of linux/fs.h, where that is new enough. */
struct region {
    uint64_t start, end, categories;
};
struct scan {
    uint64_t size, flags, start, end, walk_end;
    uint64_t regions, region_count, pages_max;
    uint64_t inverted, all_of, any_of, returned;
};
#define SCAN         _IOWR('f', 16, struct scan)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_SWAPPED (UINT64_C(1) << 4)
#define SCAN_ZEROS   (UINT64_C(1) << 5)
#define SCAN_HUGE    (UINT64_C(1) << 6)

#define ENTRY_PRESENT   (UINT64_C(1) << 63)
#define ENTRY_SWAPPED   (UINT64_C(1) << 62)
#define ENTRY_FILE      (UINT64_C(1) << 61)
#define ENTRY_EXCLUSIVE (UINT64_C(1) << 56)

#define REGIONS 512u
#define ENTRIES 2048u

bool pages_open(struct pages *pages, pid_t pid)
{
    *pages = (struct pages){.file = proc_open(pid, "pagemap")};
    return pages->file >= 0;
}

bool pages_are_hidden(pid_t pid)
{
    return errno == EACCES || errno == EPERM || (errno == ENOENT && kill(pid, 0) == 0);
}

void pages_close(struct pages *pages)
{
    close(pages->file);
}

/* Who is told. */
struct listener {
    void (*found)(void *context, uint64_t start, uint64_t end, unsigned bits);
    void *context;
};

static void tell_region(const struct listener *listener, const struct region *region)
{
    unsigned bits = region->categories & SCAN_PRESENT ? 0 : PAGES_SWAPPED;
    bits |= region->categories & SCAN_HUGE ? PAGES_HUGE : 0;
    listener->found(listener->context, region->start, region->end, bits);
}

/* -1 with errno, else 0. */
static int scan(const struct pages *pages, uint64_t start, uint64_t end,
                const struct listener *listener)
{
    struct region regions[REGIONS];
    struct scan ask = {.size = sizeof ask,
                       .start = start,
                       .end = end,
                       .regions = (uint64_t)(uintptr_t)regions,
                       .region_count = REGIONS,
                       .inverted = SCAN_ZEROS,
                       .all_of = SCAN_ZEROS,
                       .any_of = SCAN_PRESENT | SCAN_SWAPPED,
                       .returned = SCAN_PRESENT | SCAN_SWAPPED | SCAN_HUGE};
    for (; ask.start < ask.end; ask.start = ask.walk_end) {
        int found = ioctl(pages->file, SCAN, &ask);
        if (found < 0)
            return -1;
        for (int i = 0; i < found; i++)
            tell_region(listener, &regions[i]);
        if (ask.walk_end <= ask.start)
            break;
    }
    return 0;
}

static bool is_touched(uint64_t entry)
{
    return entry & ENTRY_SWAPPED ||
           (entry & ENTRY_PRESENT && entry & (ENTRY_EXCLUSIVE | ENTRY_FILE));
}

/* Calls back with each page's entry. */
static bool read_entries(const struct pages *pages, uint64_t start, uint64_t end,
                         void (*each)(const void *listener, uint64_t page, uint64_t page_end,
                                      uint64_t entry),
                         const void *listener)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t entries[ENTRIES];
    for (uint64_t at = start; at < end;) {
        uint64_t wanted = (end - at) / page;
        wanted = wanted < ENTRIES ? wanted : ENTRIES;
        ssize_t got = pread(pages->file, entries, wanted * sizeof *entries,
                            (off_t)(at / page * sizeof *entries));
        if (got < (ssize_t)sizeof *entries)
            return false;
        for (uint64_t i = 0; i < (uint64_t)got / sizeof *entries; i++, at += page)
            each(listener, at, at + page, entries[i]);
    }
    return true;
}

static void tell_entry(const void *context, uint64_t start, uint64_t end, uint64_t entry)
{
    const struct listener *listener = context;
    if (is_touched(entry))
        listener->found(listener->context, start, end, entry & ENTRY_SWAPPED ? PAGES_SWAPPED : 0);
}

static void tell_shared(const void *context, uint64_t start, uint64_t end, uint64_t entry)
{
    const struct listener *listener = context;
    if (entry & ENTRY_PRESENT)
        listener->found(listener->context, start, end, entry & ENTRY_EXCLUSIVE ? 0 : PAGES_SHARED);
}

bool pages_each_shared(const struct pages *pages, uint64_t start, uint64_t end,
                       void (*found)(void *context, uint64_t start, uint64_t end, unsigned bits),
                       void *context)
{
    const struct listener listener = {found, context};
    return read_entries(pages, start, end, tell_shared, &listener);
}

bool pages_each(struct pages *pages, uint64_t start, uint64_t end,
                void (*found)(void *context, uint64_t start, uint64_t end, unsigned bits),
                void *context)
{
    const struct listener listener = {found, context};
    if (!pages->cannot_scan) {
        if (scan(pages, start, end, &listener) == 0)
            return true;
        if (errno != ENOTTY && errno != EINVAL)
            return false;
        pages->cannot_scan = true;
    }
    return read_entries(pages, start, end, tell_entry, &listener);
}

/* What is in memory of a range that need not begin and end with pages. */
struct sum {
    uint64_t start, end, present;
};

static void add_present(void *context, uint64_t start, uint64_t end, unsigned bits)
{
    struct sum *sum = context;
    (void)bits;
    start = start > sum->start ? start : sum->start;
    end = end < sum->end ? end : sum->end;
    sum->present += start < end ? end - start : 0;
}

bool pages_present(struct pages *pages, uint64_t start, uint64_t end, uint64_t *present)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct sum sum = {start, end, 0};
    bool known =
        pages_each(pages, start & ~(page - 1), (end + page - 1) & ~(page - 1), add_present, &sum);
    *present = sum.present;
    return known;
}
