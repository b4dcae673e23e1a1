/*
 * What heapline doctor has found: one finding for each thing that was looked at, in that order.
 */
#ifndef HEAPLINE_VIEWER_DOCTOR_FINDINGS_H
#define HEAPLINE_VIEWER_DOCTOR_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "viewer/base/progress.h"

enum finding_kind {
    FINDING_OK,
    FINDING_NOTE,    /* programs can be traced, but something will be missing or different */
    FINDING_PROBLEM, /* they cannot */
};
/* "ok", "note", "problem". */
extern const char *const finding_names[];

struct finding {
    const char *subject; /* a constant: what was looked at */
    enum finding_kind kind;
    char *text;         /* what was found; owned */
    const char *advice; /* a constant: what to do; NULL: nothing */
};

/* Starts zeroed. */
struct findings {
    struct finding *list;
    size_t count;
    struct progress *progress; /* is told what is being looked at; not owned, may be NULL */
};

void findings_deinit(struct findings *findings);

/* Adds one; `advice` may be NULL. */
void findings_add(struct findings *findings, enum finding_kind kind, const char *subject,
                  const char *advice, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Is one of them a problem? */
bool findings_have_problem(const struct findings *findings);

#endif
