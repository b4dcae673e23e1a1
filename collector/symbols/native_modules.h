/*
 * The files of native code that the traced processes have mapped: programs, libraries, extensions.
 *
 * A module is one file as it was when an address in it was first seen. All that has to be opened is
 * opened then, for the process and its files may be gone when symbols are asked for. Modules have
 * numbers from 1 that stay theirs; 0 means unknown. Several processes share them. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_NATIVE_MODULES_H
#define HEAPLINE_COLLECTOR_NATIVE_MODULES_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "collector/base/index.h"
#include "collector/base/vector.h"
#include "collector/symbols/debug_file.h"
#include "collector/symbols/elf_facts.h"

/* An instruction of native code. Equal points are one for native_symbols.h. */
struct native_point {
    uint32_t module;  /* 0: unknown */
    uint64_t offset;  /* in it; the address itself when the module is unknown */
    uint32_t process; /* when it is: whose address, 0 otherwise, */
    uint32_t
        made; /* and the number of what stands there (made_code.h); 0: nothing is known of it */
};

enum native_module_kind {
    NATIVE_MODULE_FILE,      /* offsets are addresses in the file's own tables, as nm shows them */
    NATIVE_MODULE_RAW,       /* a file that is no ELF or was not readable: offsets into it */
    NATIVE_MODULE_VDSO,      /* offsets from its start */
    NATIVE_MODULE_ANONYMOUS, /* code made at run time: offsets are whole addresses */
};

struct native_module {
    enum native_module_kind kind;
    char *path;       /* UTF-8, as the process sees it, "[vdso]" or "[anonymous]" */
    bool is_deleted;  /* the file had no name any more, or another file had it */
    const char *note; /* why symbols may be missing; null: nothing is known against it */
    uint64_t device, inode, size;
    struct timespec changed;
    struct elf_facts facts;
    bool is_ours; /* found in the collector's own root */
    int file;     /* -1: could not be opened */
    struct debug_files debug;
};

struct native_modules {
    struct vector list; /* struct native_module *, element 0 unused */
    uint32_t count;
    struct index by_identity;
    struct timespec since; /* a file that was changed later, and of which nothing but the path says
                            * that it was loaded, is not believed; zero: any is */
    uint64_t files, files_max; /* kept open; beyond these a new module has none */
};

/* A module as a process tells of it. */
struct native_mapping {
    uint64_t start;     /* an address in it */
    const char *path;   /* absolute, "[vdso]", or "" without */
    struct build_id id; /* of what is in memory; empty: not known */
};

bool native_modules_init(struct native_modules *modules);
void native_modules_deinit(struct native_modules *modules);

/* The module of a mapping of process `pid` (0: not known here) whose root folder is `root`
 * (root_file.h); made when it is new. 0 when memory is short. */
uint32_t native_modules_add(struct native_modules *modules, int pid, int root,
                            const struct native_mapping *mapping);

/* Has the module's file been written to since? What it was then cannot be read any more. */
bool native_module_has_changed(const struct native_module *module);

static inline struct native_module *native_modules_get(const struct native_modules *modules,
                                                       uint32_t number)
{
    return number && number < modules->count ? ((struct native_module **)modules->list.data)[number]
                                             : NULL;
}

#endif
