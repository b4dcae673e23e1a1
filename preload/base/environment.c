/*
 * Keeping and giving back the variables. An environment that has the collector's address already is
 * passed on as it is: someone has put it together knowingly.
 */
#include "preload/base/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "handshake.h"

#define PRELOAD_VARIABLE  "LD_PRELOAD="
#define ADDRESS_VARIABLE  ENVIRONMENT_DAEMON "="
#define RUN_VARIABLE      ENVIRONMENT_RUN "="
#define ANCESTOR_VARIABLE ENVIRONMENT_ANCESTOR "="
#define SHIM_FILE         "/libheapline"
#define PATH_BYTES_MAX    4096u
#define KEY_BYTES         16
/* Larger environments are passed on as they are: they are put together on the stack. */
#define ENTRIES_MAX 8192u
#define VALUE_MAX   16384u

static const char *const variables[] = {
    ADDRESS_VARIABLE,       ENVIRONMENT_SESSION "=",    RUN_VARIABLE,
    ENVIRONMENT_TOKEN "=",  ENVIRONMENT_TOKEN_FILE "=", ENVIRONMENT_WAIT "=",
    ENVIRONMENT_NATIVE "=",
};
#define VARIABLES (sizeof variables / sizeof *variables)

/* Those that are set, as they stood in the environment. */
static char kept_text[6144];
static char *kept[VARIABLES + 1];
static char ancestor[sizeof ANCESTOR_VARIABLE + 10]; /* an entry, too; empty: none */
static char shim_path[PATH_BYTES_MAX]; /* empty: programs that are executed are not traced */

static bool entry_sets(const char *entry, const char *variable)
{
    return strncmp(entry, variable, strlen(variable)) == 0;
}

/* The entry that begins with `variable` ("NAME="); null when there is none. */
static char **variable_find(char *const *environment, const char *variable)
{
    for (char **entry = (char **)environment; entry && *entry; entry++)
        if (entry_sets(*entry, variable))
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
    char **entry = variable_find(environ, PRELOAD_VARIABLE);
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

static void take_ancestor(void)
{
    char **entry = variable_find(environ, ANCESTOR_VARIABLE);
    if (!entry)
        return;
    if (strlen(*entry) < sizeof ancestor)
        strcpy(ancestor, *entry);
    remove_entry(entry);
}

/* All that will be kept, and a key. */
static size_t bytes_to_keep(void)
{
    size_t bytes = sizeof RUN_VARIABLE + 2 * (size_t)KEY_BYTES;
    for (size_t i = 0; i < VARIABLES; i++) {
        char **entry = variable_find(environ, variables[i]);
        bytes += entry ? strlen(*entry) + 1 : 0;
    }
    return bytes;
}

/* Makes up a key that this process and its descendants have in common. */
static void make_key(char *text)
{
    unsigned char bytes[KEY_BYTES] = {0};
    ssize_t got = getrandom(bytes, sizeof bytes, GRND_NONBLOCK);
    (void)got; /* then they share a file with others as unlucky */
    text = stpcpy(text, RUN_VARIABLE);
    for (size_t i = 0; i < sizeof bytes; i++) {
        *text++ = "0123456789abcdef"[bytes[i] >> 4];
        *text++ = "0123456789abcdef"[bytes[i] & 15];
    }
    *text = 0;
}

bool environment_take(void)
{
    if (!variable_find(environ, ADDRESS_VARIABLE) || bytes_to_keep() > sizeof kept_text)
        return false;
    char *text = kept_text;
    size_t count = 0;
    for (size_t i = 0; i < VARIABLES; i++) {
        char **entry = variable_find(environ, variables[i]);
        if (!entry)
            continue;
        kept[count++] = text;
        text = stpcpy(text, *entry) + 1;
        remove_entry(entry);
    }
    if (!environment_value(ENVIRONMENT_RUN) && !environment_value(ENVIRONMENT_SESSION)) {
        kept[count++] = text;
        make_key(text);
    }
    take_ancestor();
    take_preload();
    return true;
}

const char *environment_ancestor(void)
{
    return *ancestor ? ancestor + strlen(ANCESTOR_VARIABLE) : NULL;
}

void environment_set_ancestor(pid_t pid)
{
    char digits[12], *at = digits + sizeof digits;
    for (*--at = 0; pid > 0; pid /= 10)
        *--at = (char)('0' + pid % 10);
    strcpy(stpcpy(ancestor, ANCESTOR_VARIABLE), at);
}

const char *environment_value(const char *name)
{
    size_t length = strlen(name);
    for (char *const *entry = kept; *entry; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return *entry + length + 1;
    return NULL;
}

void environment_forget(void)
{
    shim_path[0] = 0;
}

/* Open is not asked by its name: it would be a point of cancellation. No descriptor left is no
 * answer. */
bool environment_shim_in_reach(void)
{
    int saved = errno;
    int file = (int)syscall(SYS_openat, AT_FDCWD, shim_path, O_RDONLY | O_CLOEXEC);
    bool out_of_reach = file < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES);
    if (file >= 0)
        syscall(SYS_close, file);
    errno = saved;
    return !out_of_reach;
}

struct environment_room environment_measure(char *const *environment)
{
    struct environment_room room = {.is_others = variable_find(environment, ADDRESS_VARIABLE)};
    size_t count = 0;
    if (!shim_path[0] || room.is_others)
        return room;
    while (environment && environment[count])
        count++;
    char **preload = variable_find(environment, PRELOAD_VARIABLE);
    size_t others = preload ? strlen(*preload) : 0;
    if (count > ENTRIES_MAX || others > VALUE_MAX)
        return room;
    room.entries = count + 1 + VARIABLES + 1 + 1; /* all may be new */
    room.bytes = strlen(PRELOAD_VARIABLE) + strlen(shim_path) + 1 + others + 1;
    return room;
}

void environment_fill(char *const *environment, char **entries, char *text)
{
    const char *others = "";
    for (char *const *entry = environment; entry && *entry; entry++) {
        if (entry_sets(*entry, PRELOAD_VARIABLE))
            others = *entry + strlen(PRELOAD_VARIABLE);
        else
            *entries++ = *entry;
    }
    char *end = stpcpy(stpcpy(text, PRELOAD_VARIABLE), shim_path);
    if (*others)
        stpcpy(stpcpy(end, ":"), others);
    *entries++ = text;
    for (char *const *entry = kept; *entry; entry++)
        *entries++ = *entry;
    if (*ancestor)
        *entries++ = ancestor;
    *entries = NULL;
}
