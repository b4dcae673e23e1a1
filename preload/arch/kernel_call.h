/*
 * System calls past libc, of which the program may give up any (sealing.h).
 *
 * The processor's folder also has syscall(), which is interposed and does what libc's does, but
 * that seccomp(2) goes by sealing_seccomp(). It is not in C: what returns twice (vfork) must find
 * the caller's frame as it was.
 */
#ifndef HEAPLINE_PRELOAD_KERNEL_CALL_H
#define HEAPLINE_PRELOAD_KERNEL_CALL_H

/* Returns what the kernel does: an error's number, negative, or a result. Leaves errno alone. */
long kernel_call(long number, const unsigned long arguments[5]);

/* The body of the hook of syscall() (SHIM_HOOK()). */
long syscall_hook(long number, ...);

/* For that, in sealing.c. What libc makes of a negative result: sets errno, returns -1. */
long sealing_failed(long result);
/* seccomp(2) with its arguments. */
long sealing_seccomp(long number, unsigned long operation, unsigned long flags,
                     unsigned long program);

#endif
