/*
 * The stream carrier: the same words from a private ring, sent in frames (schema/handshake.h) by
 * whichever writer comes by.
 *
 * The socket stays open, under a high number, so that the program's own descriptors get the numbers
 * that they would have. What is in the private ring is lost when the process is killed: at most
 * what was allocated since the last frame.
 */
#ifndef HEAPLINE_PRELOAD_STREAM_WRITER_H
#define HEAPLINE_PRELOAD_STREAM_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "handshake.h"

/* Takes a connection over, which has been welcomed, and a private ring that it carries; also when
 * it fails: false. One thread. */
bool stream_writer_init(int connection, const struct welcome *welcome);

#endif
