/*
 * The CPythons whose stacks can be read: a row for each, with where it keeps what the shim reads
 * (positions) and what is to be made of that (rules). Nothing else asks which version it is.
 *
 * Of 3.8 to 3.12 the positions are those of release builds' debug information (x86-64). Since 3.13
 * CPython tells them itself, in _Py_DebugOffsets at the start of _PyRuntime; a row then says where
 * they stand in there (Include/internal/pycore_runtime.h in 3.13, pycore_debug_offsets.h since).
 * All of it is constant.
 */
#ifndef HEAPLINE_PRELOAD_PYTHON_VERSIONS_H
#define HEAPLINE_PRELOAD_PYTHON_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Offsets in bytes, each a uint32_t; 0 where the version has no such thing. */
struct python_positions {
    /* _PyRuntime, an interpreter (3.13 and later), a thread state. */
    uint32_t finalizing;
    uint32_t modules;            /* its sys.modules */
    uint32_t thread_interpreter; /* 3.13 and later */
    uint32_t thread_id;          /* pthread_self() of its thread */
    uint32_t frame_holder;       /* 3.11, 3.12: a pointer to the struct _PyCFrame */
    uint32_t current_frame;      /* in that struct, or in the thread state */
    /* In the thread state, 3.11 and later. The chunk's end of use and its limit follow it. */
    uint32_t thread_chunk;          /* datastack_chunk */
    uint32_t thread_tracing;        /* an int: how many trace functions and callbacks run */
    uint32_t thread_trace_function; /* c_tracefunc */

    /* Frame. */
    uint32_t previous;
    uint32_t code;
    uint32_t instruction; /* a pointer from 3.11 on, before it an index (int) */
    uint32_t owner;
    uint32_t frame_object; /* from 3.11 on: frame_obj, null until somebody asks for the object */
    uint32_t object_line;  /* in the frame's object: f_lineno */
    uint32_t stack_top;    /* up to 3.11: where a suspended generator's stack ends */

    /* Code object. */
    uint32_t code_file;
    uint32_t code_name;
    uint32_t code_first_line;
    uint32_t code_table;
    uint32_t code_bytecode;        /* co_code_adaptive, up to 3.10 co_code */
    uint32_t code_first_traceable; /* _co_firsttraceable, 3.11 and later */

    /* Objects. */
    uint32_t object_type;
    uint32_t bytes_size;
    uint32_t bytes_data;
    uint32_t text_length;
    uint32_t text_state;
    uint32_t text_ascii_data; /* sizeof(PyASCIIObject) */
    uint32_t text_wide_data;  /* sizeof(PyCompactUnicodeObject) */
};
#define PYTHON_POSITIONS (sizeof(struct python_positions) / sizeof(uint32_t))

/* With which frames an evaluation loop begins. */
enum python_entry {
    PYTHON_ENTRY_EVERY,      /* with each (up to 3.10) */
    PYTHON_ENTRY_SAID,       /* with those that say so: is_entry, right before `owner` (3.11) */
    PYTHON_ENTRY_INTERNAL,   /* with the interpreter's own, on the C stack (3.12 to 3.14) */
    PYTHON_ENTRY_LINKED_ONE, /* with those of them that are linked to another frame (3.15) */
};

struct python_rules {
    const char *thread_state_name; /* the function that says which thread state is current */
    bool thread_state_is_shared;   /* that is a variable of the process, and may be another's */
    bool has_frame_holder;
    bool heap_frames;          /* PyFrameObject: no owner, no incomplete frames */
    bool has_stack_depth;      /* stack_top is an int, -1 while the generator is executed; else a
                                  pointer, then null */
    bool ends_interpreters;    /* those that are open at the end, before `finalizing` is set */
    bool keeps_a_chunk;        /* a popped chunk may be kept and pushed again (stack_chunks.h) */
    bool debug_watches_deaths; /* a debug build aborts where objects die that it does not expect */
    uint8_t lasti_shift;       /* bits that make a frame's index one of code units */
    uint8_t line_table;        /* enum wire_line_table */
    enum python_entry entry;
    uintptr_t code_mask; /* clears a tagged pointer's tag */
};

struct python_version {
    uint32_t first; /* PY_VERSION_HEX: the first of its minor version that is laid out like this */
    struct python_positions at;
    /* Where _Py_DebugOffsets says what is then put into `at`; 0: it does not. */
    struct python_positions told;
    struct python_rules rules;
};

extern const struct python_version python_versions[];
extern const size_t python_versions_count;

/* The row for a PY_VERSION_HEX; null: none is known. */
const struct python_version *python_version_find(uint32_t version);

/* Does CPython tell the positions itself? */
static inline bool python_version_tells(const struct python_version *row)
{
    return row->told.code != 0;
}

/* What a walk compares most often, as constants: the loop is a fifth shorter with them. */
#define PYTHON_INSTRUCTION_SINCE_3_11 56
#define PYTHON_PREVIOUS_IN_3_11       48
#define PYTHON_PREVIOUS_SINCE_3_12    8

#endif
