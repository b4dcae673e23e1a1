/*
 * The shim's table of CPythons and its readers, as a library that layouts.py loads with
 * ctypes.PyDLL, which keeps the interpreter held. Objects go by their addresses, which are their
 * id().
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#include "preload/python/python_frame.h"
#include "preload/python/python_layout.h"
#include "preload/python/python_text.h"
#include "preload/python/python_thread.h"
#include "preload/python/stack_chunks.h"

static void *symbol_find(void *handle, const char *name)
{
    return dlsym(handle, name);
}

/* How often a row of the table is for this minor version, as in PY_VERSION_HEX. */
unsigned layout_rows(uint32_t version)
{
    unsigned rows = 0;
    for (size_t i = 0; i < python_versions_count; i++)
        rows += python_versions[i].first >> 16 == version >> 16;
    return rows;
}

size_t layout_rows_of_all(void)
{
    return python_versions_count;
}

/* The version, once the layout is known; else 0. */
uint32_t layout_init(void)
{
    python_layout_init(symbol_find, RTLD_DEFAULT);
    return python_layout_is_known() ? python_layout.version : 0;
}

struct frame_seen {
    uint64_t code, object, offset, line;
    uint64_t is_internal, is_visible, is_entry;
};

struct chunk_seen {
    uint64_t has_leaf, ends_at_limit, tracing, is_traced;
};

/* What the calling thread pushes its frames on. */
void layout_chunk(struct chunk_seen *seen)
{
    uintptr_t state = python_thread_state(), frame = python_thread_frame(state);
    uintptr_t at = state + python_layout.at.thread_chunk, chunk = frame_load(at, 0);
    seen->has_leaf = stack_chunk_has(chunk, frame);
    seen->ends_at_limit = chunk + frame_load(chunk, 8) == frame_load(at, 16);
    seen->tracing = *(const uint32_t *)(state + python_layout.at.thread_tracing);
    seen->is_traced = frame_load(state, python_layout.at.thread_trace_function) != 0;
}

/* The frames of the calling thread, innermost first. */
unsigned layout_frames(struct frame_seen *seen, unsigned most)
{
    unsigned count = 0;
    uintptr_t frame = python_thread_frame(python_thread_state());
    for (; frame && count < most; frame = frame_previous(frame), seen++, count++) {
        memset(seen, 0, sizeof *seen);
        seen->is_internal = frame_is_internal(frame);
        seen->is_entry = frame_is_entry(frame);
        if (seen->is_internal)
            continue;
        bool is_visible;
        seen->code = frame_code(frame);
        seen->object = frame_object(frame);
        seen->line = seen->object ? frame_line(frame) : 0;
        seen->offset = frame_offset(frame, seen->code, frame_instruction(frame), &is_visible);
        seen->is_visible = is_visible;
    }
    return count;
}

struct code_seen {
    uint64_t file, name, table, bytecode;
    int64_t first_line, first_traceable;
};

void layout_code(uintptr_t code, struct code_seen *seen)
{
    const struct python_positions *at = &python_layout.at;
    *seen = (struct code_seen){
        .file = frame_load(code, at->code_file),
        .name = frame_load(code, at->code_name),
        .table = frame_load(code, at->code_table),
        .bytecode = at->code_first_traceable ? code + at->code_bytecode
                                             : frame_load(code, at->code_bytecode),
        .first_line = *(const int32_t *)(code + at->code_first_line),
        .first_traceable =
            at->code_first_traceable ? *(const int32_t *)(code + at->code_first_traceable) : -1,
    };
}

/* The name of enum wire_line_table. */
unsigned layout_line_table(void)
{
    return python_layout.rules.line_table;
}

uint64_t layout_type(uintptr_t object)
{
    return frame_load(object, python_layout.at.object_type);
}

/* Where a bytes object's bytes begin, and how many they are. */
uint64_t layout_bytes(uintptr_t object, uint64_t *size)
{
    *size = frame_load(object, python_layout.at.bytes_size);
    return object + python_layout.at.bytes_data;
}

/* The same of a string, with how many bytes a character has; 0: it cannot be read. */
uint64_t layout_text(uintptr_t object, uint64_t *bytes, uint64_t *width)
{
    struct python_text text;
    if (!python_text_read(object, &text))
        return 0;
    *bytes = text.bytes;
    *width = text.width;
    return (uintptr_t)text.data;
}

int layout_owns_thread(void)
{
    return python_thread_owns(python_thread_state()) && python_thread_holds_interpreter();
}

/* sys.modules; 0 where the version does not say where it is. */
uint64_t layout_modules(void)
{
    if (!python_layout.at.modules)
        return 0;
    uintptr_t interpreter = frame_load(python_thread_state(), python_layout.at.thread_interpreter);
    return frame_load(interpreter, python_layout.at.modules);
}

int layout_may_finalize(void)
{
    return *python_layout.may_finalize != NULL;
}

int layout_teardown_begun(void)
{
    return python_teardown_begun();
}
