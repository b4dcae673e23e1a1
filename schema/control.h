/*
 * What `heapline run` and its collector say to each other: over a socket pair (SOCK_SEQPACKET) with
 * a private one, where one packet is one message; over the connection on which run has said hello
 * (handshake.h) with a daemon's.
 *
 *   collector → run   CONTROL_READY + text    the output file exists, processes may connect; the
 *                                             file's name when the daemon has chosen it
 *                     CONTROL_FAILED + text   it cannot be; the collector ends
 *   run → collector   CONTROL_STARTED         the command runs under process id `value`
 *                     CONTROL_ENDED           that process ended with wait status `value`; finish
 *                     CONTROL_WAIT            before ENDED: who goes on then is waited for, `value`
 *                                             seconds at most; 0: as long as it takes
 *                     CONTROL_FINISH          they are not waited for any longer
 *                     CONTROL_UNDO            the command could not be executed: remove the file
 *   collector → run   CONTROL_DONE + text     the file is complete; text is empty, or says what
 *                                             could not be recorded; `value` is an enum
 *                                             control_told
 *                     CONTROL_GONE + text     as DONE, but the file is not where it was made: the
 *                                             text says what has become of it
 *
 * When run's end closes without CONTROL_ENDED the collector goes on until the last traced process
 * has ended, and then finishes.
 */
#ifndef HEAPLINE_SCHEMA_CONTROL_H
#define HEAPLINE_SCHEMA_CONTROL_H

#include <stdint.h>

enum control_kind {
    CONTROL_READY = 1,
    CONTROL_FAILED = 2,
    CONTROL_STARTED = 3,
    CONTROL_ENDED = 4,
    CONTROL_DONE = 5,
    CONTROL_UNDO = 6,
    CONTROL_WAIT = 7,
    CONTROL_FINISH = 8,
    CONTROL_GONE = 9,
};

/* Who has told the user already what could not be recorded. */
enum control_told {
    CONTROL_TOLD_BY_NOBODY,
    CONTROL_TOLD_BY_COLLECTOR,
    CONTROL_TOLD_BY_PROGRAMS, /* each on its own standard error, all that there is */
};

#define CONTROL_TEXT_MAX 480u

struct control_message {
    uint32_t kind;               /* enum control_kind */
    int32_t value;               /* process id, wait status, seconds, or an enum control_told */
    char text[CONTROL_TEXT_MAX]; /* NUL-terminated */
};

#endif
