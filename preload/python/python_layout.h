/*
 * Where this process's CPython keeps what the shim reads: offsets and addresses, found once.
 *
 * 3.8 to 3.12: a table per minor version, taken from release builds' debug information (x86-64).
 * 3.13 and later: _Py_DebugOffsets, which stands at the start of _PyRuntime; its own layout is
 * keyed by minor version (Include/internal/pycore_runtime.h in 3.13, pycore_debug_offsets.h since).
 * Constant after python_layout_init(); any thread may read it.
 */
#ifndef HEAPLINE_PRELOAD_PYTHON_LAYOUT_H
#define HEAPLINE_PRELOAD_PYTHON_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How to get from a symbol's name to its address in this process. */
typedef void *symbol_lookup(void *handle, const char *name);

struct python_layout {
    uint32_t version; /* PY_VERSION_HEX */

    /* Thread state. Up to 3.11 the current one is a process-wide variable. */
    void *(*current_thread_state)(void); /* may be another thread's up to 3.11 */
    void *(*own_thread_state)(void);     /* PyGILState_GetThisThreadState */
    bool current_is_shared;
    uint32_t thread_id;     /* PyThreadState.thread_id: pthread_self() of its thread */
    uint32_t frame_holder;  /* 3.11, 3.12: offset of the pointer to the struct _PyCFrame */
    uint32_t current_frame; /* in that struct, or in the thread state */
    bool has_frame_holder;

    /* Frame. `instruction` is a pointer from 3.11 on, before it an index (int). */
    uint32_t previous;
    uint32_t code;
    uint32_t instruction;
    uint32_t owner;
    uintptr_t code_mask;   /* clears a tagged pointer's tag */
    bool heap_frames;      /* up to 3.10: PyFrameObject, no owner, no incomplete frames */
    uint32_t lasti_shift;  /* up to 3.10: bits that make an index one of code units */
    uint32_t frame_object; /* from 3.11 on: frame_obj, null until somebody asks for the object */
    uint32_t object_line;  /* in the frame's object: f_lineno */
    uint32_t stack_top;    /* up to 3.11: where a suspended generator's stack ends: */
    bool has_stack_depth;  /* an int, -1 while it is executed; else a pointer, then null */

    /* Code object. */
    uint32_t code_file;
    uint32_t code_name;
    uint32_t code_first_line;
    uint32_t code_table;
    uint32_t code_bytecode;        /* co_code_adaptive, up to 3.10 co_code */
    uint32_t code_first_traceable; /* _co_firsttraceable, 3.11 and later */
    uint8_t line_table;            /* enum wire_line_table */

    /* Objects. */
    uint32_t object_type;
    uint32_t bytes_size;
    uint32_t bytes_data;
    uint32_t text_length;
    uint32_t text_state;
    uint32_t text_kind_shift; /* of state: kind (3 bits), then compact, then ascii */
    uint32_t text_ascii_data; /* sizeof(PyASCIIObject) */
    uint32_t text_wide_data;  /* sizeof(PyCompactUnicodeObject) */
    const void *code_type;    /* &PyCode_Type */
    const void *text_type;    /* &PyUnicode_Type */
    const void *bytes_type;   /* &PyBytes_Type */
    const void *frame_type;   /* &PyFrame_Type */

    /* Leads to what is not null once the interpreter tears itself down; also where no layout is
     * known. */
    void *const volatile *finalizing;
    /* The same, or what is not null as soon as that may be: from 3.14 on interpreters that are
     * still open are ended first, and before them threads are awaited and exit callbacks called. */
    void *const volatile *may_finalize;

    /* From 3.13 on. */
    uint32_t thread_interpreter; /* in a thread state */
    uint32_t modules;            /* in an interpreter: its sys.modules; before 3.13 it is 0 */

    /* From 3.14 on; else null. */
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
