/*
 * What a traced process may make the collector do that costs far more than the words which ask for
 * it: look for a file, read one, read a thread's name. It begins with more than any program needs
 * to start, and is added to as time goes by, so that what comes steadily takes a hundredth of the
 * collector's time at most. Who is beyond gets the answer that there is nothing to be found, and it
 * is counted as damage.
 */
#ifndef HEAPLINE_COLLECTOR_ALLOWANCE_H
#define HEAPLINE_COLLECTOR_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

/* In looks, each of about ten microseconds. */
#define ALLOWANCE_FIRST    (UINT64_C(1) << 18)
#define ALLOWANCE_A_SECOND 1000u
/* A file of native code is opened and its head read, and all that the kernel says of mappings. */
#define ALLOWANCE_MODULE 64u
/* What is behind it in the order of addresses is moved. */
#define ALLOWANCE_MADE_CODE 8u

struct allowance {
    uint64_t used;
    double seconds;   /* for how long there has been somebody to use it */
    uint64_t refused; /* times that it was used up, or there were too many of something */
};

static inline bool allowance_take(struct allowance *allowance, unsigned looks)
{
    uint64_t earned = ALLOWANCE_FIRST;
    if (allowance->seconds > 0)
        earned += (uint64_t)(allowance->seconds * ALLOWANCE_A_SECOND);
    bool is_within = allowance->used + looks <= earned;
    if (is_within)
        allowance->used += looks;
    else
        allowance->refused++;
    return is_within;
}

#endif
