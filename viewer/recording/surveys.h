/*
 * What resident memory was made of when a process was looked at (schema/resident.h). Recordings
 * before format 7 do not know, nor do those of processes that nobody could look at.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_SURVEYS_H
#define HEAPLINE_VIEWER_RECORDING_SURVEYS_H

#include "resident.h"
#include "viewer/recording/recording.h"

struct survey_row {
    enum resident_kind kind;
    char *name; /* the file or heap that it is of; NULL: none */
    uint64_t bytes, shared_bytes, swapped_bytes, blocks;
};

/* What goes back to the system as a whole. */
struct survey_region {
    enum resident_region kind;
    uint64_t address, bytes, resident_bytes, used_bytes, blocks, lines;
};

struct survey_holder {
    uint32_t region, location;
    uint64_t blocks, bytes;
};

/* Of blocks that the process was forked with: in pages that are its own. */
struct survey_copied {
    uint32_t location;
    uint64_t blocks, bytes;
};

struct survey {
    const struct process *process;
    uint32_t number;
    enum resident_moment moment;
    double time;
    uint64_t rss_bytes, huge_bytes, hugetlb_bytes;
    int64_t shared_bytes, proportional_bytes; /* -1: not known */
    /* Once it is loaded. */
    struct survey_row *rows;
    struct survey_region *regions;
    struct survey_holder *holders;
    struct survey_copied *copied; /* most bytes first */
    size_t row_count, region_count, holder_count, copied_count;
};

struct surveys {
    struct survey *list; /* by process, then by number */
    size_t count;
};

/* Without what was found. False, with a problem in the recording, when they are damaged. Needs
 * surveys_deinit() in either case. */
bool surveys_init(struct surveys *surveys, struct recording *recording);
void surveys_deinit(struct surveys *surveys);

/* Loads what was found. False, with a problem in the recording. */
bool survey_load(struct survey *survey, struct recording *recording);

/* The sums of the rows. */
uint64_t survey_known(const struct survey *survey);
uint64_t survey_swapped(const struct survey *survey);

/* The words for what stands in a recording. */
extern const char *const resident_keys[RESIDENT_KIND_COUNT];
extern const char *const resident_words[RESIDENT_KIND_COUNT];
extern const char *const resident_moment_keys[RESIDENT_MOMENT_COUNT];
extern const char *const resident_moment_words[RESIDENT_MOMENT_COUNT];

#endif
