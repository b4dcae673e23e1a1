/*
 * Where the shim begins: a constructor that runs before the program's main and, because preloaded
 * libraries are initialized last of all libraries, after those that bring libc and libpython up.
 *
 * Without a collector's address in the environment the shim does nothing. In a Python process it
 * takes itself out of the environment, so that the program sees the one it was given; in any other
 * process it leaves both variables for a Python that this one may execute.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "complaint.h"
#include "handshake.h"
#include "python_arrival.h"
#include "real_malloc.h"
#include "shim.h"

struct shim_gate shim_gate;

#define PRELOAD_ENVIRONMENT "LD_PRELOAD"
#define SHIM_FILE           "/libheapline"

/* The entry of `environ` that sets `name`; getenv may be another library's, or empty this early. */
static char **find_variable(const char *name)
{
    size_t length = strlen(name);
    for (char **entry = environ; entry && *entry; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return entry;
    return NULL;
}

static void remove_variable(char **entry)
{
    do
        entry[0] = entry[1];
    while (*++entry);
}

/* Takes the shim's own path, which `heapline run` has put first, out of LD_PRELOAD. */
static void restore_preload(void)
{
    char **entry = find_variable(PRELOAD_ENVIRONMENT);
    if (!entry)
        return;
    char *value = *entry + sizeof PRELOAD_ENVIRONMENT;
    size_t first = strcspn(value, ": ");
    char *shim = strstr(value, SHIM_FILE);
    if (!shim || shim >= value + first)
        return;
    if (value[first])
        memmove(value, value + first + 1, strlen(value + first + 1) + 1);
    else
        remove_variable(entry);
}

__attribute__((constructor)) static void start(void)
{
    real_malloc_resolve();
    char **address = find_variable(HANDSHAKE_ENVIRONMENT);
    if (!address)
        return;
    complaint_init();
    if (madvise(&shim_gate, sizeof shim_gate, MADV_WIPEONFORK) != 0) {
        complain("this kernel cannot keep forked children apart; this process runs untraced");
        return;
    }
    if (!python_arrival_init(*address + sizeof HANDSHAKE_ENVIRONMENT))
        return;
    remove_variable(address);
    restore_preload();
}
