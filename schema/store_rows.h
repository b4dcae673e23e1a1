/*
 * The rows of the recording's tables, in one list: for each table of store.sql its columns in
 * order, with what they may hold. The collector writes rows from these structs, the viewer reads
 * into them, and tests/unit/test_store_rows.c holds the list against store.sql.
 *
 * What a column may hold, the member's type, and what stands for null where that is allowed:
 *   INDEX    uint32_t  0 to 2^32 - 1; null: 0
 *   COUNT    uint64_t  0 to 2^63 - 1
 *   AMOUNT   int64_t   0 to 2^63 - 1; null: -1
 *   NUMBER   int64_t   0 to 2^31 - 1; null: -1
 *   LINE     int32_t   any
 *   FLAG     bool
 *   SECONDS  double    any; null: NaN
 *   TEXT     text of UTF-8; null: NULL
 *   BLOB     bytes and their number
 * Texts and bytes belong to who fills the struct; a reader says how long they stay.
 */
#ifndef HEAPLINE_SCHEMA_STORE_ROWS_H
#define HEAPLINE_SCHEMA_STORE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_TABLES(TABLE)                                                                        \
    TABLE(RUN, run)                                                                                \
    TABLE(PROCESS, process)                                                                        \
    TABLE(DAMAGE, damage)                                                                          \
    TABLE(ENDING, ending)                                                                          \
    TABLE(ABSENCE, absence)                                                                        \
    TABLE(LINEAGE, lineage)                                                                        \
    TABLE(REFUSAL, refusal)                                                                        \
    TABLE(INHERITANCE, inheritance)                                                                \
    TABLE(SETTING, setting)                                                                        \
    TABLE(THREAD, thread)                                                                          \
    TABLE(MODULE, module)                                                                          \
    TABLE(FILE, file)                                                                              \
    TABLE(SOURCE, source)                                                                          \
    TABLE(CODE, code)                                                                              \
    TABLE(LOCATION, location)                                                                      \
    TABLE(NODE_CHUNK, node_chunk)                                                                  \
    TABLE(COUNTER_CHUNK, counter_chunk)                                                            \
    TABLE(HISTORY_CHUNK, history_chunk)                                                            \
    TABLE(CHECKPOINT_CHUNK, checkpoint_chunk)                                                      \
    TABLE(SLICE_CHUNK, slice_chunk)                                                                \
    TABLE(SAMPLE_TOTAL, sample_total)                                                              \
    TABLE(SAMPLE_PART, sample_part)                                                                \
    TABLE(RUN_PEAK, run_peak)                                                                      \
    TABLE(RUN_PEAK_PROCESS, run_peak_process)                                                      \
    TABLE(TOUCHED, touched)                                                                        \
    TABLE(TOUCHED_CHUNK, touched_chunk)                                                            \
    TABLE(TOUCHED_SAMPLE, touched_sample)                                                          \
    TABLE(RUN_TOUCHED, run_touched)                                                                \
    TABLE(RUN_TOUCHED_PROCESS, run_touched_process)                                                \
    TABLE(UNTOUCHED, untouched)                                                                    \
    TABLE(SURVEY, survey)                                                                          \
    TABLE(RESIDENT_ROW, resident_row)                                                              \
    TABLE(REGION, region)                                                                          \
    TABLE(HOLDER, holder)                                                                          \
    TABLE(COPIED, copied)                                                                          \
    TABLE(LINE_TOTAL, line_total)

#define STORE_RUN_COLUMNS(COLUMN, OPTIONAL, row)                                                   \
    COLUMN(INDEX, id, row)                                                                         \
    COLUMN(TEXT, heapline, row)                                                                    \
    COLUMN(TEXT, command, row)                                                                     \
    COLUMN(TEXT, directory, row)                                                                   \
    COLUMN(SECONDS, started, row)                                                                  \
    COLUMN(FLAG, history, row)                                                                     \
    OPTIONAL(SECONDS, seconds, row)                                                                \
    COLUMN(FLAG, complete, row)                                                                    \
    OPTIONAL(TEXT, trouble, row)

