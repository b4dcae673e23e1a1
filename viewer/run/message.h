/*
 * What heapline run says. It shares the terminal with the program that it runs: everything goes to
 * stderr, whole lines at a time (say.h), each beginning with "heapline".
 */
#ifndef HEAPLINE_VIEWER_RUN_MESSAGE_H
#define HEAPLINE_VIEWER_RUN_MESSAGE_H

/* Exit statuses of heapline run's own, as env and timeout have them. */
enum {
    RUN_FAILED = 125,
    RUN_CANNOT_EXECUTE = 126,
    RUN_NOT_FOUND = 127,
};

/* Both print one line; errors are ignored, as there is nowhere to report them. run_fail(): why the
 * command is not run ("heapline run: …"). run_say(): all else ("heapline: …"). */
void run_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void run_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
