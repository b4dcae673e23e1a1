/*
 * Finding out how this CPython lays out its data. Nothing is guessed: a version that is not in the
 * tables, a free-threaded build, or offsets that fail a plausibility check make the Python unknown,
 * and the shim then records allocations without stacks.
 */
#include "preload/python/python_layout.h"

#include <stdlib.h>
#include <string.h>

static void *const no_teardown;
struct python_layout python_layout = {.finalizing = &no_teardown, .may_finalize = &no_teardown};

/* Version from Py_Version (3.11 and later), else from Py_GetVersion()'s "3.8.18 (...". */
static uint32_t read_version(symbol_lookup *lookup, void *handle)
{
    const unsigned long *version = lookup(handle, "Py_Version");
    if (version)
        return (uint32_t)*version;
    const char *(*get_version)(void) = (const char *(*)(void))lookup(handle, "Py_GetVersion");
    if (!get_version)
        return 0;
    char *at;
    unsigned long parts[3] = {0};
    const char *text = get_version();
    for (unsigned i = 0; i < 3; i++) {
        parts[i] = strtoul(text, &at, 10);
        if (at == text || parts[i] > 255)
            return 0;
        text = *at == '.' ? at + 1 : at;
    }
    return (uint32_t)(parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | 0xf0);
}

/* What _Py_DebugOffsets says at an offset of its own. */
static uint64_t told_value(const char *runtime, size_t offset)
{
    uint64_t value;
    memcpy(&value, runtime + offset, sizeof value);
    return value;
}

/* The same in all versions that end interpreters. */
#define RUNTIME_SIZE_AT     24
#define INTERPRETER_SIZE_AT 48
#define THREADS_HEAD_AT     72
/* `int finalizing; uintptr_t last_restart_version; uint64_t next_unique_id;` stand right before the
 * head of an interpreter's threads. */
#define FINALIZING_BEFORE_HEAD 24u
#define RUNTIME_SIZE_MOST      (UINT64_C(16) << 20)

/* The main interpreter is the last member of the runtime; it knows that it ends before the runtime
 * does. Where the sizes cannot be, the runtime alone is watched. */
static void watch_interpreters(struct python_layout *layout, const char *runtime)
{
    uint64_t runtime_size = told_value(runtime, RUNTIME_SIZE_AT);
    uint64_t size = told_value(runtime, INTERPRETER_SIZE_AT);
    uint64_t head = told_value(runtime, THREADS_HEAD_AT);
    if (size >= runtime_size || runtime_size > RUNTIME_SIZE_MOST || head >= size ||
        head < FINALIZING_BEFORE_HEAD || head % 8)
        return;
    layout->main_interpreter = runtime + runtime_size - size;
    layout->interpreter_finalizing = (uint32_t)head - FINALIZING_BEFORE_HEAD;
    layout->may_finalize = (void *const volatile *)(const void *)(layout->main_interpreter +
                                                                  layout->interpreter_finalizing);
}

/* Is this thread ending an interpreter that the end of the program has left open? */
static bool ends_interpreter(void)
{
    const struct python_layout *layout = &python_layout;
    const char *state = layout->main_interpreter ? layout->current_thread_state() : NULL;
    if (!state)
        return false;
    const char *interpreter =
        *(const char *const *)(const void *)(state + layout->at.thread_interpreter);
    return interpreter && interpreter != layout->main_interpreter &&
           *(const volatile int *)(const void *)(interpreter + layout->interpreter_finalizing);
}

bool python_teardown_begun(void)
{
    return *python_layout.finalizing || ends_interpreter();
}

/* Offsets within one structure that are wildly large mean that the row is wrong. */
static bool positions_plausible(const struct python_positions *at)
{
    const uint32_t offsets[] = {at->thread_id,    at->current_frame,   at->previous,
                                at->code,         at->instruction,     at->owner,
                                at->frame_object, at->code_file,       at->code_name,
                                at->code_table,   at->code_first_line, at->code_bytecode,
                                at->bytes_data,   at->text_ascii_data, at->thread_interpreter};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
        if (offsets[i] > 4096)
            return false;
    return at->modules <= RUNTIME_SIZE_MOST && at->code_bytecode > 16 && at->object_type >= 8 &&
           at->object_type <= 64;
}

