/*
 * Cython makes a symbol of a prefix that says what kind of function it is, the scopes that the
 * function stands in, each as its length, its name and an underscore, and its own name, which may
 * have a number in front that tells it from others (Cython/Compiler/Naming.py and Symtab.py). A
 * specialization of a fused function has one more prefix. What the C compiler adds stands behind a
 * dot.
 *
 * Where a number in front of the name could also be the length of a scope it is taken for that,
 * unless that scope would be called `_`, as in 1__init__.
 */
#include "collector/symbols/cython_name.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX      "__pyx_"
#define FUSED       "__pyx_fuse_"
#define LENGTH_MAX  4096u
#define DIGITS      "0123456789"
#define MODULE_CODE "pymod_exec_"

/* What may follow the prefix: the kind, and what is said of it behind the name. */
static const struct kind {
    const char *letters, *said;
} kinds[] = {
    {"pw_", ""}, {"pf_", ""},           {"f_", ""},
    {"gb_", ""}, {"tp_new_", " (new)"}, {"tp_dealloc_", " (dealloc)"},
};

static const char *skip_fused(const char *at)
{
    while (strncmp(at, FUSED, strlen(FUSED)) == 0) {
        at += strlen(FUSED);
        at += strspn(at, DIGITS "_");
        if (at[-1] == '_' && at[-2] == '_') /* the next prefix begins with them */
            at -= 2;
    }
    return at;
}

static const struct kind *find_kind(const char *at)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(at, kinds[i].letters, strlen(kinds[i].letters)) == 0)
            return &kinds[i];
    return NULL;
}

/* The length of the scope's name that begins at *at, which is moved behind its number; 0: none. */
static size_t scope_at(const char **at, const char *end)
{
    size_t length = 0;
    const char *name = *at;
    for (; name < end && *name >= '0' && *name <= '9' && length < LENGTH_MAX; name++)
        length = length * 10 + (size_t)(*name - '0');
    if (!length || (size_t)(end - name) <= length + 1 || name[length] != '_' ||
        (*name >= '0' && *name <= '9') || (length == 1 && *name == '_'))
        return 0;
    *at = name;
    return length;
}

static char *decode_name(const char *at, const char *end, const char *said)
{
    char *name = malloc((size_t)(end - at) + strlen(said) + 1), *out = name;
    size_t length;
    if (!name)
        return NULL;
    while ((length = scope_at(&at, end))) {
        out = mempcpy(out, at, length);
        *out++ = '.';
        at += length + 1;
    }
    bool has_scope = out > name;
    at += strspn(at, DIGITS);
    at = skip_fused(at);
    if (!has_scope || at >= end) {
        free(name);
        return NULL;
    }
    out = mempcpy(out, at, (size_t)(end - at));
    strcpy(out, said);
    return name;
}

char *cython_name(const char *symbol)
{
    const char *at = skip_fused(symbol), *end;
    if (strncmp(at, PREFIX, strlen(PREFIX)) != 0 || strlen(symbol) > LENGTH_MAX)
        return NULL;
    at += strlen(PREFIX);
    end = at + strcspn(at, ".");
    char *name = NULL;
    if (strncmp(at, MODULE_CODE, strlen(MODULE_CODE)) == 0) {
        at += strlen(MODULE_CODE);
        return asprintf(&name, "%.*s (module)", (int)(end - at), at) < 0 ? NULL : name;
    }
    const struct kind *kind = find_kind(at);
    return kind ? decode_name(at + strlen(kind->letters), end, kind->said) : NULL;
}