#define STORE_PROCESS_COLUMNS(COLUMN, OPTIONAL, row)                                               \
    COLUMN(INDEX, id, row)                                                                         \
    COLUMN(NUMBER, pid, row)                                                                       \
    OPTIONAL(NUMBER, parent_pid, row)                                                              \
    COLUMN(TEXT, command, row)                                                                     \
    COLUMN(TEXT, directory, row)                                                                   \
    OPTIONAL(TEXT, python, row)                                                                    \
    COLUMN(FLAG, python_stacks, row)                                                               \
    COLUMN(SECONDS, started, row)                                                                  \
    OPTIONAL(SECONDS, ended, row)                                                                  \
    OPTIONAL(NUMBER, exit_status, row)                                                             \
    OPTIONAL(NUMBER, signal, row)                                                                  \
    COLUMN(COUNT, peak_bytes, row)                                                                 \
    COLUMN(COUNT, peak_blocks, row)                                                                \
    OPTIONAL(SECONDS, peak_time, row)                                                              \
    COLUMN(COUNT, peak_events, row)                                                                \
    COLUMN(COUNT, end_bytes, row)                                                                  \
    COLUMN(COUNT, end_blocks, row)                                                                 \
    OPTIONAL(SECONDS, end_time, row)                                                               \
    COLUMN(COUNT, end_events, row)                                                                 \
    COLUMN(FLAG, end_seen, row)                                                                    \
    COLUMN(COUNT, leaked_bytes, row)                                                               \
    COLUMN(COUNT, leaked_blocks, row)                                                              \
    COLUMN(COUNT, allocations, row)                                                                \
    COLUMN(COUNT, frees, row)                                                                      \
    COLUMN(COUNT, allocated_bytes, row)                                                            \
    COLUMN(COUNT, events, row)                                                                     \
    COLUMN(COUNT, unmatched_frees, row)                                                            \
    COLUMN(COUNT, lost_events, row)

#define STORE_DAMAGE_COLUMNS(COLUMN, OPTIONAL, row)                                                \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(TEXT, reason, row)                                                                      \
    COLUMN(COUNT, times, row)

#define STORE_ENDING_COLUMNS(COLUMN, OPTIONAL, row)                                                \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(FLAG, core_dumped, row)                                                                 \
    COLUMN(FLAG, out_of_memory, row)                                                               \
    COLUMN(COUNT, refused, row)                                                                    \
    COLUMN(COUNT, most_refused_bytes, row)                                                         \
    COLUMN(COUNT, collector_bytes, row)                                                            \
    COLUMN(FLAG, executed, row)

#define STORE_ABSENCE_COLUMNS(COLUMN, OPTIONAL, row)                                               \
    COLUMN(TEXT, reason, row)                                                                      \
    COLUMN(COUNT, processes, row)

#define STORE_LINEAGE_COLUMNS(COLUMN, OPTIONAL, row)                                               \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(INDEX, parent, row)

#define STORE_REFUSAL_COLUMNS(COLUMN, OPTIONAL, row)                                               \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(INDEX, location, row)

#define STORE_INHERITANCE_COLUMNS(COLUMN, OPTIONAL, row)                                           \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(INDEX, parent, row)                                                                     \
    COLUMN(COUNT, events, row)                                                                     \
    COLUMN(COUNT, first_block, row)

#define STORE_SETTING_COLUMNS(COLUMN, OPTIONAL, row)                                               \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(TEXT, name, row)                                                                        \
    COLUMN(TEXT, value, row)

#define STORE_THREAD_COLUMNS(COLUMN, OPTIONAL, row)                                                \
    COLUMN(INDEX, id, row)                                                                         \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(NUMBER, tid, row)                                                                       \
    COLUMN(TEXT, name, row)

