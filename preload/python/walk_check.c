/*
 * Follows `previous` from the current frame to the end and compares each frame, read from memory,
 * with the level that the reader believes it to be. Only in the check build (-Dcheck_walk=true).
 */
#include "preload/python/walk_check.h"

#include <stdlib.h>

#include "preload/base/complaint.h"
#include "preload/base/shim.h"
#include "preload/python/code_table.h"
#include "preload/python/python_frame.h"
#include "preload/python/python_thread.h"
#include "wire.h"

static void fail_check(const char *what)
{
    complain(what);
    abort();
}

static void check_frame(const struct level *level, uintptr_t frame)
{
    uint64_t word = 0;
    if (!frame_is_internal(frame)) {
        bool visible;
        uintptr_t code = frame_code(frame);
        uint64_t offset = frame_offset(frame, code, frame_instruction(frame), &visible);
        if (visible && frame_is_compiled(frame))
            offset = frame_line(frame);
        if (visible)
            word = (uint64_t)code_table_number(frame, code) << WIRE_CODE_SHIFT | offset;
    }
    word |= shim_walks_native && frame_is_entry(frame) ? WIRE_ENTRY_BIT : 0;
    if (level->told >> WIRE_CODE_SHIFT != word >> WIRE_CODE_SHIFT)
        fail_check("walk check: a level has another code");
    if (level->told != word)
        fail_check("walk check: a level has another instruction");
}

void walk_check(const struct thread_state *thread, const struct stack_update *update)
{
    if (!update->known)
        return;
    if (thread->sent < thread->depth)
        fail_check("walk check: levels were never sent");
    uint32_t level = thread->depth;
    uintptr_t state = python_thread_state(), frame = state ? python_thread_frame(state) : 0;
    for (; frame; frame = frame_previous(frame)) {
        if (level == thread->bottom) {
            if (level == 0)
                fail_check("walk check: frames are missing");
            return;
        }
        check_frame(&thread->levels[--level], frame);
    }
    if (level != 0)
        fail_check("walk check: there are levels without a frame");
}
