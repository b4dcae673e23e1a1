/*
 * The kernel's own call, with all signals in the mask: glibc's leaves out those by which threads
 * are cancelled.
 */
#include "preload/base/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/base/shim.h"

static void set_mask(uint64_t mask, uint64_t *old)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, old, sizeof mask);
}

struct signals signals_block(void)
{
    struct signals signals = {.blocked = !shim_is_sealed()};
    if (signals.blocked)
        set_mask(~UINT64_C(0), &signals.mask);
    return signals;
}

void signals_restore(struct signals signals)
{
    if (signals.blocked)
        set_mask(signals.mask, NULL);
}

bool signals_can_read(const void *address)
{
    enum { NO_WAY_TO_CHANGE = -1 };
    int saved = errno;
    bool can =
        shim_is_sealed() ||
        syscall(SYS_rt_sigprocmask, NO_WAY_TO_CHANGE, address, NULL, sizeof(uint64_t)) == 0 ||
        errno != EFAULT;
    errno = saved;
    return can;
}
