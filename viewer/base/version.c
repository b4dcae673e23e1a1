/*
 * heapline --version: the first line is for programs, the others say what a report of a bug needs.
 */
#include "viewer/base/version.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <sqlite3.h>

#include "commit.h"

bool version_has_library(const char *name)
{
    void *handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (handle)
        dlclose(handle);
    return handle != NULL;
}

void version_print(FILE *stream)
{
    const char *commit = *HEAPLINE_COMMIT ? HEAPLINE_COMMIT : "unknown";
    fprintf(stream, "heapline " HEAPLINE_VERSION "\n");
    fprintf(stream, "commit     %s\n", commit);
    fprintf(stream, "compiler   %s, %s\n", HEAPLINE_COMPILER, HEAPLINE_BUILD_TYPE);
    fprintf(stream, "machine    %s, built with glibc %d.%d, running on %s\n", HEAPLINE_MACHINE,
            __GLIBC__, __GLIBC_MINOR__, gnu_get_libc_version());
    fprintf(stream, "SQLite     %s\n", sqlite3_libversion());
    fprintf(stream, "libunwind  %s\n",
            version_has_library(VERSION_LIBUNWIND) ? "found" : "not found: no run --native");
}
