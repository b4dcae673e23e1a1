/*
 * What the processor is asked for by name. Each folder beside this file is a processor; the build
 * takes the one that it builds for, with all that these headers ask of it. Here that is a file
 * processor_inline.h: the ring's hot path is made of these, so nothing is called.
 */
#ifndef HEAPLINE_PRELOAD_PROCESSOR_H
#define HEAPLINE_PRELOAD_PROCESSOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* In a loop that waits for another thread without a system call. */
static inline void processor_pause(void);

/* Makes `wanted` of *word where it is *seen; else false, with what it is in *seen. Whole for the
 * one thread that there is and its signal handlers, and cheaper than what is whole for other
 * threads. */
static inline bool processor_replace_alone(_Atomic uint64_t *word, uint64_t *seen, uint64_t wanted);

/* Fetches the line of a word that another processor has written last, and is about to be written.
 */
static inline void processor_fetch_for_writing(const _Atomic uint64_t *word);

/* An address in the thread's own data, which for all threads but the main one lie at the very end
 * of their stacks. */
static inline uintptr_t processor_thread_pointer(void);

#include "processor_inline.h"

#endif
