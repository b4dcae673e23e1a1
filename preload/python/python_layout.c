/*
 * Finding out how this CPython lays out its data. Nothing is guessed: a version that is not in the
 * tables, a free-threaded build, or offsets that fail a plausibility check make the Python unknown,
 * and the shim then records allocations without stacks.
 */
#include "preload/python/python_layout.h"

#include <stdlib.h>
#include <string.h>

#include "wire.h"

static void *const no_teardown;
struct python_layout python_layout = {.finalizing = &no_teardown, .may_finalize = &no_teardown};

/* PyFrameObject: head, f_back, f_frame, f_trace, f_lineno. */
#define OBJECT_LINE_SINCE_3_11 40

/* Offsets of 3.8 to 3.12, from release builds' debug information. */
static const struct python_layout layout_heap_frames = {
    .heap_frames = true,
    .current_is_shared = true,
    .thread_id = 176,
    .current_frame = 24,
    .previous = 24,
    .code = 32,
    .instruction = 104,
    .code_mask = ~(uintptr_t)0,
    .lasti_shift = 1,
    .object_line = 108,
    .stack_top = 72,
    .code_file = 104,
    .code_name = 112,
    .code_first_line = 40,
    .code_table = 120,
    .code_bytecode = 48,
    .line_table = WIRE_LINES_LNOTAB,
    .object_type = 8,
    .bytes_size = 16,
    .bytes_data = 32,
    .text_length = 16,
    .text_state = 32,
    .text_kind_shift = 2,
    .text_ascii_data = 48,
    .text_wide_data = 72,
};

static const struct python_layout layout_3_11 = {
    .current_is_shared = true,
    .thread_id = 152,
    .has_frame_holder = true,
    .frame_holder = 56,
    .current_frame = 8,
    .previous = 48,
    .code = 32,
    .instruction = 56,
    .owner = 69,
    .frame_object = 40,
    .object_line = OBJECT_LINE_SINCE_3_11,
    .stack_top = 64,
    .has_stack_depth = true,
    .code_mask = ~(uintptr_t)0,
    .code_file = 112,
    .code_name = 128,
    .code_first_line = 72,
    .code_table = 136,
    .code_bytecode = 184,
    .code_first_traceable = 168,
    .line_table = WIRE_LINES_LOCATIONS,
    .object_type = 8,
    .bytes_size = 16,
    .bytes_data = 32,
    .text_length = 16,
    .text_state = 32,
    .text_kind_shift = 2,
    .text_ascii_data = 48,
    .text_wide_data = 72,
};

static const struct python_layout layout_3_12 = {
    .thread_id = 136,
    .has_frame_holder = true,
    .frame_holder = 56,
    .current_frame = 0,
    .previous = 8,
    .code = 0,
    .instruction = 56,
    .owner = 70,
    .frame_object = 48,
    .object_line = OBJECT_LINE_SINCE_3_11,
    .code_mask = ~(uintptr_t)0,
    .code_file = 112,
    .code_name = 128,
    .code_first_line = 68,
    .code_table = 136,
    .code_bytecode = 192,
    .code_first_traceable = 176,
    .line_table = WIRE_LINES_LOCATIONS,
    .object_type = 8,
    .bytes_size = 16,
    .bytes_data = 32,
    .text_length = 16,
    .text_state = 32,
    .text_kind_shift = 2,
    .text_ascii_data = 40,
    .text_wide_data = 56,
};

/* Where the members of _Py_DebugOffsets stand that are needed here. */
struct debug_positions {
    uint16_t finalizing;
    bool ends_interpreters; /* those that are open at the end, before `finalizing` is set */
    uint16_t modules;
    uint16_t current_frame, thread_id;
    uint16_t previous, executable, instruction, owner;
    uint16_t file, name, table, first_line, bytecode;
    uint16_t object_type, bytes_size, bytes_data;
    uint16_t text_state, text_length, text_ascii;
    /* Kind's place in the word of a string's state. */
    uint8_t kind_shift;
    /* Bits to clear in a frame's executable. */
    uint8_t tag;
};

