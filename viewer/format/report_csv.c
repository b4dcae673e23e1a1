/*
 * The rows of a report as CSV (RFC 4180, lines ended by \n). What is absent is an empty value.
 */
#include <inttypes.h>

#include "viewer/format/report.h"
#include "viewer/format/row_key.h"

void report_print_csv(FILE *stream, const struct answer *answer)
{
    bool between = answer->query.between;
    fprintf(stream, "%s,bytes,blocks,allocated_bytes,allocations%s\n",
            row_key_titles(answer->query.by), between ? ",freed_bytes,freed_blocks,net_bytes" : "");
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct row *row = &answer->rows[i];
        row_key_to_csv(stream, &answer->grouping, row->key);
        fprintf(stream, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, row->bytes, row->blocks,
                row->allocated_bytes, row->allocations);
        if (between)
            fprintf(stream, ",%" PRIu64 ",%" PRIu64 ",%" PRId64, row->freed_bytes,
                    row->freed_blocks, (int64_t)(row->bytes - row->freed_bytes));
        fputc('\n', stream);
    }
}
