/*
 * The private collector of a run: heaplined as a child that outlives the command.
 */
#ifndef HEAPLINE_VIEWER_RUN_COLLECTOR_H
#define HEAPLINE_VIEWER_RUN_COLLECTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "control.h"
#include "viewer/run/signals.h"

#define COLLECTOR_ADDRESS_MAX 64u

struct collector {
    pid_t pid;
    int control; /* one end of the socket pair of control.h */
};

struct collector_plan {
    const char *program; /* path of heaplined */
    const char *address; /* from collector_address() */
    const char *output;
    bool force;
    const char *overflow;   /* NULL: the collector's default */
    const char *frames_max; /* NULL: the collector's default */
    bool no_history;
    bool no_children;
    char *const *command;
};

/* Makes up an address that cannot be guessed. False when the system has no random numbers. */
bool collector_address(char address[COLLECTOR_ADDRESS_MAX]);

/* Starts the collector and waits until it has made the file. False, with a message, when it cannot;
 * nothing is left behind then. */
bool collector_start(struct collector *collector, const struct collector_plan *plan);

/* Tells it the process id of the command. */
void collector_tell_started(struct collector *collector, pid_t pid);

enum collector_end {
    COLLECTOR_DONE,   /* the file is complete; `trouble` may say what is missing */
    COLLECTOR_DIED,   /* it ended without saying so */
    COLLECTOR_SILENT, /* it lives, but waiting longer makes no sense */
};

/* Tells it that the command ended with this wait status, and waits until the file is complete. A
 * collector that does not come to its end goes on alone, one that is stopped is killed. */
enum collector_end collector_finish(struct collector *collector, const struct signals *signals,
                                    int wait_status, char trouble[CONTROL_TEXT_MAX]);

#endif
