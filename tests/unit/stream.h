/*
 * A traced process made by hand: tests and fuzzers write words into its ring and let the collector
 * decode them.
 */
#ifndef HEAPLINE_TESTS_STREAM_H
#define HEAPLINE_TESTS_STREAM_H

#include "collector/stream/process.h"

struct stream {
    struct run run;
    struct process *process;
    uint64_t position; /* words written */
};

/* A ring of 2^log2_words words. Aborts when that cannot be had. */
void stream_init(struct stream *stream, unsigned log2_words, bool keeps_history);
void stream_deinit(struct stream *stream);

/* Another process of the first one's run: the process with this number, which must exist. Its own
 * run is not used. Needs stream_deinit(), before the first one. */
void stream_init_beside(struct stream *stream, struct stream *first, pid_t pid);

/* Writes one word with the lap bit of its place. */
void stream_put(struct stream *stream, uint64_t word);
/* Lets the collector see all that has been written. */
void stream_publish(struct stream *stream);
/* Decodes all that has been written. */
void stream_decode(struct stream *stream);

/* Ends the history's chunk and aborts unless the history, replayed from its beginning and from its
 * last checkpoint, holds what the counters hold. The parts that wait are used up. */
void stream_check_history(struct stream *stream);

/* Aborts unless the sums of the stream's only process agree with its counters, and the run's peak
 * with both. */
void stream_check_sums(const struct stream *stream);

/* Records. */
void stream_allocation(struct stream *stream, unsigned thread, uint64_t address, uint64_t size);
void stream_free(struct stream *stream, uint64_t address);
/* A mapping without a stack; a range that is given back; the same, when that has failed. */
void stream_map(struct stream *stream, unsigned thread, uint64_t address, uint64_t size);
void stream_unmap(struct stream *stream, unsigned thread, uint64_t address, uint64_t size);
void stream_unmap_failed(struct stream *stream, unsigned thread, uint64_t address, uint64_t size);
void stream_code(struct stream *stream, uint32_t number, const char *file, const char *name,
                 int first_line);
/* What a process has in memory as a file's text: a record of so many bytes, seven to a word. */
void stream_text(struct stream *stream, bool begins, const void *bytes, size_t count);
/* Level 0 of the thread becomes (code, instruction), its depth 1. */
void stream_frame(struct stream *stream, unsigned thread, uint32_t code, uint32_t instruction);
/* What follows happened at this time or later (CLOCK_MONOTONIC). */
void stream_time(struct stream *stream, uint64_t time_ns);
/* An allocation without a stack. */
void stream_bare_allocation(struct stream *stream, uint64_t address, uint64_t size);

#endif