#define STORE_MODULE_COLUMNS(COLUMN, OPTIONAL, row)                                                \
    COLUMN(INDEX, id, row)                                                                         \
    COLUMN(TEXT, path, row)                                                                        \
    OPTIONAL(TEXT, build_id, row)                                                                  \
    OPTIONAL(TEXT, note, row)

#define STORE_FILE_COLUMNS(COLUMN, OPTIONAL, row)                                                  \
    COLUMN(INDEX, id, row)                                                                         \
    COLUMN(TEXT, path, row)                                                                        \
    COLUMN(TEXT, package, row)                                                                     \
    OPTIONAL(INDEX, module, row)

#define STORE_SOURCE_COLUMNS(COLUMN, OPTIONAL, row)                                                \
    COLUMN(INDEX, file, row)                                                                       \
    COLUMN(COUNT, bytes, row)                                                                      \
    COLUMN(BLOB, text, row)

#define STORE_CODE_COLUMNS(COLUMN, OPTIONAL, row)                                                  \
    COLUMN(INDEX, id, row)                                                                         \
    COLUMN(INDEX, file, row)                                                                       \
    COLUMN(TEXT, name, row)                                                                        \
    COLUMN(LINE, first_line, row)

#define STORE_LOCATION_COLUMNS(COLUMN, OPTIONAL, row)                                              \
    COLUMN(INDEX, id, row)                                                                         \
    COLUMN(INDEX, code, row)                                                                       \
    COLUMN(LINE, line, row)

#define STORE_NODE_CHUNK_COLUMNS(COLUMN, OPTIONAL, row)                                            \
    COLUMN(INDEX, first, row)                                                                      \
    COLUMN(INDEX, count, row)                                                                      \
    COLUMN(BLOB, data, row)

#define STORE_COUNTER_CHUNK_COLUMNS(COLUMN, OPTIONAL, row)                                         \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(INDEX, first, row)                                                                      \
    COLUMN(INDEX, count, row)                                                                      \
    COLUMN(BLOB, data, row)

#define STORE_HISTORY_CHUNK_COLUMNS(COLUMN, OPTIONAL, row)                                         \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(COUNT, first_event, row)                                                                \
    COLUMN(INDEX, events, row)                                                                     \
    COLUMN(COUNT, first_block, row)                                                                \
    COLUMN(COUNT, started_us, row)                                                                 \
    COLUMN(COUNT, ended_us, row)                                                                   \
    COLUMN(BLOB, summary, row)                                                                     \
    COLUMN(BLOB, lifetimes, row)                                                                   \
    COLUMN(BLOB, data, row)

#define STORE_CHECKPOINT_CHUNK_COLUMNS(COLUMN, OPTIONAL, row)                                      \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(COUNT, event, row)                                                                      \
    COLUMN(INDEX, first, row)                                                                      \
    COLUMN(INDEX, count, row)                                                                      \
    COLUMN(BLOB, data, row)

#define STORE_SLICE_CHUNK_COLUMNS(COLUMN, OPTIONAL, row)                                           \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(COUNT, event, row)                                                                      \
    COLUMN(SECONDS, time, row)                                                                     \
    COLUMN(INDEX, first, row)                                                                      \
    COLUMN(INDEX, count, row)                                                                      \
    COLUMN(BLOB, data, row)

#define STORE_SAMPLE_TOTAL_COLUMNS(COLUMN, OPTIONAL, row)                                          \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(SECONDS, time, row)                                                                     \
    COLUMN(COUNT, most_bytes, row)                                                                 \
    OPTIONAL(AMOUNT, resident, row)                                                                \
    OPTIONAL(AMOUNT, proportional, row)                                                            \
    OPTIONAL(AMOUNT, swapped, row)

#define STORE_SAMPLE_PART_COLUMNS(COLUMN, OPTIONAL, row)                                           \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(SECONDS, time, row)                                                                     \
    COLUMN(INDEX, allocator, row)                                                                  \
    COLUMN(COUNT, bytes, row)

