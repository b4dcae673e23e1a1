/*
 * The variables are known by name. Those of Python that take memory or change what is allocated,
 * those of the C library's malloc and of others that are often preloaded, and those that say how
 * many threads a library for numbers starts.
 */
#include "collector/peer/settings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "collector/base/text.h"
#include "collector/system/proc.h"

/* What is read of an environment, and kept of a value. */
#define ENVIRONMENT_BYTES_MAX (256u << 10)
#define VALUE_BYTES_MAX       200u

static const char *const names[] = {
    "ARROW_DEFAULT_MEMORY_POOL",
    "GLIBC_TUNABLES",
    "MALLOC_ARENA_MAX",
    "MALLOC_CHECK_",
    "MALLOC_CONF",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_PERTURB_",
    "MALLOC_TOP_PAD_",
    "MALLOC_TRIM_THRESHOLD_",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONDEVMODE",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED",
    "PYTHONMALLOC",
    "PYTHONNODEBUGRANGES",
    "PYTHONOPTIMIZE",
    "PYTHONTRACEMALLOC",
    "PYTHON_GIL",
    "PYTHON_JIT",
};

/* Is it one of them? `length` is that of its name. */
static bool is_known(const char *entry, size_t length)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && !memcmp(names[i], entry, length))
            return true;
    return false;
}

/* Appends a string with its NUL to `*list`, which has `*used` bytes. */
static bool append_setting(char **list, size_t *used, const char *text)
{
    size_t size = strlen(text) + 1;
    char *more = realloc(*list, *used + size + 1);
    if (!more)
        return false;
    memcpy(more + *used, text, size);
    *used += size;
    more[*used] = 0;
    *list = more;
    return true;
}

/* Appends an entry as UTF-8, its value cut when it is long. */
static bool append_entry(char **list, size_t *used, const char *entry, size_t length)
{
    char *raw = strndup(entry, length + 1 + VALUE_BYTES_MAX);
    char *text = raw ? text_from_bytes(raw) : NULL;
    bool good = text && append_setting(list, used, text);
    free(raw);
    free(text);
    return good;
}

char *settings_from(const char *environment, size_t bytes)
{
    char *list = calloc(1, 1);
    size_t used = 0;
    const char *end = environment + bytes;
    for (const char *at = environment; list && at < end;
         at += strnlen(at, (size_t)(end - at)) + 1) {
        size_t size = strnlen(at, (size_t)(end - at));
        const char *equals = memchr(at, '=', size);
        if (at + size == end) /* cut short */
            break;
        if (!equals || !is_known(at, (size_t)(equals - at)))
            continue;
        if (!append_entry(&list, &used, at, (size_t)(equals - at))) {
            free(list);
            return NULL;
        }
    }
    return list;
}

char *settings_of(pid_t pid)
{
    char *environment = malloc(ENVIRONMENT_BYTES_MAX);
    if (!environment)
        return NULL;
    size_t bytes = proc_read(pid, "environ", environment, ENVIRONMENT_BYTES_MAX);
    char *settings = settings_from(environment, bytes);
    explicit_bzero(environment, bytes);
    free(environment);
    return settings;
}
