/*
 * Into which programs the shim goes: the one rule that `heapline run`, for its command, and the
 * shim, for what the command executes, have in common.
 *
 * LD_PRELOAD is read by the loader of what is executed. One of another C library (musl), or of a
 * glibc before 2.35, may die of the shim, one for another kind of machine (32 bit) says on stderr
 * that it cannot take it. So what is executed is looked at first, as the kernel would: behind `#!`,
 * and along PATH where the caller does. The answer is no when the file says so: it is for another
 * machine, or names a loader that is not such a glibc's. A static program has no loader and hands
 * the variables on.
 *
 * What cannot be looked at (it may be executed and not read, no descriptor is left, a folder that a
 * file action will change to) gets the variables: nearly always it is glibc's, and to be wrong
 * about that would lose processes without a word. A file that changes the user gets none: its
 * loader would drop LD_PRELOAD, and the rest, a secret among it, is not that user's.
 *
 * No heap, no lock, no point of cancellation, errno is kept: it runs in vfork children and in
 * signal handlers. No system calls but those that a loader makes itself, and faccessat along PATH.
 * Two kilobytes of stack, PATH_MAX more for what is searched.
 */
#ifndef HEAPLINE_SCHEMA_LOADABLE_H
#define HEAPLINE_SCHEMA_LOADABLE_H

#include <stdbool.h>

/* May `path`, relative to the open folder (or AT_FDCWD), have the shim? Empty: `folder` is the file
 * itself. */
bool loadable_at(int folder, const char *path);

/* The same for what execvp() would find. */
bool loadable_command(const char *file);

#endif
