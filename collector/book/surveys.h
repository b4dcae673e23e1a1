/*
 * What a process's resident memory was made of when it was looked at (survey/survey.h), kept until
 * it is written.
 */
#ifndef HEAPLINE_COLLECTOR_SURVEYS_H
#define HEAPLINE_COLLECTOR_SURVEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/book/places.h"
#include "resident.h"

/* All rows of a kind and name. */
struct survey_row {
    uint8_t kind;           /* enum resident_kind */
    char *name;             /* the file or heap that it is of; null: none */
    uint64_t bytes;         /* that are resident */
    uint64_t shared_bytes;  /* of them with other processes; 0 where that was not asked */
    uint64_t swapped_bytes; /* that are swapped out beside them */
    uint64_t blocks;        /* live ones, or mappings */
};

/* An arena of pymalloc, or a heap of the C library's, which goes back to the system as a whole. */
struct survey_region {
    uint64_t address, bytes;
    uint64_t resident;
    uint64_t used; /* bytes of live blocks in it */
    uint32_t blocks;
    uint32_t lines; /* that have blocks in it */
    uint8_t kind;   /* enum resident_region */
};

/* What a line has in a region. */
struct survey_holder {
    uint32_t region; /* number, from 0 */
    uint32_t location;
    uint64_t blocks, bytes;
};

struct survey {
    bool is_taken, is_written;
    uint8_t moment; /* enum resident_moment */
    double time;    /* seconds from the run's start */
    uint64_t events;
    uint64_t rss_bytes;          /* as the kernel says */
    bool asked_shared;           /* the process has been forked, or has forked others: */
    uint64_t shared_bytes;       /* of it with other processes */
    uint64_t proportional_bytes; /* as sampled last (PSS); SAMPLE_UNKNOWN: not known */
    uint64_t huge_bytes;         /* of it in huge pages */
    uint64_t hugetlb_bytes;      /* reserved huge pages, which are no part of it */
    struct survey_row *rows;
    struct survey_region *regions;
    struct survey_holder *holders; /* of regions that few lines have blocks in */
    /* Of blocks that the process was forked with, whatever their region: what lies in pages that
     * nobody else has any more, for it, or all others, have written to them or gone. */
    struct survey_holder *copied;
    uint32_t row_count, region_count, holder_count, copied_count;
};

struct surveys {
    struct places places;
    struct survey end, peak;
    struct survey *asked;
    uint32_t asked_count, asked_capacity;
    uint64_t begun_ns;   /* CLOCK_MONOTONIC: since when surveys may be taken */
    uint64_t next_ns;    /* of the next that is asked for */
    uint64_t cost_ns;    /* of all so far */
    uint64_t peak_bytes; /* that were resident at the latest one near the peak */
    bool has_looked_for_caller;
    char *raw_caller;  /* the library that seems to map what no hook sees; null: none */
    struct look *look; /* that is begun: survey/survey.c */
};

void survey_deinit(struct survey *survey);
void surveys_deinit(struct surveys *surveys);

#endif
