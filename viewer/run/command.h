/*
 * The command that is recorded. It is forked early, so that its process id is known, and executed
 * when the recording is ready.
 */
#ifndef HEAPLINE_VIEWER_RUN_COMMAND_H
#define HEAPLINE_VIEWER_RUN_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

#include "viewer/run/signals.h"

struct command {
    pid_t pid;
    int go;      /* the child waits for a byte from here */
    int failure; /* the child's errno when it cannot be executed */
};

/* What the child is started with; must stay valid until it has been forked. */
struct command_plan {
    char *const *words; /* NULL-terminated, at least one */
    const struct signals *signals;
    const char *address; /* of the collector's socket */
    const char *key;     /* what the command's processes have in common, */
    const char *session; /* or the name of what they join, NULL: none */
    bool native;         /* its native stacks are recorded too */
    const char *shim;    /* path of libheapline.so */
};

/* Forks the child. False, with a message, when that is not possible. Afterwards command_execute()
 * or command_cancel() has to be called, once. */
bool command_fork(struct command *command, const struct command_plan *plan);

/* Lets the child execute the command. Returns 0, or the errno of the failure; the child has then
 * ended and been waited for. */
int command_execute(struct command *command);

/* Ends the child without having executed anything. */
void command_cancel(struct command *command);

#endif
