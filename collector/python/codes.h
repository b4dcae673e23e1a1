/*
 * Files, code objects and locations of one run: what turns (code, instruction) into a line.
 *
 * Equal code objects (same names, first line and line table) are one code, however often and in
 * however many processes they were announced. Files are told apart by path and module: compilers
 * know many a path that is different files in different libraries. All numbers begin with 1; 0
 * means none. One thread at a time.
 */
#ifndef HEAPLINE_COLLECTOR_CODES_H
#define HEAPLINE_COLLECTOR_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/python/code_list.h"
#include "wire.h"

bool codes_init(struct codes *codes);
void codes_deinit(struct codes *codes);

struct peer;

/* Where a file name comes from. Relative ones of Python begin in the process's folder, in its root
 * (root_file.h), which must stay open as long as anybody looks for files there. */
struct code_home {
    int root;
    const char *directory;
    uint32_t module;   /* of native code, whose names stay as they are; 0: Python */
    struct peer *peer; /* on whose behalf files are looked for; null: on nobody's */
};

/* Adds a complete description of `bytes` bytes (struct wire_code and what follows). Relative file
 * names are taken against the place where that makes the name of a file there is, and one that the
 * code can be of (source_check.h). Returns the code's number, 0 when the description is unsound or
 * memory is short. */
uint32_t codes_add(struct codes *codes, const uint8_t *description, size_t bytes,
                   const struct code_home *home);

/* What a process has in memory as the text of the file that codes of it name so; takes over `text`.
 * It may be told several times. */
void codes_tell_text(struct codes *codes, const char *name, char *text);

/* What was told of a file is written, or of no use. */
void codes_drop_told(struct codes *codes, uint32_t file);

/* As codes_locate(), of what has not been asked before. */
uint32_t codes_locate_first(struct codes *codes, uint32_t code, uint32_t instruction);

/* The location of an instruction of a code; 0 when memory is short. */
static inline uint32_t codes_locate(struct codes *codes, uint32_t number, uint32_t instruction)
{
    const struct code *code = codes_code(codes, number);
    if (instruction < code->unit_count && code->units[instruction] > 0)
        return (uint32_t)code->units[instruction];
    return codes_locate_first(codes, number, instruction);
}

/* The location of a line (0: unknown) of a function that has no code object, in a file. 0 when
 * memory is short. */
uint32_t codes_locate_named(struct codes *codes, const struct code_home *home, const char *path,
                            const char *function, int32_t line);

/* The location that stands for the outer frames of a truncated stack. */
uint32_t codes_truncated(struct codes *codes);

#endif
