/*
 * Telling the reader the text of code that no file has: cells of notebooks, what generators of code
 * make, lines typed at a prompt, modules in archives. Whoever makes such code puts its text into
 * linecache, so that tracebacks can show it (schema/wire.h, WIRE_MARK_TEXT).
 */
#ifndef HEAPLINE_PRELOAD_SOURCE_TEXT_H
#define HEAPLINE_PRELOAD_SOURCE_TEXT_H

#include <stdint.h>

/* After a live code object has been announced: sends the text of its file, if there is one to be
 * had and it has not been sent; and of those that could not be asked for before. No lock is held.
 */
void source_text_tell(uintptr_t code);

/* What was sent may be lost, or was in a forked child's parent's stream. */
void source_text_forget(void);

/* Held over a fork, so that no other thread is at it. */
void source_text_lock(void);
void source_text_unlock(void);

#endif
