/*
 * Interposed: dlclose. What stood where a library was may be another one's code afterwards, so the
 * rules for its addresses are void. (dlopen is not interposed: that would break $ORIGIN look-ups of
 * its callers; a new library is noticed by its first address.)
 */
#include "preload/hooks/dlclose_hook.h"

#include "preload/base/real_functions.h"
#include "preload/base/shim.h"
#include "preload/native/debugger_lists.h"
#include "preload/native/native_rules.h"

int dlclose_hook(void *handle)
{
    if (!shim_walks_native)
        return REAL(dlclose)(handle);
    debugger_lists_begin_unloading();
    int result = REAL(dlclose)(handle);
    native_rules_forget();
    debugger_lists_end_unloading();
    return result;
}
SHIM_HOOK(dlclose);
