/*
 * Recordings without a program: rows of store.sql and chunks of chunk.h from a random generator.
 *
 * Every process has the sums of its counters, so that the result is a sound recording. Locations
 * are spread over as many functions as a tenth of them and as many files as a hundredth.
 */
#include "recording_maker.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "chunk.h"
#include "store.h"
#include "wire.h"

#define LINES_A_FILE 1000u

struct maker {
    sqlite3 *database;
    struct chunk_writer chunk;
    const struct made_recording *made;
    uint64_t state;
};

static uint64_t maker_random(struct maker *maker, uint64_t below)
{
    maker->state = maker->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (maker->state >> 33) % below;
}

static bool maker_run(struct maker *maker, const char *statement)
{
    if (sqlite3_exec(maker->database, statement, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    fprintf(stderr, "%s: %s\n", statement, sqlite3_errmsg(maker->database));
    return false;
}

/* Runs a statement made of numbers and plain words. */
static bool maker_print(struct maker *maker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool maker_print(struct maker *maker, const char *format, ...)
{
    char statement[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(statement, sizeof statement, format, arguments);
    va_end(arguments);
    return maker_run(maker, statement);
}

static bool make_names(struct maker *maker)
{
    uint32_t locations = maker->made->locations;
    for (uint32_t i = 0; i <= locations / 100; i++)
        if (!maker_print(
                maker,
                "INSERT INTO file VALUES (%u, '/made/package/module%u.py', 'package%u', NULL)",
                i + 1, i, i % 3))
            return false;
    for (uint32_t i = 0; i <= locations / 10; i++)
        if (!maker_print(maker, "INSERT INTO code VALUES (%u, %u, 'function%u', %u)", i + 1,
                         i / 10 + 1, i % 50, i % 10 * 10 + 1))
            return false;
    for (uint32_t i = 0; i < locations; i++)
        if (!maker_print(maker, "INSERT INTO location VALUES (%u, %u, %u)", i + 1, i / 10 + 1,
                         i % LINES_A_FILE + 1))
            return false;
    return true;
}

/* A source whose line n is "n bottles of beer". */
static bool make_source(struct maker *maker)
{
    char text[LINES_A_FILE * 32], packed[sizeof text], *out = text;
    for (unsigned line = 1; line <= LINES_A_FILE; line++)
        out += sprintf(out, "    %u bottles of beer\n", line);
    size_t size = (size_t)(out - text);
    size_t packed_size = ZSTD_compress(packed, sizeof packed, text, size, 1);
    sqlite3_stmt *statement;
    if (ZSTD_isError(packed_size) ||
        sqlite3_prepare_v2(maker->database, "INSERT INTO source VALUES (1, ?, ?)", -1, &statement,
                           NULL) != SQLITE_OK)
        return false;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)size);
    sqlite3_bind_blob(statement, 2, packed, (int)packed_size, SQLITE_STATIC);
    bool good = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return good;
}

static bool make_chunk(struct maker *maker, const char *query, uint32_t process, uint32_t first)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(maker->database, query, -1, &statement, NULL) != SQLITE_OK)
        return false;
    uint32_t rows = maker->chunk.rows;
    const uint8_t *data;
    size_t size = chunk_writer_finish(&maker->chunk, &data);
    sqlite3_bind_int64(statement, 1, first);
    sqlite3_bind_int64(statement, 2, rows);
    sqlite3_bind_blob(statement, 3, data, (int)size, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, process);
    bool good = size && sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return good;
}

static bool make_nodes(struct maker *maker)
{
    const struct made_recording *made = maker->made;
    uint32_t first = 1;
    for (uint32_t node = 1; node <= made->nodes; node++) {
        bool is_deeper = node > 1 && maker_random(maker, made->depth);
        struct node_row row = {
            .parent = is_deeper ? node - 1 - (uint32_t)maker_random(maker, node < 5 ? 1 : 4) : 0,
            .location = 1 + (uint32_t)maker_random(maker, made->locations),
        };
        chunk_add_node(&maker->chunk, node, &row);
        if (maker->chunk.rows < CHUNK_ROWS && node < made->nodes)
            continue;
        if (!make_chunk(maker, "INSERT INTO node_chunk VALUES (?1, ?2, ?3)", 0, first))
            return false;
        first = node + 1;
    }
    return true;
}

