/*
 * What native addresses are called: each becomes one location, or several where calls are inlined,
 * outermost first, like those of Python code (codes.h).
 *
 * An address is asked for once, when it is first seen, for the libraries may be gone later. One
 * thread.
 */
#ifndef HEAPLINE_COLLECTOR_NATIVE_FRAMES_H
#define HEAPLINE_COLLECTOR_NATIVE_FRAMES_H

#include <stdint.h>

#include "collector/native/native_mirror.h"
#include "collector/native/native_space.h"
#include "collector/native/stacks.h"

/* Each is a question to another process. */
#define NATIVE_PLACES_MAX (1u << 20)

/* The number of what a return address is called; 0 when memory is short, or when there are more
 * than any program has (NATIVE_PLACES_MAX). */
uint32_t native_frames_find(struct stacks *stacks, struct native_space *space, uint64_t address);

/* What a level's address is called, asked for where it is not known. */
const struct native_frames *native_frames_of(struct stacks *stacks, struct native_space *space,
                                             struct native_mirror_level *level);

/* The node of a level's frames on top of `parent`, whether they are the interpreter's or not. */
uint32_t native_level_node(struct stacks *stacks, struct native_space *space,
                           struct native_mirror_level *level, uint32_t parent);

#endif
