/*
 * What rows are summed by. A grouping gives each thing that is counted (a location, a thread, a
 * process, …) a key; things that mean the same to the reader share one. Keys count from 0.
 */
#ifndef HEAPLINE_VIEWER_QUESTION_GROUPING_H
#define HEAPLINE_VIEWER_QUESTION_GROUPING_H

#include <stdint.h>

#include "chunk.h"
#include "viewer/recording/recording.h"

enum group_by {
    GROUP_BY_LINE,
    GROUP_BY_FILE,
    GROUP_BY_FUNCTION,
    GROUP_BY_STACK,
    GROUP_BY_MODULE,
    GROUP_BY_PACKAGE,
    GROUP_BY_THREAD,
    GROUP_BY_ALLOCATOR,
    GROUP_BY_SIZE,
    GROUP_BY_PROCESS,
    GROUP_BY_SOURCE_LINE, /* by file and line alone; users do not name it */
    GROUP_BY_CODE,        /* by stack, lines of different modules apart; users do not name it */
};

/* Whom a block belongs to, by package, or by source line. */
enum blame {
    BLAME_NONE,   /* the innermost frame's */
    BLAME_CALLED, /* the one that the program called: of the frame next to the innermost one of the
                   * program's; where no frame is, the outermost one beside the standard library
                   * and the system's */
    BLAME_IMPORT, /* the one that was being imported, by the program or its modules; what was
                   * allocated otherwise belongs to none */
    BLAME_PYTHON, /* by source line: the innermost Python frame's, whatever native code it called */
};

/* One thread. The recording must outlive the grouping. */
struct grouping {
    const struct recording *recording;
    enum group_by by;
    uint32_t *keys;    /* by location, node, thread, allocator, size class or process index */
    uint32_t *members; /* by key: one of the things that have it */
    uint32_t key_count;
    uint32_t *line_keys; /* by stack: what each location's key by line is; by code: that too, but
                          * those of one line in different modules are not the same */
    uint32_t *blamed;    /* with blame: a location, or GROUPING_NO_KEY, by node */
};

/* `blame` counts by package and source line only. */
void grouping_init(struct grouping *grouping, const struct recording *recording, enum group_by by,
                   enum blame blame);
void grouping_deinit(struct grouping *grouping);

#define GROUPING_NO_KEY UINT32_MAX

/* The key of a counted row of the process with this index; GROUPING_NO_KEY when it is not part of
 * the answer. */
uint32_t grouping_key(const struct grouping *grouping, size_t process,
                      const struct counter_row *row);

/* Compares two keys by what they are called; by stack or code: by what the innermost frames are
 * called, and where those are the same by the stacks' numbers. Never equal for different keys. */
int grouping_compare(const struct grouping *grouping, uint32_t a, uint32_t b);

/* The frame that a key by line, file, function or module stands for: one of them. */
static inline const struct frame *grouping_frame(const struct grouping *grouping, uint32_t key)
{
    return &grouping->recording->symbols.frames[grouping->members[key]];
}

/* Is it one of those whose rows are stacks? */
static inline bool group_by_is_stack(enum group_by by)
{
    return by == GROUP_BY_STACK || by == GROUP_BY_CODE;
}

/* Is it one of the groupings whose rows are places in the code? */
static inline bool group_by_is_place(enum group_by by)
{
    return by == GROUP_BY_LINE || by == GROUP_BY_FILE || by == GROUP_BY_FUNCTION ||
           by == GROUP_BY_MODULE;
}

/* The names of the allocators, by enum wire_allocator; NULL ends them. */
extern const char *const allocator_names[];

/* The smallest and the largest size of a size class. */
uint64_t size_class_least(unsigned size_class);
uint64_t size_class_most(unsigned size_class);

#endif
