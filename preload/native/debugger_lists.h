/*
 * Lists of code that a program has made while it runs, as it keeps them for debuggers (GDB manual,
 * "JIT Compilation Interface"): a list begins in a variable `__jit_debug_descriptor` of the module
 * that makes the code. LLVM, and so numba, keeps one.
 *
 * Under the lock of native_rules.c, but for debugger_lists_have_changed().
 */
#ifndef HEAPLINE_PRELOAD_DEBUGGER_LISTS_H
#define HEAPLINE_PRELOAD_DEBUGGER_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An entry, as it lies in the program's memory: an ELF object, whose sections' addresses are where
 * their contents lie. */
struct debugger_entry {
    uintptr_t next, previous;
    uintptr_t object;
    uint64_t bytes;
};

/* Looks for the variable in the modules that have been announced since the last time, and notes how
 * all lists begin now. */
void debugger_lists_renew(void);

/* Have modules been announced, or lists changed, since they were noted? Any thread. */
bool debugger_lists_have_changed(void);

/* Before and after the program unloads libraries. Any thread, without the lock. */
void debugger_lists_begin_unloading(void);
void debugger_lists_end_unloading(void);

/* Libraries have been unloaded: their lists are none any more. */
void debugger_lists_forget_unloaded(void);

/* In a forked child: no other thread is at it. */
void debugger_lists_reset(void);

/* Calls `is_it` for the entries, in the order of the lists, until it says so. */
void debugger_lists_go(bool (*is_it)(const struct debugger_entry *entry, void *context),
                       void *context);

#endif
