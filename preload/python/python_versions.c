/*
 * The table of CPythons. A new version is a new row; what it shares with others is named above.
 * tests/integration/test_layouts.py looks at every row inside the real interpreters.
 */
#include "preload/python/python_versions.h"

#include "wire.h"

/* --- what several versions have in common --- */

#define OBJECTS                                                                                    \
    .object_type = 8, .bytes_size = 16, .bytes_data = 32, .text_length = 16, .text_state = 32
/* While strings had a wchar_t representation. */
#define OBJECTS_UP_TO_3_11 OBJECTS, .text_ascii_data = 48, .text_wide_data = 72

#define HEAP_FRAMES                                                                                \
    .finalizing = 16, .thread_id = 176, .current_frame = 24, .previous = 24, .code = 32
#define CODE_UP_TO_3_10                                                                            \
    .code_file = 104, .code_name = 112, .code_first_line = 40, .code_table = 120,                  \
    .code_bytecode = 48
#define RULES_OF_HEAP_FRAMES                                                                       \
    .thread_state_name = "_PyThreadState_UncheckedGet", .thread_state_is_shared = true,            \
    .heap_frames = true, .entry = PYTHON_ENTRY_EVERY, .code_mask = NO_TAG

/* PyFrameObject: head, f_back, f_frame, f_trace, f_lineno. */
#define OBJECT_LINE_SINCE_3_11 .object_line = 40
/* Which _Py_DebugOffsets does not tell. */
#define CHUNKS_SINCE_3_13 .thread_chunk = 232, .thread_tracing = 60, .thread_trace_function = 88
#define CODE_SINCE_3_11   .code_file = 112, .code_name = 128, .code_table = 136
#define LINES_SINCE_3_11  .line_table = WIRE_LINES_LOCATIONS

#define RULES_OF_TOLD                                                                              \
    .thread_state_name = "PyThreadState_GetUnchecked", .keeps_a_chunk = true, LINES_SINCE_3_11

#define NO_TAG           (~(uintptr_t)0)
#define TAG_OF_STACK_REF (~(uintptr_t)3)

/* --- the rows --- */

