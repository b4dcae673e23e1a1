/*
 * Running a program of which one wants to know what it prints.
 */
#ifndef HEAPLINE_VIEWER_DOCTOR_CHILD_H
#define HEAPLINE_VIEWER_DOCTOR_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "viewer/base/progress.h"

#define CHILD_OUTPUT_MAX 8192

/* How it ended. */
struct child_end {
    int status;                    /* as waitpid() has it */
    char output[CHILD_OUTPUT_MAX]; /* the beginning of what it printed, with '\0' behind it */
};

/* Runs words[0] (looked for on the PATH) and waits until it has ended, for at most a minute; then
 * it is killed. Its stdin is empty; `with_errors`: its stderr is part of the output, else it is
 * thrown away. What it is for is a part of `progress`, which may be NULL. False, with errno, when
 * it cannot be executed. */
bool child_run(struct child_end *end, char *const *words, bool with_errors,
               struct progress *progress, const char *purpose);

/* A new list, which the caller frees: the words of `command` (NULL-terminated), then "-c" and
 * `program`, behind `before` (NULL-terminated) words of its own. Nothing is copied. */
char **child_words(const char *const *before, char *const *command, const char *program);

#endif
