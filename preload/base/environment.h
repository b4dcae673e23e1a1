/*
 * The shim's variables in the environment: LD_PRELOAD, where it stands first, and those of the
 * handshake. The program is not to see them, and the programs that it executes are to have them.
 *
 * environment_take() runs once, before the program's main; the rest may be called from any thread,
 * in a vfork child and in a signal handler: it allocates nothing and takes no lock.
 */
#ifndef HEAPLINE_PRELOAD_ENVIRONMENT_H
#define HEAPLINE_PRELOAD_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Takes them out of the environment and keeps them; where nothing says what belongs together a key
 * is made up. False when there is no collector's address, or all is too long: then the environment
 * is left as it is. */
bool environment_take(void);

/* The value of one that was taken, null when it was not set. */
const char *environment_value(const char *name);

/* No further program is to be traced. */
void environment_forget(void);

/* Can the shim's file be opened? In another root, or as another user, perhaps not; then a loader
 * would say so on stderr. */
bool environment_shim_in_reach(void);

/* Room for an environment with the variables in it. */
struct environment_room {
    size_t entries; /* pointers, the final null included; 0: nothing is to be added */
    size_t bytes;   /* for the value of LD_PRELOAD */
    bool is_others; /* it names a collector of its own: someone has put it together knowingly */
};

/* Which traced process has executed what led here, as it was told; null: none. And from now on it
 * is this one. */
const char *environment_ancestor(void);
void environment_set_ancestor(pid_t pid);

/* What environment_fill() will need for `environment` (may be null). */
struct environment_room environment_measure(char *const *environment);

/* Writes the environment with the variables into room of that size. */
void environment_fill(char *const *environment, char **entries, char *text);

#endif
