/*
 * What a session is to record, how, and whom it hears. All texts and descriptors are the caller's,
 * and must stay as long as the session runs; nobody changes them meanwhile.
 */
#ifndef HEAPLINE_COLLECTOR_SESSION_OPTIONS_H
#define HEAPLINE_COLLECTOR_SESSION_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct handover_counts;

struct session_options {
    int listener;    /* Unix stream socket that listens; -1: none */
    int beside;      /* the same as a file (address_beside()), removed at the end; -1: none */
    const char *key; /* of a private one's run (HEAPLINE_RUN); null: none */
    int control;     /* to `heapline run`, see schema/control.h; -1: none yet */
    int handover;    /* to the daemon, see handover.h; -1: none */
    struct handover_counts *counts; /* shared with the daemon, or null */
    bool named;                     /* goes on when nobody is there */
    bool
        crowded; /* one of many sessions: its processes get small rings, and it works more seldom */
    const char *output;
    bool force;
    uint32_t overflow;   /* enum ring_overflow */
    uint32_t frames_max; /* 0: all */
    bool keeps_history;
    uint64_t resident_every_ns; /* how often resident memory is looked at as a whole; 0: when it is
                                 * due by itself */
    bool no_children;           /* only the command's own process */
    bool downloads;             /* debug information that is not here is asked of DEBUGINFOD_URLS */
    uint64_t patience_ns;       /* how long writers wait for a reader that does not move */
    const char *command;        /* JSON array */
    const char *directory;
};

#endif
