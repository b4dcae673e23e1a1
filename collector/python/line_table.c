/*
 * Three formats, each walked by a function that yields runs of code units with one line. A run is
 * handed to a sink, which either counts units or fills the array of lines.
 */
#include "collector/python/line_table.h"

#include <stdbool.h>

#define LINE_MAX_PLAUSIBLE 0x3fffffff

struct sink {
    int32_t *lines; /* null: only count */
    uint32_t units; /* room in lines */
    uint32_t at;
};

static void put_run(struct sink *sink, uint32_t units, int64_t line)
{
    int32_t value = line > 0 && line <= LINE_MAX_PLAUSIBLE ? (int32_t)line : LINE_NONE;
    uint32_t end = units > LINE_UNITS_MAX - sink->at ? LINE_UNITS_MAX : sink->at + units;
    if (sink->lines)
        for (uint32_t at = sink->at; at < end && at < sink->units; at++)
            sink->lines[at] = value;
    sink->at = end;
}

/* Pairs (address step, signed line step): a pair's steps apply before the run that follows it.
 * Steps are in bytes and may be odd (a long one is cut into 255s), units are two bytes. */
static void walk_lnotab(const uint8_t *table, size_t bytes, int64_t line, struct sink *sink)
{
    uint32_t address = 0;
    for (size_t i = 0; i + 1 < bytes && address < LINE_UNITS_MAX; i += 2) {
        address += table[i];
        put_run(sink, (address + 1) / 2 - sink->at, line);
        line += (int8_t)table[i + 1];
    }
    /* The last line goes on to the end of the code, which the table does not know. */
    put_run(sink, 1, line);
}

/* Pairs (length in bytes, signed line step); a step of -128 means no line. */
static void walk_ranges(const uint8_t *table, size_t bytes, int64_t line, struct sink *sink)
{
    for (size_t i = 0; i + 1 < bytes; i += 2) {
        int8_t step = (int8_t)table[i + 1];
        if (step != -128)
            line += step;
        put_run(sink, table[i] / 2, step == -128 ? LINE_NONE : line);
    }
}

/* An integer in six-bit parts, lowest first, bit 6 set on all but the last. */
static uint32_t next_varint(const uint8_t *table, size_t bytes, size_t *at)
{
    uint32_t value = 0;
    for (unsigned shift = 0; *at < bytes; shift += 6) {
        uint8_t part = table[(*at)++];
        if (shift < 32)
            value |= (uint32_t)(part & 63) << shift;
        if (!(part & 64))
            break;
    }
    return value;
}

static int64_t next_signed_varint(const uint8_t *table, size_t bytes, size_t *at)
{
    uint32_t value = next_varint(table, bytes, at);
    return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

/* Entries that begin with 1CCCCLLL: form C, length L + 1; what follows depends on the form. */
static void walk_locations(const uint8_t *table, size_t bytes, int64_t line, struct sink *sink)
{
    for (size_t at = 0; at < bytes;) {
        uint8_t head = table[at++];
        unsigned form = head >> 3 & 15;
        bool has_line = form != 15;
        if (form == 14) {
            line += next_signed_varint(table, bytes, &at);
            for (int i = 0; i < 3; i++)
                next_varint(table, bytes, &at);
        } else if (form == 13) {
            line += next_signed_varint(table, bytes, &at);
        } else if (form >= 10 && form <= 12) {
            line += form - 10;
            at += 2;
        } else if (form < 10) {
            at += 1;
        }
        put_run(sink, (head & 7) + 1u, has_line ? line : LINE_NONE);
    }
}

static void walk_table(enum wire_line_table kind, const uint8_t *table, size_t bytes, int64_t line,
                       struct sink *sink)
{
    switch (kind) {
    case WIRE_LINES_LNOTAB:
        walk_lnotab(table, bytes, line, sink);
        break;
    case WIRE_LINES_RANGES:
        walk_ranges(table, bytes, line, sink);
        break;
    case WIRE_LINES_LOCATIONS:
        walk_locations(table, bytes, line, sink);
        break;
    default: /* WIRE_LINES_TOLD */
        break;
    }
}

uint32_t line_table_units(enum wire_line_table kind, const uint8_t *table, size_t bytes)
{
    struct sink sink = {0};
    walk_table(kind, table, bytes, 1, &sink);
    return sink.at;
}

void line_table_decode(enum wire_line_table kind, const uint8_t *table, size_t bytes,
                       int32_t first_line, int32_t *lines, uint32_t units)
{
    struct sink sink = {.lines = lines, .units = units};
    for (uint32_t i = 0; i < units; i++)
        lines[i] = LINE_NONE;
    walk_table(kind, table, bytes, first_line, &sink);
}
