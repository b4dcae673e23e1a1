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

/* How many bytes of [first, last) lie in [start, end). */
static uint64_t overlap(uint64_t first, uint64_t last, uint64_t start, uint64_t end)
{
    first = first > start ? first : start;
    last = last < end ? last : end;
    return first < last ? last - first : 0;
}

/* -1 with errno, else 0. */
static int scan(const struct pages *pages, uint64_t start, uint64_t end, uint64_t *present)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct region regions[REGIONS];
    struct scan ask = {.size = sizeof ask,
                       .start = start & ~(page - 1),
                       .end = (end + page - 1) & ~(page - 1),
                       .regions = (uint64_t)(uintptr_t)regions,
                       .region_count = REGIONS,
                       .inverted = SCAN_ZEROS,
                       .all_of = SCAN_ZEROS,
                       .any_of = SCAN_PRESENT | SCAN_SWAPPED,
                       .returned = SCAN_PRESENT | SCAN_SWAPPED};
    for (*present = 0; ask.start < ask.end; ask.start = ask.walk_end) {
        int found = ioctl(pages->file, SCAN, &ask);
        if (found < 0)
            return -1;
        for (int i = 0; i < found; i++)
            *present += overlap(regions[i].start, regions[i].end, start, end);
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

static bool read_entries(const struct pages *pages, uint64_t start, uint64_t end, uint64_t *present)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t entries[ENTRIES];
    *present = 0;
    for (uint64_t at = start & ~(page - 1); at < end;) {
        uint64_t wanted = (end - at + page - 1) / page;
        wanted = wanted < ENTRIES ? wanted : ENTRIES;
        ssize_t got = pread(pages->file, entries, wanted * sizeof *entries,
                            (off_t)(at / page * sizeof *entries));
        if (got < (ssize_t)sizeof *entries)
            return false;
        for (uint64_t i = 0; i < (uint64_t)got / sizeof *entries; i++, at += page)
            if (is_touched(entries[i]))
                *present += overlap(at, at + page, start, end);
    }
    return true;
}

bool pages_present(struct pages *pages, uint64_t start, uint64_t end, uint64_t *present)
{
    if (!pages->cannot_scan) {
        if (scan(pages, start, end, present) == 0)
            return true;
        if (errno != ENOTTY && errno != EINVAL)
            return false;
        pages->cannot_scan = true;
    }
    return read_entries(pages, start, end, present);
}
