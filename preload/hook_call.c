/*
 * The rare path of the hooks.
 */
#include "hook_call.h"

void hook_pass_free(const void *block)
{
    uintptr_t guard = shim_thread.guard;
    /* What a library frees that the shim asks it has allocated there too. */
    if (!shim_gate_open() || guard == 0 || guard & SHIM_RECORDING || !hook_frees_other(block))
        return;
    shim_guard_set(SHIM_RECORDING);
    record_free(block);
    shim_guard_set(guard);
}
