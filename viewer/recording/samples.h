/*
 * A process's memory over time, as the recording has it.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_SAMPLES_H
#define HEAPLINE_VIEWER_RECORDING_SAMPLES_H

#include "viewer/recording/recording.h"
#include "wire.h"

/* A slice of time, up to `time` seconds from the run's start. -1: the kernel did not say. */
struct sample {
    double time;
    uint64_t by_allocator[WIRE_ALLOCATOR_COUNT]; /* live bytes at its end */
    uint64_t most;                               /* live bytes in all, the most in it */
    uint64_t most_touched; /* the most that was touched of them; older recordings: the same */
    int64_t resident, proportional, swapped;
};

struct samples {
    struct sample *list;
    size_t count;
};

/* In order of time. False, with a problem in the recording, when they are damaged. Needs
 * samples_deinit() in either case. */
bool samples_init(struct samples *samples, struct recording *recording, size_t process);
void samples_deinit(struct samples *samples);

/* The sum of several processes: a sample wherever one of them has one, of what each one held last;
 * nothing after its end. `most` is that of the sum at these times, as far as these samples, which
 * were not taken at one time, tell; it is not above the peak of the sum. */
void samples_sum(struct samples *sum, const struct samples *processes, size_t count, uint64_t peak);

#endif
