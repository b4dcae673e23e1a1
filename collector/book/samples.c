/*
 * Taking samples. Resident memory is cheap to ask for. The proportional share is not: the kernel
 * walks all pages for it and holds a lock that the process's own page faults want. So it is asked
 * for at most ten times a second, and never for more than a hundredth of the time; and once a
 * second where there has been no event. A forked child has all its parent's pages, and may be gone
 * in a moment: it is not asked for at first.
 */
#include "collector/book/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "collector/base/clock.h"
#include "collector/system/proc.h"

#define COSTLY_EVERY_NS UINT64_C(100000000)
#define COSTLY_SHARE    100u
#define COSTLY_QUIET_NS UINT64_C(1000000000)

void samples_deinit(struct samples *samples)
{
    free(samples->list);
    *samples = (struct samples){0};
}

void samples_postpone_costly(struct samples *samples, uint64_t now_ns)
{
    samples->proportional = samples->swapped = SAMPLE_UNKNOWN;
    samples->next_costly_ns = now_ns + COSTLY_EVERY_NS;
}

/* A process that has ended has none. */
static uint64_t read_resident(pid_t pid)
{
    uint64_t resident = proc_resident(pid);
    return resident ? resident : SAMPLE_UNKNOWN;
}

/* The value of a line like "Pss:    123 kB". */
static uint64_t rollup_field(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    unsigned long long kilobytes;
    return line && sscanf(line + strlen(name), "%llu", &kilobytes) == 1 ? kilobytes * 1024
                                                                        : SAMPLE_UNKNOWN;
}

static void read_costly(struct samples *samples, pid_t pid, uint64_t now_ns)
{
    char text[2048];
    uint64_t before = clock_computed();
    bool known = proc_read(pid, "smaps_rollup", text, sizeof text);
    samples->proportional = known ? rollup_field(text, "\nPss:") : SAMPLE_UNKNOWN;
    samples->swapped = known ? rollup_field(text, "\nSwap:") : SAMPLE_UNKNOWN;
    uint64_t cost = clock_computed() - before;
    samples->next_costly_ns =
        now_ns + (cost * COSTLY_SHARE > COSTLY_EVERY_NS ? cost * COSTLY_SHARE : COSTLY_EVERY_NS);
}

/* The larger one; what is unknown does not count. */
static uint64_t larger_known(uint64_t a, uint64_t b)
{
    if (a == SAMPLE_UNKNOWN || b == SAMPLE_UNKNOWN)
        return a == SAMPLE_UNKNOWN ? b : a;
    return a > b ? a : b;
}

static void merge_neighbours(struct samples *samples)
{
    for (uint32_t i = 0; i < samples->count / 2; i++) {
        const struct sample *first = &samples->list[2 * i];
        struct sample both = samples->list[2 * i + 1];
        both.most = larger_known(first->most, both.most);
        both.most_touched = larger_known(first->most_touched, both.most_touched);
        both.resident = larger_known(first->resident, both.resident);
        both.proportional = larger_known(first->proportional, both.proportional);
        both.swapped = larger_known(first->swapped, both.swapped);
        samples->list[i] = both;
    }
    samples->count /= 2;
    samples->written = 0;
    samples->interval_ns *= 2;
}

static bool make_room(struct samples *samples)
{
    if (!samples->list) {
        samples->list = malloc(SAMPLES_MAX * sizeof *samples->list);
        samples->interval_ns = SAMPLES_FIRST_NS;
    }
    if (samples->count == SAMPLES_MAX)
        merge_neighbours(samples);
    return samples->list;
}

bool samples_take(struct samples *samples, struct heap_sums *sums, pid_t pid, uint64_t now_ns,
                  double seconds, bool last)
{
    if ((now_ns < samples->next_ns && !last) || !make_room(samples))
        return false;
    bool is_quiet = sums->events == samples->costly_events;
    if (now_ns >= samples->next_costly_ns + (is_quiet ? COSTLY_QUIET_NS : 0) && !last) {
        read_costly(samples, pid, now_ns);
        samples->costly_events = sums->events;
    }
    ASSERT(samples->count < SAMPLES_MAX);
    ASSERT(!samples->count || samples->list[samples->count - 1].time <= seconds);
    struct sample *sample = &samples->list[samples->count++];
    *sample = (struct sample){
        .time = seconds,
        .most = sums->most,
        .most_touched = larger_known(sums->most_touched, sums->most_touched_before),
        .resident = last ? SAMPLE_UNKNOWN : read_resident(pid),
        .proportional = last ? SAMPLE_UNKNOWN : samples->proportional,
        .swapped = last ? SAMPLE_UNKNOWN : samples->swapped,
    };
    memcpy(sample->by_allocator, sums->by_allocator, sizeof sample->by_allocator);
    sums->most = sums->bytes;
    sums->most_touched = sums->most_touched_before = sums->bytes - sums->untouched;
    heap_sums_set_alert(sums);
    samples->next_ns = now_ns + samples->interval_ns;
    return true;
}
