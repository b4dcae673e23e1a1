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
#include "preload/base/real_functions.h"
#include "preload/base/real_mapping.h"
#include "preload/base/shim.h"
#include "preload/hooks/presence.h"
#include "preload/hooks/python_arrival.h"
#include "preload/native/native_walk.h"

__attribute__((constructor)) static void start_shim(void)
{
    real_functions_find_allocator();
    real_functions_find_others();
    if (!environment_take())
        return;
    complaint_init();
    if (environment_value(ENVIRONMENT_NATIVE))
        native_walk_enable();
    if (real_madvise(&shim_gate, sizeof shim_gate, MADV_WIPEONFORK) == 0) {
        presence_begin();
        python_arrival_init();
    } else {
        environment_forget();
        complain("this kernel cannot keep forked children apart; this process runs untraced");
    }
}
