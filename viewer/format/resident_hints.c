/*
 * Libraries with allocators of their own have a way to look into them, or to do without. Sources:
 * Apache Arrow's "Environment Variables", the JDK's "Native Memory Tracking", OpenBLAS's and
 * OpenMP's documentation, jemalloc(3), mallopt(3).
 */
#include "viewer/format/resident_hints.h"

#include <stddef.h>
#include <string.h>

struct hint {
    const char *library; /* a part of its name */
    const char *text;
};

static const struct hint hints[] = {
    {"libarrow",
     "Arrow's own allocator; with ARROW_DEFAULT_MEMORY_POOL=system each of its blocks is "
     "seen."},
    {"libjvm",
     "the Java heap and what belongs to it; -XX:NativeMemoryTracking=summary and jcmd tell "
     "what is in it, -Xmx limits it."},
    {"polars",
     "the allocator that Polars brings along (jemalloc or mimalloc); what it keeps free is "
     "given back after a while."},
    {"openblas",
     "buffers of the linear algebra, one for each of its threads; OPENBLAS_NUM_THREADS=1 "
     "has one."},
    {"duckdb", "DuckDB's own allocator; PRAGMA memory_limit limits it."},
    {"libtorch", "PyTorch's own allocator."},
};

static const char *hint_for_library(const char *name)
{
    for (size_t i = 0; name && i < sizeof hints / sizeof *hints; i++)
        if (strstr(name, hints[i].library))
            return hints[i].text;
    return NULL;
}

const char *resident_hint(enum resident_kind kind, const char *name)
{
    switch (kind) {
    case RESIDENT_MMAP:
        return hint_for_library(name);
    case RESIDENT_PYMALLOC_FREE:
        return "free, but in arenas in which some blocks still live; 'heapline resident --pins' "
               "says whose.";
    case RESIDENT_MALLOC_FREE:
        return "freed, and kept by the allocator for what comes next; malloc_trim(0) gives back "
               "what of it is whole pages, MALLOC_ARENA_MAX=2 keeps it from having many heaps.";
    case RESIDENT_LAZY:
        return "given back already: the kernel takes it when it needs it.";
    case RESIDENT_UNSEEN:
        return "mapped by system calls that no hook sees: WebAssembly, statically linked "
               "allocators.";
    default:
        return NULL;
    }
}
