/*
 * What locations and threads of a recording are called.
 *
 * Tables are indexed by the ids of the recording. Strings are clean UTF-8 and live as long as the
 * struct symbols. One thread.
 */
#ifndef HEAPLINE_VIEWER_RECORDING_SYMBOLS_H
#define HEAPLINE_VIEWER_RECORDING_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viewer/recording/database.h"

/* A program or library that code was executed of. */
struct module {
    char *path;     /* NULL: no such id */
    char *build_id; /* in hexadecimal; NULL: none */
    char *note; /* why names may be missing or say less than they could; NULL: nothing is known */
};

/* A line of a function. A location that the recording does not have has function NULL; location 0,
 * "no Python frame", has file and function NULL. */
struct frame {
    const char *file;
    const char *package; /* 'stdlib', 'program', 'system' or a distribution; NULL where file is */
    const char *function;
    const struct module *module; /* NULL: Python's, or code that is in none */
    int32_t line;
    uint32_t file_id;
};

/* Is it Python's own, with a place in the source? */
static inline bool frame_is_python(const struct frame *frame)
{
    return frame->file && !frame->module;
}

/* What a frame's code is part of: a program or library; of Python, whose modules are files, the
 * file. NULL where that is. */
static inline const char *frame_module(const struct frame *frame)
{
    return frame->module ? frame->module->path : frame->file;
}

/* Is its line known? Of native code it often is not, and an instruction of Python's may have none.
 */
static inline bool frame_has_line(const struct frame *frame)
{
    return frame->line > 0;
}

/* Is it of a package of this name? */
bool frame_is_of(const struct frame *frame, const char *package);

/* Is it of those that everybody has, Python itself or the operating system? */
bool frame_is_platform(const struct frame *frame);

struct file {
    char *path; /* NULL: no such id */
    char *package;
    uint32_t module; /* 0: none */
};

struct code {
    char *name; /* NULL: no such id */
    uint32_t file;
};

struct thread {
    char *name; /* NULL: no such id */
    int64_t tid;
    uint32_t process; /* process.id */
};

struct symbols {
    struct module *modules;
    size_t module_count;
    struct file *files;
    size_t file_count;
    struct code *codes;
    size_t code_count;
    struct frame *frames; /* by location id; at least one */
    size_t frame_count;
    struct thread *threads;
    size_t thread_count;
};

/* Needs symbols_deinit() in either case, and zeroed memory. */
bool symbols_init(struct symbols *symbols, struct database *database);
void symbols_deinit(struct symbols *symbols);

/* Is the function not known, and an offset in the module stands for it? */
bool frame_is_offset(const struct frame *frame);

/* Does the recording have this location? Location 0 always exists. */
static inline bool symbols_has_location(const struct symbols *symbols, uint32_t location)
{
    return location < symbols->frame_count && (!location || symbols->frames[location].function);
}

#endif
