/*
 * Bytes that are too many for one record: sent as several, seven to a word (schema/wire.h).
 */
#ifndef HEAPLINE_PRELOAD_FRAGMENTS_H
#define HEAPLINE_PRELOAD_FRAGMENTS_H

#include <stdbool.h>
#include <stdint.h>

struct part {
    const unsigned char *data;
    uint32_t bytes;
};

/* What is to be sent, part by part. */
struct fragments {
    /* The next part, which may be empty. */
    struct part (*next_part)(struct fragments *fragments);
    uint32_t left; /* bytes of all parts that are still to be sent */
    struct part part;
    uint32_t at;
};

/* Sends all of it. `first` is the first word of each record, which gets the record's length added;
 * the first record's also `begin`. False: a record was dropped. */
bool fragments_send(struct fragments *fragments, uint64_t first, uint64_t begin);

#endif
