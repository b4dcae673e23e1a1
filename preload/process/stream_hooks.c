/*
 * Interposed: _exit, _Exit, quick_exit and abort. With a ring, or without a collector, they cost a
 * look at a flag.
 *
 * An exit handler that is set from a constructor of a preloaded library, and belongs to no library,
 * runs after all destructors: what those free is still sent.
 */
#include "preload/process/stream_hooks.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/base/shim.h"
#include "preload/carrier/ring_writer.h"

static struct {
    void (*exit_now)(int);
    void (*exit_quickly)(int);
    void (*abort)(void);
} real;

void stream_hooks_resolve(void)
{
    *(void **)&real.exit_now = dlsym(RTLD_NEXT, "_exit");
    *(void **)&real.exit_quickly = dlsym(RTLD_NEXT, "quick_exit");
    *(void **)&real.abort = dlsym(RTLD_NEXT, "abort");
}

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

SHIM_EXPORT _Noreturn void _exit(int status)
{
    ring_flush();
    if (real.exit_now)
        real.exit_now(status);
    for (;;)
        syscall(SYS_exit_group, status);
}

SHIM_EXPORT _Noreturn void _Exit(int status)
{
    _exit(status);
}

SHIM_EXPORT _Noreturn void quick_exit(int status)
{
    ring_flush();
    if (real.exit_quickly)
        real.exit_quickly(status);
    _exit(status);
}

SHIM_EXPORT _Noreturn void abort(void)
{
    ring_flush();
    if (real.abort)
        real.abort();
    __builtin_trap();
}