/* What _Py_DebugOffsets says, and what stands beside that. */
static void fill_positions(struct python_positions *at, const struct python_positions *told,
                           const char *runtime)
{
    uint32_t offsets_told[PYTHON_POSITIONS], positions[PYTHON_POSITIONS];
    memcpy(offsets_told, told, sizeof offsets_told);
    memcpy(positions, at, sizeof positions);
    for (size_t i = 0; i < PYTHON_POSITIONS; i++)
        if (offsets_told[i])
            positions[i] = (uint32_t)told_value(runtime, offsets_told[i]);
    memcpy(at, positions, sizeof positions);
    /* `PyFrameObject *frame_obj;` stands right before the instruction. */
    at->frame_object = at->instruction - 8;
    /* `int _co_firsttraceable; void *co_extra;` stand right before the bytecode. */
    at->code_first_traceable = at->code_bytecode - 16;
    /* PyCompactUnicodeObject adds utf8_length and utf8. */
    at->text_wide_data = at->text_ascii_data + 16;
}

static bool read_debug_offsets(struct python_layout *layout, const struct python_version *row,
                               const char *runtime)
{
    if (memcmp(runtime, "xdebugpy", 8) != 0 || told_value(runtime, 8) != layout->version ||
        told_value(runtime, 16) != 0 /* free-threaded */)
        return false;
    fill_positions(&layout->at, &row->told, runtime);
    return positions_plausible(&layout->at);
}

/* Fills in what the table and the runtime say; false when the version is unknown. */
static bool choose_layout(struct python_layout *layout, const char *runtime)
{
    const struct python_version *row = python_version_find(layout->version);
    if (!row)
        return false;
    layout->at = row->at;
    layout->rules = row->rules;
    if (python_version_tells(row) && !read_debug_offsets(layout, row, runtime))
        return false;
    bool is_usual =
        !layout->rules.heap_frames && layout->at.instruction == PYTHON_INSTRUCTION_SINCE_3_11;
    layout->is_as_in_3_11 = is_usual && layout->at.previous == PYTHON_PREVIOUS_IN_3_11;
    layout->is_as_since_3_12 = is_usual && layout->at.previous == PYTHON_PREVIOUS_SINCE_3_12;
    layout->finalizing = (void *const volatile *)(const void *)(runtime + layout->at.finalizing);
    layout->may_finalize = layout->finalizing;
    if (layout->rules.ends_interpreters)
        watch_interpreters(layout, runtime);
    return true;
}

/* Looks up what the shim calls and compares with; false when something is missing. */
static bool find_addresses(struct python_layout *layout, symbol_lookup *lookup, void *handle)
{
    layout->current_thread_state = (void *(*)(void))lookup(handle, layout->rules.thread_state_name);
    layout->own_thread_state = (void *(*)(void))lookup(handle, "PyGILState_GetThisThreadState");
    layout->code_type = lookup(handle, "PyCode_Type");
    layout->text_type = lookup(handle, "PyUnicode_Type");
    layout->bytes_type = lookup(handle, "PyBytes_Type");
    layout->frame_type = lookup(handle, "PyFrame_Type");
    return layout->current_thread_state && layout->own_thread_state && layout->code_type &&
           layout->text_type && layout->bytes_type && layout->frame_type;
}

void python_layout_init(symbol_lookup *lookup, void *handle)
{
    struct python_layout layout = {.version = read_version(lookup, handle)};
    const char *runtime = lookup(handle, "_PyRuntime");
    if (runtime && choose_layout(&layout, runtime) && find_addresses(&layout, lookup, handle)) {
        python_layout = layout;
        return;
    }
    python_layout = (struct python_layout){
        .version = layout.version, .finalizing = &no_teardown, .may_finalize = &no_teardown};
}
