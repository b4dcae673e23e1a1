/*
 * Where the shim begins: a constructor that runs before the program's main and, because preloaded
 * libraries are initialized last of all libraries, after those that bring libc and libpython up.
 *
 * Without a collector's address in the environment the shim does nothing. Otherwise it takes itself
 * out of the environment, so that the program sees the one it was given.
 */
#include <sys/mman.h>

#include "handshake.h"
#include "preload/base/complaint.h"
#include "preload/base/environment.h"
#include "preload/base/real_malloc.h"
#include "preload/base/real_mapping.h"
#include "preload/base/shim.h"
#include "preload/hooks/python_arrival.h"
#include "preload/native/native_walk.h"
#include "preload/process/exec_hooks.h"
#include "preload/process/popen_hooks.h"
#include "preload/process/stream_hooks.h"
#include "preload/process/system_hook.h"
#include "preload/process/wait_hooks.h"

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