const struct python_version python_versions[] = {
    {
        .first = 0x03080000,
        .at = {HEAP_FRAMES, .instruction = 104, .object_line = 108, .stack_top = 72,
               CODE_UP_TO_3_10, OBJECTS_UP_TO_3_11},
        .rules = {RULES_OF_HEAP_FRAMES, .lasti_shift = 1, .line_table = WIRE_LINES_LNOTAB},
    },
    {
        .first = 0x03090000,
        .at = {HEAP_FRAMES, .instruction = 104, .object_line = 108, .stack_top = 72,
               CODE_UP_TO_3_10, OBJECTS_UP_TO_3_11},
        .rules = {RULES_OF_HEAP_FRAMES, .lasti_shift = 1, .line_table = WIRE_LINES_LNOTAB},
    },
    {
        .first = 0x030a0000,
        .at = {HEAP_FRAMES, .instruction = 96, .object_line = 100, .stack_top = 80, CODE_UP_TO_3_10,
               OBJECTS_UP_TO_3_11},
        .rules = {RULES_OF_HEAP_FRAMES, .has_stack_depth = true, .line_table = WIRE_LINES_RANGES},
    },
    {
        .first = 0x030b0000,
        .at = {.finalizing = 24,
               .thread_id = 152,
               .frame_holder = 56,
               .current_frame = 8,
               .thread_chunk = 296,
               .thread_tracing = 44,
               .thread_trace_function = 72,
               .previous = PYTHON_PREVIOUS_IN_3_11,
               .code = 32,
               .instruction = PYTHON_INSTRUCTION_SINCE_3_11,
               .owner = 69,
               .frame_object = 40,
               .stack_top = 64,
               .code_first_line = 72,
               .code_bytecode = 184,
               .code_first_traceable = 168,
               OBJECT_LINE_SINCE_3_11,
               CODE_SINCE_3_11,
               OBJECTS_UP_TO_3_11},
        .rules = {.thread_state_name = "_PyThreadState_UncheckedGet",
                  .thread_state_is_shared = true,
                  .has_frame_holder = true,
                  .has_stack_depth = true,
                  .entry = PYTHON_ENTRY_SAID,
                  .code_mask = NO_TAG,
                  LINES_SINCE_3_11},
    },
    {
        .first = 0x030c0000,
        .at = {.finalizing = 24,
               .thread_id = 136,
               .frame_holder = 56,
               .current_frame = 0,
               .thread_chunk = 232,
               .thread_tracing = 44,
               .thread_trace_function = 72,
               .previous = PYTHON_PREVIOUS_SINCE_3_12,
               .code = 0,
               .instruction = PYTHON_INSTRUCTION_SINCE_3_11,
               .owner = 70,
               .frame_object = 48,
               .code_first_line = 68,
               .code_bytecode = 192,
               .code_first_traceable = 176,
               OBJECT_LINE_SINCE_3_11,
               CODE_SINCE_3_11,
               OBJECTS,
               .text_ascii_data = 40,
               .text_wide_data = 56},
        .rules = {.thread_state_name = "_PyThreadState_UncheckedGet",
                  .has_frame_holder = true,
                  .entry = PYTHON_ENTRY_INTERNAL,
                  .code_mask = NO_TAG,
                  LINES_SINCE_3_11},
    },
    {
        .first = 0x030d0000,
        .at = {OBJECT_LINE_SINCE_3_11, CHUNKS_SINCE_3_13},
        .told = {.finalizing = 32,
                 .modules = 88,
                 .thread_interpreter = 176,
                 .current_frame = 184,
                 .thread_id = 192,
                 .previous = 232,
                 .code = 240,
                 .instruction = 248,
                 .owner = 264,
                 .code_file = 280,
                 .code_name = 296,
                 .code_table = 304,
                 .code_first_line = 312,
                 .code_bytecode = 344,
                 .object_type = 360,
                 .bytes_size = 520,
                 .bytes_data = 528,
                 .text_state = 544,
                 .text_length = 552,
                 .text_ascii_data = 560},
        .rules = {RULES_OF_TOLD, .entry = PYTHON_ENTRY_INTERNAL, .code_mask = NO_TAG},
    },
    {
        .first = 0x030e0000,
        .at = {OBJECT_LINE_SINCE_3_11, CHUNKS_SINCE_3_13},
        .told = {.finalizing = 32,
                 .modules = 96,
                 .thread_interpreter = 200,
                 .current_frame = 208,
                 .thread_id = 216,
                 .previous = 256,
                 .code = 264,
                 .instruction = 272,
                 .owner = 288,
                 .code_file = 320,
                 .code_name = 336,
                 .code_table = 344,
                 .code_first_line = 352,
                 .code_bytecode = 384,
                 .object_type = 408,
                 .bytes_size = 600,
                 .bytes_data = 608,
                 .text_state = 624,
                 .text_length = 632,
                 .text_ascii_data = 640},
        .rules = {RULES_OF_TOLD, .ends_interpreters = true, .debug_watches_deaths = true,
                  .entry = PYTHON_ENTRY_INTERNAL, .code_mask = TAG_OF_STACK_REF},
    },
    {
        /* The first release candidate: until then _Py_DebugOffsets changed. */
        .first = 0x030f00c1,
        .at = {OBJECT_LINE_SINCE_3_11, .thread_chunk = 256, .thread_tracing = 64,
               .thread_trace_function = 112},
        .told = {.finalizing = 32,
                 .modules = 96,
                 .thread_interpreter = 200,
                 .current_frame = 208,
                 .thread_id = 240,
                 .previous = 320,
                 .code = 328,
                 .instruction = 336,
                 .owner = 352,
                 .code_file = 384,
                 .code_name = 400,
                 .code_table = 408,
                 .code_first_line = 416,
                 .code_bytecode = 448,
                 .object_type = 472,
                 .bytes_size = 696,
                 .bytes_data = 704,
                 .text_state = 720,
                 .text_length = 728,
                 .text_ascii_data = 736},
        .rules = {RULES_OF_TOLD, .ends_interpreters = true, .debug_watches_deaths = true,
                  .entry = PYTHON_ENTRY_LINKED_ONE, .code_mask = TAG_OF_STACK_REF},
    },
};
const size_t python_versions_count = sizeof python_versions / sizeof *python_versions;

const struct python_version *python_version_find(uint32_t version)
{
    for (size_t i = 0; i < python_versions_count; i++) {
        const struct python_version *row = &python_versions[i];
        if (row->first >> 16 == version >> 16)
            return version >= row->first ? row : NULL;
    }
    return NULL;
}
