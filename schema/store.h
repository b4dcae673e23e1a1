/*
 * The recording's identity: what store.sql sets and both sides check.
 */
#ifndef HEAPLINE_SCHEMA_STORE_H
#define HEAPLINE_SCHEMA_STORE_H

/* The format's number rises with every change that an older reader would misread. A newer one is
 * refused; whoever raises it teaches the viewer to read the older ones, of which tests/data keeps
 * one each.
 *   1  blocks of four allocators
 *   2  mappings, which may go in parts: the fifth allocator, with a column in the samples; blocks
 * in the history that are restored with another size
 *   3  files of native code, each of a module
 *   4  what a forked process inherits is told by where its parent stood, not block by block
 *   5  samples have a row for each allocator; the history may have what is no event of memory; what
 * was lost has reasons
 *   6  files and reserved address space, by allocators of their own that are in no sum; what of the
 * memory was touched (tables touched, touched_chunk, touched_sample, run_touched and
 * run_touched_process, untouched)
 *   7  what resident memory was made of (tables survey, resident_row, region, holder,
 * copied) */
#define STORE_APPLICATION_ID 1213221966 /* "HPLN" */
#define STORE_FORMAT         7

/* The first one with the table of modules. */
#define STORE_FORMAT_MODULES 3
/* The first one with the table of inheritances. */
#define STORE_FORMAT_INHERITANCE 4
/* The first one whose samples have a row for each allocator. */
#define STORE_FORMAT_SAMPLE_ROWS 5
/* The first one that knows what was touched. */
#define STORE_FORMAT_TOUCHED 6
/* The first one with surveys. */
#define STORE_FORMAT_SURVEYS 7

/* The text of store.sql, with the allocators' rows, NUL-terminated. */
extern const char store_sql[];

#endif
