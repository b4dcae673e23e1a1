/*
 * Places in the native code of this process, as it would tell of them.
 */
#ifndef HEAPLINE_TESTS_MAPPED_PLACE_H
#define HEAPLINE_TESTS_MAPPED_PLACE_H

#include "collector/symbols/native_modules.h"

/* The place of an instruction; its module's files are looked for in the folder `root`. */
struct native_point mapped_place(struct native_modules *modules, int root, uint64_t address);

#endif
