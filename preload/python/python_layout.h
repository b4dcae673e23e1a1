/*
 * This process's CPython: its version, its row of the table (python_versions.h) with the positions
 * that it has told filled in, and the addresses of what the shim asks of it. Found once; constant
 * after python_layout_init(), and any thread may read it.
 */
#ifndef HEAPLINE_PRELOAD_PYTHON_LAYOUT_H
#define HEAPLINE_PRELOAD_PYTHON_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/python/python_versions.h"

/* How to get from a symbol's name to its address in this process. */
typedef void *symbol_lookup(void *handle, const char *name);

/* In the state of every version's strings: kind (3 bits), then compact, then ascii. */
#define PYTHON_TEXT_KIND_SHIFT 2

struct python_layout {
    uint32_t version; /* PY_VERSION_HEX */
    struct python_positions at;
    struct python_rules rules;
    bool is_as_in_3_11, is_as_since_3_12; /* what a walk compares most often stands where the
                                           * constants say */

    void *(*current_thread_state)(void); /* may be another thread's up to 3.11 */
    void *(*own_thread_state)(void);     /* PyGILState_GetThisThreadState */
    const void *code_type;               /* &PyCode_Type */
    const void *text_type;               /* &PyUnicode_Type */
    const void *bytes_type;              /* &PyBytes_Type */
    const void *frame_type;              /* &PyFrame_Type */

    /* Leads to what is not null once the interpreter tears itself down; also where no layout is
     * known. */
    void *const volatile *finalizing;
    /* The same, or what is not null as soon as that may be: from 3.14 on interpreters that are
     * still open are ended first, and before them threads are awaited and exit callbacks called. */
    void *const volatile *may_finalize;

    /* Where interpreters are ended before; else null. */
    const char *main_interpreter;
    uint32_t interpreter_finalizing; /* in an interpreter: an int, set where its end begins */
};
extern struct python_layout python_layout;

/* Once *may_finalize is not null: has the teardown begun? Also where only this thread has begun
 * with it, with an interpreter other than the main one. */
bool python_teardown_begun(void);

/* Fills python_layout; only its version where that is of no layout that is known. */
void python_layout_init(symbol_lookup *lookup, void *handle);

/* Can stacks be read? */
static inline bool python_layout_is_known(void)
{
    return python_layout.current_thread_state != NULL;
}

#endif
