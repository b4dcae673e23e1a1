/*
 * The receiving side of the stream carrier (schema/handshake.h): whole frames become words in the
 * process's ring, which is then private to the collector, and are decoded from there.
 *
 * States: connected; gone (the other side has closed: the process has ended, or goes on over a new
 * connection); broken (it has said what no shim says, and nothing more is read). One thread.
 */
#ifndef HEAPLINE_COLLECTOR_STREAM_READER_H
#define HEAPLINE_COLLECTOR_STREAM_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handshake.h"
#include "ring.h"

struct stream_reader {
    int connection;      /* -1: gone or broken */
    uint64_t number;     /* to go on with; not to be guessed */
    uint64_t gone_ns;    /* CLOCK_MONOTONIC; 0: is connected */
    const char *problem; /* what was wrong when it is broken, else null */
    uint64_t position;   /* words received in whole frames */
    size_t have;         /* bytes of the frame at hand */
    struct frame frame;
    uint64_t words[FRAME_WORDS_MAX];
};

/* Takes over a connection. Null when memory is short; then it is the caller's still. */
struct stream_reader *stream_reader_new(int connection);
/* Says farewell when it is still connected, and closes. Accepts and returns null. */
struct stream_reader *stream_reader_free(struct stream_reader *reader,
                                         enum welcome_verdict verdict);

/* Goes on over a new connection, which it takes over, with the frame at hand from its beginning;
 * false when that is not the stream's continuation. */
bool stream_reader_resume(struct stream_reader *reader, int connection, uint64_t position);

/* Reads what there is and fits, at most about `most` words, into a ring of which `read` words have
 * been read. Does not block. Returns the words that are new in the ring. */
uint64_t stream_reader_fill(struct stream_reader *reader, struct ring_writers_page *writers,
                            _Atomic uint64_t *ring, unsigned log2_words, uint64_t read,
                            uint64_t most);

#endif
