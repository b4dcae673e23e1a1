/*
 * What a run is to be recorded by, and how.
 */
#ifndef HEAPLINE_VIEWER_RUN_PLAN_H
#define HEAPLINE_VIEWER_RUN_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Nothing in it is owned. */
struct collector_plan {
    bool is_daemon;
    const char *address;
    /* Without a daemon. */
    const char *program; /* path of heaplined */
    const char *output;
    bool force;
    /* With one. */
    const char *key;     /* from collector_key() */
    const char *session; /* its name, NULL: none */
    const char *name;    /* for the file's name, */
    pid_t pid;           /* and the command's process id */
    /* Always. */
    const char *overflow;   /* NULL: the collector's default */
    const char *frames_max; /* NULL: the collector's default */
    bool no_history;
    bool no_children;
    uint32_t resident_ms; /* how often what is resident is looked at; 0: not asked for */
    bool debuginfod;      /* without a daemon */
    bool waits;           /* for all that the command has started, */
    int wait_seconds;     /* and for so long; 0: however long it takes */
    char *const *command;
};

#endif
