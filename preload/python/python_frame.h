/*
 * Reading one of the linked frames. Inlined into the walk; see facts in python_versions.h.
 */
#ifndef HEAPLINE_PRELOAD_PYTHON_FRAME_H
#define HEAPLINE_PRELOAD_PYTHON_FRAME_H

#include <stdint.h>

#include "preload/python/python_layout.h"
#include "wire.h"

/* From this owner on a frame is the interpreter's own (3.12 and later; _frameowner in CPython's
 * internal headers); a generator's frame counts as begun from the start. */
#define FRAME_OWNER_GENERATOR        1
#define FRAME_OWNER_INTERPRETER_FROM 3

#define OPCODE_YIELD_FROM       72 /* up to 3.10 */
#define OPCODE_YIELD_VALUE      86 /* in 3.11 */
#define RESUME_AFTER_YIELD_FROM 2  /* the argument of RESUME in 3.11; 3 after await */

static inline uintptr_t frame_load(uintptr_t frame, uint32_t offset)
{
    return *(const uintptr_t *)(frame + offset);
}

static inline uintptr_t frame_previous(uintptr_t frame)
{
    return frame_load(frame, python_layout.at.previous);
}

static inline uintptr_t frame_instruction(uintptr_t frame)
{
    return frame_load(frame, python_layout.at.instruction);
}

static inline uintptr_t frame_code(uintptr_t frame)
{
    return frame_load(frame, python_layout.at.code) & python_layout.rules.code_mask;
}

/* frame_offset() from 3.11 on. */
static inline __attribute__((always_inline)) uint32_t
frame_offset_in_code(uintptr_t frame, uintptr_t code, uintptr_t instruction, bool *visible)
{
    *visible = true;
    intptr_t bytes = (intptr_t)(instruction - (code + python_layout.at.code_bytecode));
    int32_t first = *(const int32_t *)(code + python_layout.at.code_first_traceable);
    if (*(const uint8_t *)(frame + python_layout.at.owner) != FRAME_OWNER_GENERATOR &&
        bytes < (intptr_t)first * 2)
        *visible = false;
    if (bytes < 0 || bytes / 2 >= (intptr_t)WIRE_INSTRUCTION_NONE)
        return WIRE_INSTRUCTION_NONE;
    return (uint32_t)(bytes / 2);
}

/* The code unit that the frame executes; `*visible` false when it is no Python frame yet or at all:
 * an entry from C, or a frame that has not reached its first traceable instruction
 * (_PyFrame_IsIncomplete). */
static inline uint32_t frame_offset(uintptr_t frame, uintptr_t code, uintptr_t instruction,
                                    bool *visible)
{
    if (!python_layout.rules.heap_frames)
        return frame_offset_in_code(frame, code, instruction, visible);
    int32_t lasti = (int32_t)instruction;
    *visible = true;
    return lasti < 0 ? WIRE_INSTRUCTION_NONE
                     : (uint32_t)lasti >> python_layout.rules.lasti_shift & WIRE_INSTRUCTION_MASK;
}

/* The frame's object; 0: none has been made. */
static inline uintptr_t frame_object(uintptr_t frame)
{
    return python_layout.rules.heap_frames ? frame
                                           : frame_load(frame, python_layout.at.frame_object);
}

/* Does code run in the frame that a compiler has made of Python's (Nuitka's frame objects have a
 * type of their own)? It does not move the instruction; the line stands in the object. */
static inline bool frame_is_compiled(uintptr_t frame)
{
    uintptr_t object = frame_object(frame);
    return object &&
           frame_load(object, python_layout.at.object_type) != (uintptr_t)python_layout.frame_type;
}

/* What stands for the instruction of such a frame: its line. */
static inline uint32_t frame_line(uintptr_t frame)
{
    int32_t line = *(const int32_t *)(frame_object(frame) + python_layout.at.object_line);
    return line > 0 && line < (int32_t)WIRE_INSTRUCTION_NONE ? (uint32_t)line
                                                             : WIRE_INSTRUCTION_NONE;
}

/* True for frames that are the interpreter's own and have no code object. */
static inline bool frame_is_internal(uintptr_t frame)
{
    return !python_layout.rules.heap_frames &&
           *(const uint8_t *)(frame + python_layout.at.owner) >= FRAME_OWNER_INTERPRETER_FROM;
}

/* Is the frame's stack put down, as a suspended generator's is? */
static inline bool frame_has_stack_top(uintptr_t frame)
{
    if (python_layout.rules.has_stack_depth)
        return *(const int32_t *)(frame + python_layout.at.stack_top) >= 0;
    return frame_load(frame, python_layout.at.stack_top) != 0;
}

/* Will the frame go on with waiting for another generator? Up to 3.11. */
static inline bool frame_delegates(uintptr_t frame)
{
    const uint8_t *at;
    if (!python_layout.rules.heap_frames) {
        at = (const uint8_t *)frame_instruction(frame);
        return at[0] == OPCODE_YIELD_VALUE && at[3] >= RESUME_AFTER_YIELD_FROM;
    }
    int32_t lasti = (int32_t)frame_instruction(frame);
    at = (const uint8_t *)frame_load(frame_code(frame), python_layout.at.code_bytecode);
    at += python_layout.at.bytes_data;
    return lasti >= 0 &&
           at[2 * (lasti >> python_layout.rules.lasti_shift) + 2] == OPCODE_YIELD_FROM;
}

/* True for a generator that hands throw() on to the one that it waits for: up to 3.11 it is linked
 * between the others for that time, as if it were executed (_gen_throw() of CPython). */
static inline bool frame_hands_on(uintptr_t frame)
{
    return frame_has_stack_top(frame) && frame_delegates(frame);
}

/* True for the frame with which an evaluation loop begins. */
static inline bool frame_is_entry(uintptr_t frame)
{
    switch (python_layout.rules.entry) {
    case PYTHON_ENTRY_EVERY:
        return !frame_hands_on(frame);
    case PYTHON_ENTRY_SAID:
        return *(const uint8_t *)(frame + python_layout.at.owner - 1) != 0 &&
               !frame_hands_on(frame);
    case PYTHON_ENTRY_INTERNAL:
        return frame_is_internal(frame);
    case PYTHON_ENTRY_LINKED_ONE:
        return frame_is_internal(frame) && frame_previous(frame) != 0;
    }
    return false;
}

#endif
