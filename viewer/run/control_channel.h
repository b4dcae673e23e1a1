/*
 * What `heapline run` and its collector say to each other (schema/control.h), from run's end. The
 * other one may be of another version, or none at all.
 */
#ifndef HEAPLINE_VIEWER_RUN_CONTROL_CHANNEL_H
#define HEAPLINE_VIEWER_RUN_CONTROL_CHANNEL_H

#include <stdbool.h>

#include "control.h"

/* False when it cannot be sent. A text that is too long is cut. */
bool control_send(int control, enum control_kind kind, int value, const char *text);

enum reception {
    RECEIVED,
    RECEIVED_NOTHING, /* in the given time */
    RECEIVED_END,     /* the other side has closed its end, or sends what is no message */
};

/* The next message, of any kind; its text ends within it. What a daemon of another version answers
 * is a CONTROL_FAILED that says so. */
enum reception control_receive(int control, int timeout_ms, struct control_message *message);

#endif
