/*
 * How processes ended, in words. All strings are escaped (utf8.h) and freed by the caller.
 */
#ifndef HEAPLINE_VIEWER_FORMAT_ENDING_TEXT_H
#define HEAPLINE_VIEWER_FORMAT_ENDING_TEXT_H

#include "viewer/base/size.h"
#include "viewer/recording/recording.h"

/* "ended with status 0", "was killed by SIGSEGV (core dumped)", "replaced itself (exec)", … */
char *ending_text(const struct recording *recording, const struct process *process);

/* The same in one word: "0", "SIGSEGV", "exec", … */
struct size_text ending_word(const struct process *process);

/* What is to be said of a process beside what it held at its peak: "process 12 was killed by
 * SIGKILL when it held 12.3 MiB in 45 blocks; an allocation of 1.0 GiB failed". It begins with
 * `subject`. NULL: nothing, it ended as usual. */
char *ending_note(const struct recording *recording, const struct process *process,
                  const char *subject);

/* The command that shows what a process held when it was killed; NULL when it was not, or held
 * nothing. */
char *ending_command(const struct recording *recording, const struct process *process);

/* "when it held 12.3 MiB in 45 blocks" of one that was killed; else NULL. */
char *ending_held_text(const struct process *process);

/* "an allocation of 1.0 GiB failed", "3 allocations failed, the largest of 1.0 GiB"; NULL: none. */
char *refusals_text(const struct recording *recording, const struct process *process);

#endif