static const struct debug_positions positions_3_13 = {
    .finalizing = 32,
    .modules = 88,
    .current_frame = 184,
    .thread_id = 192,
    .previous = 232,
    .executable = 240,
    .instruction = 248,
    .owner = 264,
    .file = 280,
    .name = 296,
    .table = 304,
    .first_line = 312,
    .bytecode = 344,
    .object_type = 360,
    .bytes_size = 520,
    .bytes_data = 528,
    .text_state = 544,
    .text_length = 552,
    .text_ascii = 560,
    .kind_shift = 2,
    .tag = 0,
};

static const struct debug_positions positions_3_14 = {
    .finalizing = 32,
    .ends_interpreters = true,
    .modules = 96,
    .current_frame = 208,
    .thread_id = 216,
    .previous = 256,
    .executable = 264,
    .instruction = 272,
    .owner = 288,
    .file = 320,
    .name = 336,
    .table = 344,
    .first_line = 352,
    .bytecode = 384,
    .object_type = 408,
    .bytes_size = 600,
    .bytes_data = 608,
    .text_state = 624,
    .text_length = 632,
    .text_ascii = 640,
    .kind_shift = 2,
    .tag = 3,
};

static const struct debug_positions positions_3_15 = {
    .finalizing = 32,
    .ends_interpreters = true,
    .modules = 96,
    .current_frame = 208,
    .thread_id = 240,
    .previous = 320,
    .executable = 328,
    .instruction = 336,
    .owner = 352,
    .file = 384,
    .name = 400,
    .table = 408,
    .first_line = 416,
    .bytecode = 448,
    .object_type = 472,
    .bytes_size = 696,
    .bytes_data = 704,
    .text_state = 720,
    .text_length = 728,
    .text_ascii = 736,
    .kind_shift = 2,
    .tag = 3,
};

/* The layout of _Py_DebugOffsets changed until 3.15's first release candidate. */
#define VERSION_3_15_RC1 UINT32_C(0x030f00c1)

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

