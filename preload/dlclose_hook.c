/*
 * Interposed: dlclose. What stood where a library was may be another one's code afterwards, so the
 * rules for its addresses are void. (dlopen is not interposed: that would break $ORIGIN look-ups of
 * its callers; a new library is noticed by its first address.)
 */
#include <dlfcn.h>

#include "native_rules.h"
#include "native_walk.h"
#include "shim.h"

SHIM_EXPORT int dlclose(void *handle)
{
    static int (*real)(void *);
    if (SHIM_UNLIKELY(!real))
        *(void **)&real = dlsym(RTLD_NEXT, "dlclose");
    int result = real(handle);
    if (native_walk_enabled)
        native_rules_forget();
    return result;
}
