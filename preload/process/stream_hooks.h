/*
 * Sending what a stream still holds before the process goes: at its ordinary exit, as the very last
 * thing, and before _exit(), quick_exit() and abort(). (exec_hooks.c and fork.c do so themselves.)
 */
#ifndef HEAPLINE_PRELOAD_STREAM_HOOKS_H
#define HEAPLINE_PRELOAD_STREAM_HOOKS_H

/* The bodies of the hooks (SHIM_HOOK()). */
_Noreturn void _exit_hook(int status);
_Noreturn void _Exit_hook(int status);
_Noreturn void quick_exit_hook(int status);
_Noreturn void abort_hook(void);

/* With the first stream. */
void stream_hooks_install(void);

#endif
