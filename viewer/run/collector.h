/*
 * The collector of a run: heaplined as a child that outlives the command; or a session of a daemon
 * that runs already, to which there is a connection.
 */
#ifndef HEAPLINE_VIEWER_RUN_COLLECTOR_H
#define HEAPLINE_VIEWER_RUN_COLLECTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "control.h"
#include "viewer/base/progress.h"
#include "viewer/run/plan.h"
#include "viewer/run/signals.h"

#define COLLECTOR_KEY_MAX     40u
#define COLLECTOR_ADDRESS_MAX 64u
#define COLLECTOR_BESIDE_MAX  108u

struct collector {
    pid_t pid;                         /* 0: it is a daemon's */
    char *oom_file;                    /* where the kernel counts, as oom_kills_file() has it, */
    uint64_t oom_kills;                /* what it had counted when the collector began */
    char beside[COLLECTOR_BESIDE_MAX]; /* the file of its socket; empty: none */
    int control;                       /* where messages of control.h go */
    char file[CONTROL_TEXT_MAX];       /* the recording, as a daemon names it */
    bool waits;                        /* as the plan has it, */
    int wait_seconds;
    enum control_told told; /* who has told the user what could not be recorded */
};

/* Makes up a key that cannot be guessed. False when the system has no random numbers. */
bool collector_key(char key[COLLECTOR_KEY_MAX]);

/* Makes up the address of a private collector. It is everybody's to read, and tells nothing of the
 * key. False: no random numbers. */
bool collector_address(char address[COLLECTOR_ADDRESS_MAX]);

/* Starts the collector, or asks the daemon, and waits until the file has been made. False, with a
 * message, when it cannot be; nothing is left behind then. */
bool collector_start(struct collector *collector, const struct collector_plan *plan);

/* Tells it the process id of the command. */
void collector_tell_started(struct collector *collector, pid_t pid);

enum collector_end {
    COLLECTOR_DONE,   /* the file is complete; `trouble` may say what is missing */
    COLLECTOR_GONE,   /* it is not where it was made, `trouble` says what has become of it */
    COLLECTOR_DIED,   /* it ended without saying so */
    COLLECTOR_KILLED, /* the same: the kernel killed it for want of memory */
    COLLECTOR_SILENT, /* it lives, but waiting longer makes no sense */
};

/* Tells it that the command ended with this wait status, and waits until the file is complete, as
 * it tells `progress`, which may be NULL. A collector that does not come to its end goes on alone,
 * one that is stopped is killed. */
enum collector_end collector_finish(struct collector *collector, const struct signals *signals,
                                    int wait_status, char trouble[CONTROL_TEXT_MAX],
                                    struct progress *progress);

/* The command could not be executed: has the recording removed. */
void collector_undo(struct collector *collector, const struct signals *signals);

#endif