#define STORE_RUN_PEAK_COLUMNS(COLUMN, OPTIONAL, row)                                              \
    COLUMN(INDEX, id, row)                                                                         \
    COLUMN(COUNT, bytes, row)                                                                      \
    COLUMN(COUNT, blocks, row)                                                                     \
    COLUMN(SECONDS, time, row)

#define STORE_RUN_PEAK_PROCESS_COLUMNS(COLUMN, OPTIONAL, row)                                      \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(COUNT, events, row)                                                                     \
    COLUMN(COUNT, bytes, row)                                                                      \
    COLUMN(COUNT, blocks, row)

#define STORE_TOUCHED_COLUMNS(COLUMN, OPTIONAL, row)                                               \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(COUNT, peak_bytes, row)                                                                 \
    COLUMN(COUNT, peak_blocks, row)                                                                \
    OPTIONAL(SECONDS, peak_time, row)                                                              \
    COLUMN(COUNT, peak_events, row)                                                                \
    COLUMN(COUNT, error_bytes, row)                                                                \
    COLUMN(FLAG, hidden, row)                                                                      \
    COLUMN(COUNT, largest_bytes, row)                                                              \
    OPTIONAL(INDEX, largest_location, row)

#define STORE_TOUCHED_CHUNK_COLUMNS(COLUMN, OPTIONAL, row)                                         \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(INDEX, first, row)                                                                      \
    COLUMN(INDEX, count, row)                                                                      \
    COLUMN(BLOB, data, row)

#define STORE_TOUCHED_SAMPLE_COLUMNS(COLUMN, OPTIONAL, row)                                        \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(SECONDS, time, row)                                                                     \
    COLUMN(COUNT, most_bytes, row)

#define STORE_RUN_TOUCHED_COLUMNS(COLUMN, OPTIONAL, row)                                           \
    COLUMN(INDEX, id, row)                                                                         \
    COLUMN(COUNT, bytes, row)                                                                      \
    COLUMN(COUNT, blocks, row)                                                                     \
    COLUMN(SECONDS, time, row)

#define STORE_RUN_TOUCHED_PROCESS_COLUMNS(COLUMN, OPTIONAL, row)                                   \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(COUNT, events, row)                                                                     \
    COLUMN(COUNT, bytes, row)                                                                      \
    COLUMN(COUNT, blocks, row)

#define STORE_UNTOUCHED_COLUMNS(COLUMN, OPTIONAL, row)                                             \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(INDEX, counter, row)                                                                    \
    COLUMN(COUNT, bytes, row)

#define STORE_SURVEY_COLUMNS(COLUMN, OPTIONAL, row)                                                \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(INDEX, number, row)                                                                     \
    COLUMN(TEXT, moment, row)                                                                      \
    COLUMN(SECONDS, time, row)                                                                     \
    COLUMN(COUNT, events, row)                                                                     \
    COLUMN(COUNT, rss_bytes, row)                                                                  \
    OPTIONAL(AMOUNT, shared_bytes, row)                                                            \
    OPTIONAL(AMOUNT, proportional_bytes, row)                                                      \
    COLUMN(COUNT, huge_bytes, row)                                                                 \
    COLUMN(COUNT, hugetlb_bytes, row)

#define STORE_RESIDENT_ROW_COLUMNS(COLUMN, OPTIONAL, row)                                          \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(INDEX, survey, row)                                                                     \
    COLUMN(TEXT, kind, row)                                                                        \
    COLUMN(TEXT, name, row)                                                                        \
    COLUMN(COUNT, bytes, row)                                                                      \
    COLUMN(COUNT, shared_bytes, row)                                                               \
    COLUMN(COUNT, swapped_bytes, row)                                                              \
    COLUMN(COUNT, blocks, row)

