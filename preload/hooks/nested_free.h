/*
 * Frees that come inside another call.
 */
#ifndef HEAPLINE_PRELOAD_NESTED_FREE_H
#define HEAPLINE_PRELOAD_NESTED_FREE_H

/* A free of `block` (not null) that hook_enter() lets pass: records it when it is a free of its
 * own. */
void nested_free_record(const void *block);

/* From now on a block of CPython's debug hooks may lie in another one of theirs. */
void nested_free_expect_headers(void);

#endif
