/*
 * Interposed: prctl and syscall.
 *
 * Both do what libc's do, by a system call of their own: nothing has to be looked up for that, and
 * the program may call them at any moment. syscall() is the processor's (kernel_call.h).
 *
 * What is still to be done with system calls is done before the program's own takes effect: a
 * stream cannot go on, so it ends there.
 */
#include "preload/process/sealing.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/arch/kernel_call.h"
#include "preload/base/environment.h"
#include "preload/base/memory.h"
#include "preload/base/shim.h"
#include "preload/carrier/ring_writer.h"

/* Who has attached. A vfork child is another process in the same memory: what it gives up is its
 * own, and all that it can do then is to execute something, or to end. */
static pid_t owner;

void sealing_begin(void)
{
    owner = getpid();
}

bool sealing_is_own_process(void)
{
    return !shim_is_sealed() && getpid() == owner;
}

/* Before the program's call. */
static void seal_process(void)
{
    int saved = errno;
    if (shim_gate_open() && ring_is_sent()) {
        ring_flush();
        ring_give_up("the program has set a seccomp filter, under which a stream cannot go on; it "
                     "goes on untraced");
    }
    if (shim_gate_open())
        memory_reserve();
    atomic_store(&shim_sealed, true);
    errno = saved;
}

long sealing_failed(long result)
{
    errno = (int)-result;
    return -1;
}

static long call_sealed(long number, const unsigned long arguments[5])
{
    bool was_sealed = shim_is_sealed();
    bool is_ours = was_sealed || !shim_gate_open() || getpid() == owner;
    if (!was_sealed && is_ours)
        seal_process();
    long result = kernel_call(number, arguments);
    if (!is_ours)
        return result < 0 ? sealing_failed(result) : result;
    if (result < 0) {
        atomic_store(&shim_sealed, was_sealed);
        return sealing_failed(result);
    }
    environment_forget(); /* what is executed would begin with system calls of ours */
    return result;
}

/* System calls, or the processor's counter, which the clock reads. */
static bool gives_up(int option, unsigned long argument)
{
    return option == PR_SET_SECCOMP ||
           (option == PR_SET_SYSCALL_USER_DISPATCH && argument == PR_SYS_DISPATCH_ON) ||
           (option == PR_SET_TSC && argument == PR_TSC_SIGSEGV);
}

int prctl_hook(int option, ...)
{
    unsigned long arguments[5] = {(unsigned long)option};
    va_list more;
    va_start(more, option);
    for (unsigned i = 1; i < 5; i++)
        arguments[i] = va_arg(more, unsigned long);
    va_end(more);
    if (gives_up(option, arguments[1]))
        return (int)call_sealed(SYS_prctl, arguments);
    long result = kernel_call(SYS_prctl, arguments);
    return (int)(result < 0 && result > -4096 ? sealing_failed(result) : result);
}
SHIM_HOOK(prctl);

long sealing_seccomp(long number, unsigned long operation, unsigned long flags,
                     unsigned long program)
{
    const unsigned long arguments[5] = {operation, flags, program};
    if (operation == SECCOMP_SET_MODE_STRICT || operation == SECCOMP_SET_MODE_FILTER)
        return call_sealed(number, arguments);
    long result = kernel_call(number, arguments);
    return result < 0 ? sealing_failed(result) : result;
}