#define STORE_REGION_COLUMNS(COLUMN, OPTIONAL, row)                                                \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(INDEX, survey, row)                                                                     \
    COLUMN(INDEX, number, row)                                                                     \
    COLUMN(TEXT, kind, row)                                                                        \
    COLUMN(COUNT, address, row)                                                                    \
    COLUMN(COUNT, bytes, row)                                                                      \
    COLUMN(COUNT, resident_bytes, row)                                                             \
    COLUMN(COUNT, used_bytes, row)                                                                 \
    COLUMN(COUNT, blocks, row)                                                                     \
    COLUMN(COUNT, lines, row)

#define STORE_HOLDER_COLUMNS(COLUMN, OPTIONAL, row)                                                \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(INDEX, survey, row)                                                                     \
    COLUMN(INDEX, region, row)                                                                     \
    COLUMN(INDEX, location, row)                                                                   \
    COLUMN(COUNT, blocks, row)                                                                     \
    COLUMN(COUNT, bytes, row)

#define STORE_COPIED_COLUMNS(COLUMN, OPTIONAL, row)                                                \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(INDEX, survey, row)                                                                     \
    COLUMN(INDEX, location, row)                                                                   \
    COLUMN(COUNT, blocks, row)                                                                     \
    COLUMN(COUNT, bytes, row)

#define STORE_LINE_TOTAL_COLUMNS(COLUMN, OPTIONAL, row)                                            \
    COLUMN(INDEX, process, row)                                                                    \
    COLUMN(INDEX, location, row)                                                                   \
    COLUMN(INDEX, allocator, row)                                                                  \
    COLUMN(COUNT, allocations, row)                                                                \
    COLUMN(COUNT, allocated_bytes, row)                                                            \
    COLUMN(COUNT, peak_blocks, row)                                                                \
    COLUMN(COUNT, peak_bytes, row)                                                                 \
    COLUMN(COUNT, end_blocks, row)                                                                 \
    COLUMN(COUNT, end_bytes, row)                                                                  \
    COLUMN(COUNT, leaked_blocks, row)                                                              \
    COLUMN(COUNT, leaked_bytes, row)

struct store_blob {
    const void *data;
    size_t bytes;
};

enum store_kind {
    STORE_INDEX,
    STORE_COUNT,
    STORE_AMOUNT,
    STORE_NUMBER,
    STORE_LINE,
    STORE_FLAG,
    STORE_SECONDS,
    STORE_TEXT,
    STORE_BLOB,
};

#define STORE_TYPE_INDEX   uint32_t
#define STORE_TYPE_COUNT   uint64_t
#define STORE_TYPE_AMOUNT  int64_t
#define STORE_TYPE_NUMBER  int64_t
#define STORE_TYPE_LINE    int32_t
#define STORE_TYPE_FLAG    bool
#define STORE_TYPE_SECONDS double
#define STORE_TYPE_TEXT    const char *
#define STORE_TYPE_BLOB    struct store_blob

/* struct store_run, struct store_process, … */
#define STORE_MEMBER(kind, name, row) STORE_TYPE_##kind name;
#define STORE_STRUCT(TABLE, name)                                                                  \
    struct store_##name {                                                                          \
        STORE_##TABLE##_COLUMNS(STORE_MEMBER, STORE_MEMBER, store_##name)                          \
    };
STORE_TABLES(STORE_STRUCT)

/* STORE_TABLE_RUN, STORE_TABLE_PROCESS, … */
#define STORE_ENUMERATOR(TABLE, name) STORE_TABLE_##TABLE,
enum store_table_number { STORE_TABLES(STORE_ENUMERATOR) STORE_TABLE_COUNT };

struct store_column {
    const char *name;
    size_t offset; /* in the table's struct */
    enum store_kind kind;
    bool may_be_null;
};

struct store_table {
    const char *name;
    const struct store_column *columns;
    unsigned count;
    size_t row_bytes;
};

extern const struct store_table store_tables[STORE_TABLE_COUNT];

#endif
