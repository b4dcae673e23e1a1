/*
 * A long run in a short time: writes the stream of a made-up program into a ring, lets the
 * collector decode it, and lets its clock run as fast as the events come. What a program of an hour
 * and a billion events costs in memory and in the file is so seen in minutes.
 *
 * The program has up to LIVE blocks, one of which at a time, mostly one of the HOT first, is freed
 * or allocated anew, from some ten thousand stacks.
 *
 * Prints a line of figures for each tenth of the run, as JSON: events, seconds of the run, the
 * collector's resident memory, the file's size, the history's part of that, computing time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/book/slices.h"
#include "collector/store/recording_writer.h"
#include "collector/stream/decode.h"
#include "stream.h"

#define LOG2_WORDS    18u
#define DECODE_WORDS  10000u
#define CODES         200u
#define LIVE          50000u
#define HOT           16u
#define SECOND_NS     UINT64_C(1000000000)
#define SAMPLE_NS     UINT64_C(10000000)
#define ADDRESS(slot) (UINT64_C(0x7f0000000000) + (uint64_t)(slot)*64)

struct long_run {
    struct stream stream;
    struct recording_writer writer;
    struct recorded_run about;
    const char *path;
    uint64_t events, made;
    uint64_t length_ns, now_ns, told_ms, next_snapshot_ns, next_sample_ns;
    uint64_t decoded_at; /* words */
    uint64_t state;
    bool live[LIVE];
};

static uint32_t below(struct long_run *run, uint32_t limit)
{
    run->state = run->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((run->state >> 32) * limit >> 32);
}

static void make_codes(struct long_run *run)
{
    char file[64], name[64];
    for (uint32_t i = 0; i < CODES; i++) {
        snprintf(file, sizeof file, "/made/module%u.py", i / 10);
        snprintf(name, sizeof name, "function%u", i);
        stream_code(&run->stream, WIRE_CODE_FIRST + i, file, name, (int)(i % 10) * 70 + 1);
    }
}

static void make_event(struct long_run *run)
{
    uint32_t slot = below(run, below(run, 8) ? HOT : LIVE);
    if (run->live[slot]) {
        stream_free(&run->stream, ADDRESS(slot));
    } else {
        if (below(run, 64) == 0)
            stream_frame(&run->stream, 0, WIRE_CODE_FIRST + below(run, CODES), below(run, 64));
        stream_allocation(&run->stream, 0, ADDRESS(slot), 16u << below(run, 8));
    }
    run->live[slot] = !run->live[slot];
    run->made++;
}

/* The stream's clock moves every millisecond. */
static void move_clock(struct long_run *run)
{
    run->now_ns = (uint64_t)((double)run->made / (double)run->events * (double)run->length_ns);
    if (run->now_ns / 1000000 == run->told_ms)
        return;
    run->told_ms = run->now_ns / 1000000;
    stream_put(&run->stream, wire_first(WIRE_TIME) | (run->stream.run.started_ns + run->now_ns));
}

/* What a session does between two looks at the ring. */
static void collect(struct long_run *run)
{
    struct run *of = &run->stream.run;
    struct process *process = run->stream.process;
    stream_decode(&run->stream);
    run->decoded_at = run->stream.position;
    uint64_t now = of->started_ns + run->now_ns;
    if (run->now_ns >= run->next_sample_ns) {
        samples_take(&process->book.samples, &process->book.sums, process->peer.pid, now,
                     run_seconds(of, now), false);
        run->next_sample_ns = run->now_ns + SAMPLE_NS;
    }
    slices_take(&of->ledger, &process->book, now);
    if (run->now_ns < run->next_snapshot_ns)
        return;
    if (recording_snapshot(&run->writer, of, process, &run->about) != RECORDING_WRITTEN) {
        fprintf(stderr, "long_run: %s\n", run->writer.database.trouble);
        exit(1);
    }
    run->next_snapshot_ns = run->now_ns + SECOND_NS;
}

static uint64_t resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*u %llu", &pages) != 1)
        exit(1);
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The pages of what tells of the run over time. */
static uint64_t history_bytes(const struct long_run *run)
{
    sqlite3_stmt *statement;
    uint64_t bytes = 0;
    if (sqlite3_prepare_v2(run->writer.database.connection,
                           "SELECT sum(pgsize) FROM dbstat WHERE name IN ('history_chunk', "
                           "'checkpoint_chunk', 'slice_chunk')",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        bytes = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return bytes;
}

static void print_figures(const struct long_run *run)
{
    struct stat file = {0};
    stat(run->path, &file);
    printf("{\"events\": %" PRIu64 ", \"seconds\": %.1f, \"resident\": %" PRIu64
           ", \"file\": %" PRIu64 ", \"history\": %" PRIu64 ", \"computed\": %.2f}\n",
           run->made, (double)run->now_ns / 1e9, resident_bytes(), (uint64_t)file.st_size,
           history_bytes(run), (double)clock_computed() / 1e9);
    fflush(stdout);
}

static void play(struct long_run *run)
{
    uint64_t next_figures = run->events / 10;
    make_codes(run);
    while (run->made < run->events) {
        make_event(run);
        move_clock(run);
        if (run->stream.position - run->decoded_at >= DECODE_WORDS)
            collect(run);
        if (run->made < next_figures)
            continue;
        run->next_snapshot_ns = 0;
        collect(run);
        sqlite3_wal_checkpoint_v2(run->writer.database.connection, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                  NULL, NULL);
        print_figures(run);
        next_figures += run->events / 10;
    }
}

static void finish(struct long_run *run)
{
    struct process *process = run->stream.process;
    process->peer.ended = true;
    process->peer.ended_time = (double)run->now_ns / 1e9;
    samples_take(&process->book.samples, &process->book.sums, process->peer.pid, 0,
                 process->peer.ended_time, true);
    slices_end(&run->stream.run.ledger, &process->book);
    if (recording_snapshot(&run->writer, &run->stream.run, process, &run->about) !=
            RECORDING_WRITTEN ||
        !recording_peak(&run->writer, &run->stream.run, &process, 1) ||
        !recording_complete(&run->writer, process->peer.ended_time, true, NULL))
        exit(1);
    recording_close(&run->writer);
    stream_deinit(&run->stream);
}

/* The process begins with the run. */
static void begin(struct stream *stream)
{
    stream->run.started_ns = clock_now();
    stream->process->peer.started = stream->process->book.now = 0;
    history_writer_set_time(&stream->process->book.history.writer, 0);
}

int main(int count, char **words)
{
    if (count != 5) {
        fprintf(stderr, "Usage: long_run EVENTS SECONDS history|no-history FILE\n");
        return 2;
    }
    struct long_run *run = calloc(1, sizeof *run);
    if (!run)
        return 1;
    run->events = strtoull(words[1], NULL, 10);
    run->length_ns = strtoull(words[2], NULL, 10) * SECOND_NS;
    run->path = words[4];
    run->about = (struct recorded_run){.command = "[\"long_run\"]",
                                       .directory = "/",
                                       .started = (double)clock_read(CLOCK_REALTIME) / 1e9,
                                       .keeps_history = !strcmp(words[3], "history")};
    stream_init(&run->stream, LOG2_WORDS, run->about.keeps_history);
    begin(&run->stream);
    if (!recording_create(&run->writer, run->path, true, &run->about)) {
        fprintf(stderr, "long_run: %s\n", run->writer.database.trouble);
        return 1;
    }
    play(run);
    finish(run);
    free(run);
    return 0;
}