/* One counter; what it holds at the moments is a part of what it allocated. */
static struct counter_row make_counter(struct maker *maker, uint32_t process, uint32_t number)
{
    uint64_t size = 1 + maker_random(maker, maker_random(maker, 1000) ? 600 : 300000);
    uint64_t allocations = 1 + maker_random(maker, 50);
    uint64_t peak = maker_random(maker, allocations + 1);
    uint64_t end = maker_random(maker, peak + 1), leaked = maker_random(maker, end + 1);
    return (struct counter_row){
        .node = number % (maker->made->nodes + 1),
        .thread = process * 2 + (uint32_t)maker_random(maker, 2),
        .allocator = (uint8_t)maker_random(maker, WIRE_ALLOCATOR_FILE),
        .size_class = (uint8_t)size_class_of(size),
        .allocations = allocations,
        .allocated_bytes = allocations * size,
        .peak_blocks = peak,
        .peak_bytes = peak * size,
        .end_blocks = end,
        .end_bytes = end * size,
        .leaked_blocks = leaked,
        .leaked_bytes = leaked * size,
    };
}

static bool make_counters(struct maker *maker, uint32_t process, struct counter_row *sums)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < maker->made->counters; i++) {
        struct counter_row row = make_counter(maker, process, i);
        counter_row_add(sums, &row);
        chunk_add_counter(&maker->chunk, &row);
        if (maker->chunk.rows < CHUNK_ROWS && i + 1 < maker->made->counters)
            continue;
        if (!make_chunk(maker, "INSERT INTO counter_chunk VALUES (?4, ?1, ?2, ?3)", process, first))
            return false;
        first = i + 1;
    }
    return true;
}

static bool make_process(struct maker *maker, uint32_t process)
{
    struct counter_row sums = {0};
    for (uint32_t i = 0; i < 2; i++)
        if (!maker_print(maker, "INSERT INTO thread VALUES (%u, %u, %u, 'thread-%u')",
                         process * 2 + i, process, 1000 + process + i, i))
            return false;
    return make_counters(maker, process, &sums) &&
           maker_print(maker,
                       "INSERT INTO process VALUES (%u, %u, %s, '[\"python3\", \"made.py\"]', "
                       "'/made', '3.12.1', 1, 0.125, 2.5, 0, NULL, %llu, %llu, 1.5, 0, %llu, "
                       "%llu, 2.25, 0, 1, %llu, %llu, %llu, %llu, %llu, 0, 3, 0)",
                       process, 1000 + process, process == 1 ? "NULL" : "1001",
                       (unsigned long long)sums.peak_bytes, (unsigned long long)sums.peak_blocks,
                       (unsigned long long)sums.end_bytes, (unsigned long long)sums.end_blocks,
                       (unsigned long long)sums.leaked_bytes,
                       (unsigned long long)sums.leaked_blocks, (unsigned long long)sums.allocations,
                       (unsigned long long)(sums.allocations - sums.leaked_blocks),
                       (unsigned long long)sums.allocated_bytes);
}

/* All processes are at their own peaks at the same time. */
static bool make_peak(struct maker *maker)
{
    return maker_run(maker, "INSERT INTO run_peak_process "
                            "SELECT id, peak_events, peak_bytes, peak_blocks FROM process;"
                            "INSERT INTO run_peak SELECT 1, sum(bytes), sum(blocks), 1.5 "
                            "FROM run_peak_process");
}

static bool make_all(struct maker *maker)
{
    if (!maker_run(maker, store_sql) || !maker_run(maker, "BEGIN") ||
        !maker_run(maker, "INSERT INTO run VALUES (1, '0.1.0', '[\"python3\", \"made.py\"]', "
                          "'/made', 1795000000.5, 0, 2.5, 1, NULL)") ||
        !make_names(maker) || !make_source(maker) || !make_nodes(maker))
        return false;
    for (uint32_t process = 1; process <= maker->made->processes; process++)
        if (!make_process(maker, process))
            return false;
    return make_peak(maker) && maker_run(maker, "COMMIT");
}

bool recording_make(const char *path, const struct made_recording *made)
{
    struct maker maker = {.made = made, .state = made->seed};
    bool good = chunk_writer_init(&maker.chunk) &&
                sqlite3_open(path, &maker.database) == SQLITE_OK && make_all(&maker);
    if (!good)
        fprintf(stderr, "%s could not be made\n", path);
    sqlite3_close(maker.database);
    chunk_writer_deinit(&maker.chunk);
    return good;
}
