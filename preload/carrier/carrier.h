/*
 * How the words of the ring come to the collector: it reads the ring itself (shared_ring.h), or the
 * writers send what is in it (stream_writer.h). Where the collector reads, the ring's writer calls
 * its carrier on rare paths alone. Any thread, also in signal handlers; errno is kept.
 */
#ifndef HEAPLINE_PRELOAD_CARRIER_H
#define HEAPLINE_PRELOAD_CARRIER_H

#include <stdbool.h>
#include <stdint.h>

struct carrier {
    /* Writers have come to ring_writer.limit: makes room for `count` words and moves it. False: the
     * record is dropped and counted, or the gate is shut. */
    bool (*make_room)(unsigned count);
    /* Before an event: the reader's clock is not that of the last TIME record, but `clock`. */
    void (*tick)(uint32_t clock);
    /* Before the process goes, or executes another program: sends what there is, for a bounded
     * time. Null: what is published has arrived. */
    void (*flush)(void);
    /* Waits, for a bounded time, until the collector has read what is published. Null: nobody looks
     * at the process. */
    void (*settle)(void);
    /* In a forked child: what the carrier has open is the parent's. Null: it has nothing open. */
    void (*forget)(void);
};

#endif
