/*
 * Telling the reader which files of native code there are, each before its first address.
 *
 * What is told: where the file's image begins and ends, what its own addresses are off by, its
 * path, and its build-id, for another file may have got the path since. Any thread, under the lock
 * of native_rules.c.
 */
#ifndef HEAPLINE_PRELOAD_NATIVE_MODULES_H
#define HEAPLINE_PRELOAD_NATIVE_MODULES_H

#include <dlfcn.h>
#include <stdint.h>

/* Finds out what the program's own file is called. Once, at start. */
void native_modules_init(void);

/* Announces the module of an object unless that has been done. */
void native_module_announce(const struct dl_find_object *object);

/* How many there have been. Without the lock. */
uint32_t native_modules_announcements(void);

/* Calls `look` for where each announced module begins. */
void native_modules_go(void (*look)(uintptr_t start));

/* The reader is to be told anew: libraries have been unloaded, or it is a forked child's. */
void native_modules_forget(void);

#endif
