/*
 * libiberty's demanglers behind a limit. A mangled name can refer to its own parts, so that a few
 * hundred characters stand for more than there is memory for: the callback leaves the demangler, by
 * longjmp, where the name gets too long. The demanglers keep what they need on the stack.
 */
#include "collector/symbols/demangle.h"

#include "collector/symbols/cython_name.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL_LENGTH_MAX 4096
#define NAME_LENGTH_MAX   4096

struct output {
    jmp_buf too_long;
    size_t length;
    char name[NAME_LENGTH_MAX + 1];
};

static void add_part(const char *part, size_t length, void *data)
{
    struct output *output = data;
    if (length > NAME_LENGTH_MAX - output->length)
        longjmp(output->too_long, 1);
    memcpy(output->name + output->length, part, length);
    output->length += length;
}

/* Rust's first scheme looks like C++'s names: it goes first. */
static bool write_name(const char *symbol, struct output *output)
{
    if (rust_demangle_callback(symbol, 0, add_part, output))
        return true;
    output->length = 0;
    return cplus_demangle_v3_callback(symbol, 0, add_part, output);
}

char *demangle(const char *symbol)
{
    struct output output;
    char *cython = cython_name(symbol);
    if (cython)
        return cython;
    if (symbol[0] != '_' || (symbol[1] != 'Z' && symbol[1] != 'R') ||
        strlen(symbol) > SYMBOL_LENGTH_MAX)
        return NULL;
    output.length = 0;
    if (setjmp(output.too_long) || !write_name(symbol, &output) || output.length == 0)
        return NULL;
    return strndup(output.name, output.length);
}
