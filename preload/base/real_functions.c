/*
 * glibc's dlsym may call calloc, so the first look-up of the allocator meets the hooks again. That
 * happens while the loader runs constructors, in one thread. The others are looked up when malloc
 * is real; one of them that is missing leaves a message in malloc's memory.
 */
#include "preload/base/real_functions.h"

#include <dlfcn.h>

struct real_functions real;

struct wanted {
    size_t offset; /* in `real` */
    const char *name;
};

#define WANTED(result, name, parameters) {offsetof(struct real_functions, name), #name},
static const struct wanted allocator[] = {REAL_ALLOCATOR(WANTED)};
static const struct wanted others[] = {REAL_OTHERS(WANTED)};

static bool are_found;

static void find_functions(const struct wanted *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *(void **)((char *)&real + wanted[i].offset) = dlsym(RTLD_NEXT, wanted[i].name);
}

bool real_functions_find_allocator(void)
{
    static bool finding;
    if (finding)
        return false;
    finding = true;
    find_functions(allocator, sizeof allocator / sizeof *allocator);
    finding = false;
    return real.malloc != NULL;
}

void real_functions_find_others(void)
{
    find_functions(others, sizeof others / sizeof *others);
    are_found = true;
}

bool real_function_find(void *function, const char *name)
{
    return !are_found && (*(void **)function = dlsym(RTLD_NEXT, name)) != NULL;
}
