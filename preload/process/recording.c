/*
 * What goes with attaching whichever way a process came to it: a stream is to be flushed when the
 * process goes, and whose process it is that may give up system calls has to be known.
 */
#include "preload/process/recording.h"

#include "preload/base/environment.h"
#include "preload/base/real_functions.h"
#include "preload/base/shim.h"
#include "preload/carrier/attach.h"
#include "preload/carrier/places.h"
#include "preload/carrier/ring_writer.h"
#include "preload/process/sealing.h"
#include "preload/process/stream_hooks.h"
#include "preload/python/python_layout.h"
#include "wire.h"

bool recording_attach(pid_t parent, uint32_t token)
{
    if (!attach(&(struct greeting_sender){
            .python_version = python_layout.version, .parent = parent, .fork_token = token})) {
        environment_forget();
        return false;
    }
    if (ring_is_sent())
        stream_hooks_install();
    sealing_begin();
    return true;
}

void recording_begin(void)
{
    atomic_store(&shim_gate.open, SHIM_GATE_OPEN);
    ring_send_mark(WIRE_MARK_PYTHON, python_layout.version);
    place_tell(WIRE_PLACE_ALLOCATOR, (uintptr_t)real.malloc, 1);
    place_tell_own();
    if (!python_layout_is_known())
        ring_send_mark(WIRE_MARK_UNKNOWN_PYTHON, python_layout.version);
}
