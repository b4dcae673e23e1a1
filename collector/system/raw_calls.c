/*
 * On x86-64 such a call puts the number of mmap into eax and executes `syscall` soon after
 * (Intel SDM; arch/x86/entry/syscalls/syscall_64.tbl). Bytes that look so by chance are rare: some
 * in a hundred megabytes.
 */
#include "collector/system/raw_calls.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/system/root_file.h"

#define PIECE_BYTES ((size_t)1 << 20)
/* More than from the one instruction to the other. */
#define REACH_BYTES 64u

static const unsigned char set_number[] = {0xb8, 9, 0, 0, 0}; /* mov $9, %eax */
static const unsigned char call[] = {0x0f, 0x05};             /* syscall */

/* Those that begin in the first `own` of the bytes. */
static unsigned count_in(const unsigned char *bytes, size_t size, size_t own)
{
    unsigned count = 0;
    const unsigned char *at = bytes, *end = bytes + size;
    while ((at = memmem(at, (size_t)(end - at), set_number, sizeof set_number)) &&
           at < bytes + own) {
        at += sizeof set_number;
        size_t reach = (size_t)(end - at) < REACH_BYTES ? (size_t)(end - at) : REACH_BYTES;
        count += memmem(at, reach, call, sizeof call) != NULL;
    }
    return count;
}

unsigned raw_calls_count(int root, const char *path, uint64_t offset, uint64_t bytes)
{
    struct stat status;
    unsigned count = 0;
    unsigned char *piece = malloc(PIECE_BYTES + REACH_BYTES);
    int file = piece ? root_file_open(root, path, &status) : -1;
    for (uint64_t at = 0; file >= 0 && at < bytes; at += PIECE_BYTES) {
        ssize_t got = pread(file, piece, PIECE_BYTES + REACH_BYTES, (off_t)(offset + at));
        if (got <= 0)
            break;
        uint64_t left = bytes - at;
        size_t size = (uint64_t)got < left ? (size_t)got : (size_t)left;
        count += count_in(piece, size, size < PIECE_BYTES ? size : PIECE_BYTES);
    }
    if (file >= 0)
        close(file);
    free(piece);
    return count;
}
