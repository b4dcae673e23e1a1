/*
 * Keeping and giving back the variables. An environment that has the collector's address already is
 * passed on as it is: someone has put it together knowingly.
 */
#include "environment.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "handshake.h"

#define PRELOAD_VARIABLE "LD_PRELOAD="
#define ADDRESS_VARIABLE HANDSHAKE_ENVIRONMENT "="
#define SHIM_FILE        "/libheapline"
#define PATH_BYTES_MAX   4096u
/* Larger environments are passed on as they are: they are put together on the stack. */
#define ENTRIES_MAX 8192u
#define VALUE_MAX   16384u

static char address_entry[sizeof ADDRESS_VARIABLE + ATTACH_ADDRESS_MAX];
static char shim_path[PATH_BYTES_MAX]; /* empty: programs that are executed are not traced */

static bool sets(const char *entry, const char *variable)
{
    return strncmp(entry, variable, strlen(variable)) == 0;
}

/* The entry that begins with `variable` ("NAME="); null when there is none. */
static char **find(char *const *environment, const char *variable)
{
    for (char **entry = (char **)environment; entry && *entry; entry++)
        if (sets(*entry, variable))
            return entry;
    return NULL;
}

static void remove_entry(char **entry)
{
    do
        entry[0] = entry[1];
    while (*++entry);
}

/* Takes the shim's own path, which `heapline run` has put first, out of LD_PRELOAD. */
static void take_preload(void)
{
    char **entry = find(environ, PRELOAD_VARIABLE);
    if (!entry)
        return;
    char *value = *entry + strlen(PRELOAD_VARIABLE);
    size_t first = strcspn(value, ": ");
    char *shim = strstr(value, SHIM_FILE);
    if (!shim || shim >= value + first || first >= sizeof shim_path)
        return;
    memcpy(shim_path, value, first);
    shim_path[first] = 0;
    if (value[first])
        memmove(value, value + first + 1, strlen(value + first + 1) + 1);
    else
        remove_entry(entry);
}

const char *environment_take(void)
{
    char **entry = find(environ, ADDRESS_VARIABLE);
    if (!entry || strlen(*entry) >= sizeof address_entry)
        return NULL;
    strcpy(address_entry, *entry);
    remove_entry(entry);
    take_preload();
    return address_entry + strlen(ADDRESS_VARIABLE);
}

void environment_forget(void)
{
    shim_path[0] = 0;
}

struct environment_room environment_measure(char *const *environment)
{
    struct environment_room room = {0};
    size_t count = 0;
    if (!shim_path[0] || find(environment, ADDRESS_VARIABLE))
        return room;
    while (environment && environment[count])
        count++;
    char **preload = find(environment, PRELOAD_VARIABLE);
    size_t others = preload ? strlen(*preload) : 0;
    if (count > ENTRIES_MAX || others > VALUE_MAX)
        return room;
    room.entries = count + 3; /* both may be new */
    room.bytes = strlen(PRELOAD_VARIABLE) + strlen(shim_path) + 1 + others + 1;
    return room;
}

void environment_fill(char *const *environment, char **entries, char *text)
{
    const char *others = "";
    for (char *const *entry = environment; entry && *entry; entry++) {
        if (sets(*entry, PRELOAD_VARIABLE))
            others = *entry + strlen(PRELOAD_VARIABLE);
        else
            *entries++ = *entry;
    }
    char *end = stpcpy(stpcpy(text, PRELOAD_VARIABLE), shim_path);
    if (*others)
        stpcpy(stpcpy(end, ":"), others);
    *entries++ = text;
    *entries++ = address_entry;
    *entries = NULL;
}
