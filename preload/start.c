/*
 * Where the shim begins: a constructor that runs before the program's main and, because preloaded
 * libraries are initialized last of all libraries, after those that bring libc and libpython up.
 *
 * Without a collector's address in the environment the shim does nothing. Otherwise it takes itself
 * out of the environment, so that the program sees the one it was given.
 */
#include <sys/mman.h>

#include "complaint.h"
#include "environment.h"
#include "exec_hooks.h"
#include "handshake.h"
#include "native_walk.h"
#include "popen_hooks.h"
#include "python_arrival.h"
#include "real_malloc.h"
#include "real_mapping.h"
#include "shim.h"
#include "stream_hooks.h"
#include "system_hook.h"
#include "wait_hooks.h"

__attribute__((constructor)) static void start(void)
{
    real_malloc_resolve();
    real_mapping_resolve();
    exec_hooks_resolve();
    wait_hooks_resolve();
    popen_hooks_resolve();
    system_hook_resolve();
    stream_hooks_resolve();
    if (!environment_take())
        return;
    complaint_init();
    if (environment_value(ENVIRONMENT_NATIVE))
        native_walk_enable();
    if (madvise(&shim_gate, sizeof shim_gate, MADV_WIPEONFORK) == 0) {
        python_arrival_init();
    } else {
        environment_forget();
        complain("this kernel cannot keep forked children apart; this process runs untraced");
    }
}
