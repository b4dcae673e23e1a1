/*
 * The stream carrier: the same words from a private ring, sent in frames (schema/handshake.h) by
 * whichever writer comes by.
 *
 * The socket stays open, under a high number, so that the program's own descriptors get the numbers
 * that they would have. What is in the private ring is lost when the process is killed: at most
 * what was allocated since the last frame. Any thread, also in signal handlers, unless said
 * otherwise.
 */
#ifndef HEAPLINE_PRELOAD_STREAM_WRITER_H
#define HEAPLINE_PRELOAD_STREAM_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "handshake.h"

/* Takes a connection over, which has been welcomed; also when it fails: false. One thread. */
bool stream_writer_init(int connection, const struct welcome *welcome);

/* Makes room for a record with this carrier. */
bool stream_make_room(unsigned count);

/* Before every event: sends the time when it has moved, and what has waited for too long. */
void stream_tick(void);

/* Before the process goes, or executes another program: sends what there is, for a bounded time. */
void stream_flush(void);

/* In a forked child: closes the parent's socket. */
void stream_forget(void);

#endif
