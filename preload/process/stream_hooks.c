/*
 * Interposed: _exit, _Exit, quick_exit and abort. With a ring, or without a collector, they cost a
 * look at a flag.
 *
 * An exit handler that is set from a constructor of a preloaded library, and belongs to no library,
 * runs after all destructors: what those free is still sent.
 */
#include "preload/process/stream_hooks.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/base/real_functions.h"
#include "preload/base/shim.h"
#include "preload/carrier/ring_writer.h"

static void at_exit(int status, void *nothing)
{
    (void)status;
    (void)nothing;
    ring_flush();
}

void stream_hooks_install(void)
{
    static bool installed;
    if (!installed)
        installed = on_exit(at_exit, NULL) == 0;
}

_Noreturn void _exit_hook(int status)
{
    ring_flush();
    if (real._exit)
        real._exit(status);
    for (;;)
        syscall(SYS_exit_group, status);
}
SHIM_HOOK(_exit);

_Noreturn void _Exit_hook(int status)
{
    _exit_hook(status);
}
SHIM_HOOK(_Exit);

_Noreturn void quick_exit_hook(int status)
{
    ring_flush();
    if (real.quick_exit)
        real.quick_exit(status);
    _exit_hook(status);
}
SHIM_HOOK(quick_exit);

_Noreturn void abort_hook(void)
{
    ring_flush();
    if (real.abort)
        real.abort();
    __builtin_trap();
}
SHIM_HOOK(abort);
