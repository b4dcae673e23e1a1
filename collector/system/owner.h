/*
 * How the writers of a ring learn that their collector has died, whatever of: the kernel walks a
 * dying thread's list of robust futexes and sets RING_OWNER_DIED in each word that holds the
 * thread's id. Once told, it needs nobody's help.
 *
 * A robust mutex of the C library has the links of that list beside its word: in shared memory they
 * would show addresses of the collector, and be followed when it lets go. Here the links lie in
 * memory that the collector has alone, one page before the page with the word; the kernel goes from
 * one to the other by the distance, which is the same for all of a list.
 *
 * One thread: the one that holds and lets go. It can have no robust mutexes of the C library
 * besides, for a thread has a single list.
 */
#ifndef HEAPLINE_COLLECTOR_OWNER_H
#define HEAPLINE_COLLECTOR_OWNER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* From now on the kernel marks *word, which stands behind a page of the caller's that is private
 * and used for nothing else. False: this kernel does not. */
bool owner_hold(_Atomic uint32_t *word);
/* *word becomes 0. Of a word that is not held: nothing. */
void owner_release(_Atomic uint32_t *word);

#endif