static uint64_t position_value(const char *runtime, unsigned position)
{
    uint64_t value;
    memcpy(&value, runtime + position, sizeof value);
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
static void watch_interpreters(const char *runtime, struct python_layout *layout)
{
    uint64_t runtime_size = position_value(runtime, RUNTIME_SIZE_AT);
    uint64_t size = position_value(runtime, INTERPRETER_SIZE_AT);
    uint64_t head = position_value(runtime, THREADS_HEAD_AT);
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
        *(const char *const *)(const void *)(state + layout->thread_interpreter);
    return interpreter && interpreter != layout->main_interpreter &&
           *(const volatile int *)(const void *)(interpreter + layout->interpreter_finalizing);
}

bool python_teardown_begun(void)
{
    return *python_layout.finalizing || ends_interpreter();
}

/* Offsets within one structure that are wildly large mean that the positions are wrong. */
static bool offsets_plausible(const struct python_layout *layout)
{
    const uint32_t offsets[] = {
        layout->thread_id,    layout->current_frame,   layout->previous,
        layout->code,         layout->instruction,     layout->owner,
        layout->frame_object, layout->code_file,       layout->code_name,
        layout->code_table,   layout->code_first_line, layout->code_bytecode,
        layout->bytes_data,   layout->text_ascii_data, layout->thread_interpreter};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
        if (offsets[i] > 4096)
            return false;
    return layout->modules <= RUNTIME_SIZE_MOST && layout->code_bytecode > 16 &&
           layout->object_type >= 8 && layout->object_type <= 64;
}

static bool read_debug_offsets(const char *runtime, const struct debug_positions *at,
                               struct python_layout *layout)
{
    if (memcmp(runtime, "xdebugpy", 8) != 0 || position_value(runtime, 8) != layout->version ||
        position_value(runtime, 16) != 0 /* free-threaded */)
        return false;
    layout->current_frame = (uint32_t)position_value(runtime, at->current_frame);
    layout->thread_id = (uint32_t)position_value(runtime, at->thread_id);
    /* A thread state's interpreter stands in the table before its current frame. */
    layout->thread_interpreter = (uint32_t)position_value(runtime, at->current_frame - 8u);
    layout->modules = (uint32_t)position_value(runtime, at->modules);
    layout->previous = (uint32_t)position_value(runtime, at->previous);
    layout->code = (uint32_t)position_value(runtime, at->executable);
    layout->instruction = (uint32_t)position_value(runtime, at->instruction);
    layout->owner = (uint32_t)position_value(runtime, at->owner);
    /* `PyFrameObject *frame_obj;` stands right before the instruction. */
    layout->frame_object = layout->instruction - 8;
    layout->object_line = OBJECT_LINE_SINCE_3_11;
    layout->code_mask = ~(uintptr_t)at->tag;
    layout->code_file = (uint32_t)position_value(runtime, at->file);
    layout->code_name = (uint32_t)position_value(runtime, at->name);
    layout->code_table = (uint32_t)position_value(runtime, at->table);
    layout->code_first_line = (uint32_t)position_value(runtime, at->first_line);
    layout->code_bytecode = (uint32_t)position_value(runtime, at->bytecode);
    /* `int _co_firsttraceable; void *co_extra;` stand right before the bytecode. */
    layout->code_first_traceable = layout->code_bytecode - 16;
    layout->line_table = WIRE_LINES_LOCATIONS;
    layout->object_type = (uint32_t)position_value(runtime, at->object_type);
    layout->bytes_size = (uint32_t)position_value(runtime, at->bytes_size);
    layout->bytes_data = (uint32_t)position_value(runtime, at->bytes_data);
    layout->text_state = (uint32_t)position_value(runtime, at->text_state);
    layout->text_length = (uint32_t)position_value(runtime, at->text_length);
    layout->text_ascii_data = (uint32_t)position_value(runtime, at->text_ascii);
    /* PyCompactUnicodeObject adds utf8_length and utf8. */
    layout->text_wide_data = layout->text_ascii_data + 16;
    layout->text_kind_shift = at->kind_shift;
    layout->finalizing =
        (void *const volatile *)(const void *)(runtime + position_value(runtime, at->finalizing));
    layout->may_finalize = layout->finalizing;
    if (at->ends_interpreters)
        watch_interpreters(runtime, layout);
    return offsets_plausible(layout);
}

/* Fills the layout for layout->version; false when that is unknown. */
static bool choose_layout(struct python_layout *layout, const char *runtime)
{
    uint32_t version = layout->version;
    size_t finalizing = 24;
    switch (version >> 16) {
    case 0x0308:
    case 0x0309:
        *layout = layout_heap_frames;
        finalizing = 16;
        break;
    case 0x030a:
        *layout = layout_heap_frames;
        layout->instruction = 96;
        layout->object_line = 100;
        layout->lasti_shift = 0;
        layout->stack_top = 80;
        layout->has_stack_depth = true;
        layout->line_table = WIRE_LINES_RANGES;
        finalizing = 16;
        break;
    case 0x030b:
        *layout = layout_3_11;
        break;
    case 0x030c:
        *layout = layout_3_12;
        break;
    case 0x030d:
        return read_debug_offsets(runtime, &positions_3_13, layout);
    case 0x030e:
        return read_debug_offsets(runtime, &positions_3_14, layout);
    case 0x030f:
        return version >= VERSION_3_15_RC1 && read_debug_offsets(runtime, &positions_3_15, layout);
    default:
        return false;
    }
    layout->version = version;
    layout->finalizing = (void *const volatile *)(const void *)(runtime + finalizing);
    layout->may_finalize = layout->finalizing;
    return true;
}

void python_layout_init(symbol_lookup *lookup, void *handle)
{
    struct python_layout layout = {.version = read_version(lookup, handle)};
    const char *runtime = lookup(handle, "_PyRuntime");
    bool known = runtime && choose_layout(&layout, runtime);
    const char *current = layout.version >> 16 >= 0x030d ? "PyThreadState_GetUnchecked"
                                                         : "_PyThreadState_UncheckedGet";
    layout.current_thread_state = (void *(*)(void))lookup(handle, current);
    layout.own_thread_state = (void *(*)(void))lookup(handle, "PyGILState_GetThisThreadState");
    layout.code_type = lookup(handle, "PyCode_Type");
    layout.text_type = lookup(handle, "PyUnicode_Type");
    layout.bytes_type = lookup(handle, "PyBytes_Type");
    layout.frame_type = lookup(handle, "PyFrame_Type");
    if (known && layout.current_thread_state && layout.own_thread_state && layout.code_type &&
        layout.text_type && layout.bytes_type && layout.frame_type) {
        python_layout = layout;
        return;
    }
    python_layout = (struct python_layout){
        .version = layout.version, .finalizing = &no_teardown, .may_finalize = &no_teardown};
}
