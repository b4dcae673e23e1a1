/*
 * The code objects that the reader knows: address → number in the stream.
 *
 * Look-ups take no lock: a thread asks only for code that one of its own frames runs, which cannot
 * die meanwhile. Insertion and removal are under a lock. Numbers of dead code objects are used
 * again. Memory: 16 bytes a slot, at most three quarters full, doubled as needed.
 */
#ifndef HEAPLINE_PRELOAD_CODE_TABLE_H
#define HEAPLINE_PRELOAD_CODE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Moves whenever a known code object dies: what was remembered by its address is void then. */
extern _Atomic uint32_t code_epoch;

/* Set for good with the first code that runs in a frame of a compiler's (python_frame.h). */
extern _Atomic bool code_is_compiled_somewhere;

/* False: no memory. Once, at start. */
bool code_table_init(void);

/* The number of the live code object that runs in `frame`, announced to the reader when new.
 * WIRE_CODE_NONE when that failed (the record was dropped, or memory is short). */
uint32_t code_table_number(uintptr_t frame, uintptr_t code);

/* A block of the object domain that looks like a code object is about to be freed. */
void code_table_forget(uintptr_t code);

/* What was announced may be lost: all code gets another number when it is met again. */
void code_table_forget_all(void);

/* Held over a fork, so that the child finds the table whole. */
void code_table_lock(void);
void code_table_unlock(void);

/* In a forked child: no code has been announced in its stream yet. False: no memory. */
bool code_table_reset(void);

#endif
