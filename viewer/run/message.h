/*
 * What heapline run says. It shares the terminal with the program that it runs: everything goes to
 * stderr, whole lines at a time, each beginning with "heapline".
 */
#ifndef HEAPLINE_VIEWER_RUN_MESSAGE_H
#define HEAPLINE_VIEWER_RUN_MESSAGE_H

/* Exit statuses of heapline run's own, as env and timeout have them. */
enum {
    RUN_FAILED = 125,
    RUN_CANNOT_EXECUTE = 126,
    RUN_NOT_FOUND = 127,
};

/* Prints one line. Errors are ignored: there is nowhere to report them. */
void run_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
