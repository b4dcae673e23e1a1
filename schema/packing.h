/*
 * Compression as every blob of a recording has it: one zstd frame, level 1, with content size and
 * checksum. Not thread-safe; no global state.
 */
#ifndef HEAPLINE_SCHEMA_PACKING_H
#define HEAPLINE_SCHEMA_PACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packer {
    void *context; /* ZSTD_CCtx */
    uint8_t *packed;
    size_t capacity;
};

/* False when memory is short; deinit is allowed in either case. */
bool packer_init(struct packer *packer);
void packer_deinit(struct packer *packer);
/* Gives back what it has for work to come; it is got anew when there is some. */
void packer_rest(struct packer *packer);
/* Compresses; *data belongs to the packer and is valid until it is used again. Returns the size, 0
 * when memory is short. */
size_t packer_pack(struct packer *packer, const void *plain, size_t size, const uint8_t **data);

struct unpacker {
    void *context; /* ZSTD_DCtx */
    uint8_t *plain;
    size_t capacity;
};

bool unpacker_init(struct unpacker *unpacker);
void unpacker_deinit(struct unpacker *unpacker);
/* Decompresses a frame of at most `most` bytes into unpacker->plain. False when it is no sound
 * frame or memory is short. */
bool unpacker_unpack(struct unpacker *unpacker, const void *data, size_t size, size_t most,
                     size_t *plain_size);

#endif
