/*
 * Moments of a run, as users name them: peak, end, exit, 12.5s, 80%.
 *
 *   peak      when the process, or all together, held most, the first time (peak.h)
 *   touched-peak   when it, or all together, had touched most of what was held (touched.h)
 *   selection-peak when most of what is asked for was held (question/peak.h)
 *   resident-peak  when most was resident: a time, once it is looked up (resident_peak.h)
 *   end       when the program's own code had ended
 *   exit      when its process had; what is left then has leaked
 *   a time    from the run's start; 500ms, 12.5s (or 12.5), 3min, 2h, or a share of the whole run
 *
 * The moments with a name are each process's own: what it held at its end it held, whenever that
 * was. A time is the same for all of them: who has ended by then, however that came, holds nothing
 * any more. The end of the run as a time is where the last of its processes ends, which still holds
 * what it then did.
 */
#ifndef HEAPLINE_VIEWER_HISTORY_MOMENT_H
#define HEAPLINE_VIEWER_HISTORY_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "viewer/recording/recording.h"

enum moment_kind {
    MOMENT_PEAK,
    MOMENT_END,
    MOMENT_EXIT,
    MOMENT_TOUCHED,
    MOMENT_RESIDENT,
    MOMENT_SELECTION,
    MOMENT_TIME,
};

struct moment {
    enum moment_kind kind;
    double value;     /* of MOMENT_TIME: seconds, or per cent */
    bool is_share;    /* per cent of the run */
    const char *text; /* as the user wrote it, not owned; NULL: as the kind is called */
};

/* A point in a process's events. */
struct position {
    uint64_t events; /* up to it */
    double time;     /* from the run's start; NaN: as the moment says that is meant */
};

/* What the kinds with a name are called; NULL ends the list. */
extern const char *const moment_names[];

/* False when it is no moment. */
bool moment_parse(const char *text, struct moment *moment);

/* What the user calls it. */
const char *moment_text(const struct moment *moment);

/* The run's length in seconds; of one that is still being recorded as far as it is known. */
double run_length(const struct recording *recording);

/* How many events a process had had at a moment that has a name, the peak being its own; false for
 * a MOMENT_TIME. */
bool moment_events(const struct moment *moment, const struct process *process, uint64_t *events);

/* The time of a MOMENT_TIME from the run's start. False, with a problem in the recording, when the
 * run did not last so long. */
bool moment_seconds(const struct moment *moment, struct recording *recording, double *seconds);

/* Is the moment a time at which the process has ended? Not where it is none of the run. */
bool moment_is_after(const struct moment *moment, struct recording *recording, size_t process);

/* The same of a time from the run's start that is one of the run. */
bool process_is_gone(const struct recording *recording, size_t process, double seconds);

#endif
