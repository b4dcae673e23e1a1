/*
 * The few lines at the end of a run.
 */
#ifndef HEAPLINE_VIEWER_RUN_SUMMARY_H
#define HEAPLINE_VIEWER_RUN_SUMMARY_H

/* Prints them on stderr. Whatever happens while the recording is read, also that it cannot be,
 * stays in a process of its own. `trouble` is what has been said already about what is missing. */
void summary_print(const char *file, const char *trouble);

#endif
