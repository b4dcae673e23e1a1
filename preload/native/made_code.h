/*
 * Code that the program has made while it runs: what it is called, and how it is unwound.
 *
 * Under the lock of native_rules.c.
 */
#ifndef HEAPLINE_PRELOAD_MADE_CODE_H
#define HEAPLINE_PRELOAD_MADE_CODE_H

#include <stdint.h>

#include "preload/native/frame_search.h"

/* Tells the reader what the code at an address is called that is in no module. When nobody says
 * so, and somebody has of other code, it is told that the name is not known. */
void made_code_announce(uintptr_t address);

/* The call frame information of the code at an address; of no bytes when there is none. */
struct frame_section made_code_frames(uintptr_t address);

#endif
