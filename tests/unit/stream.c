/*
 * Hand-made streams.
 */
#include "stream.h"

#include "collector/book/book_reader.h"
#include "collector/stream/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Line table of 3.11+: 64 code units, each with a line of its own, one after the other. */
#define TABLE_UNITS 64

static struct process *new_process(struct run *run, uint32_t number, pid_t pid, unsigned log2_words)
{
    int parts[RING_PARTS];
    const struct ring_plan plan = {.log2_words = log2_words, .overflow = RING_OVERFLOW_BLOCK};
    struct arrival own = {.connection = -1, .peer = {.local = true, .pid = pid}};
    struct process *process = process_new(run, &own, &plan, parts);
    if (!process)
        abort();
    process->peer.number = number;
    process->peer.local = 0; /* nobody looks at our own memory but who wants to (test_survey.c) */
    ring_close_parts(parts);
    return process;
}

void stream_init(struct stream *stream, unsigned log2_words, bool keeps_history)
{
    *stream = (struct stream){0};
    if (!run_init(&stream->run))
        abort();
    stream->run.ledger.keeps_history = keeps_history;
    stream->process = new_process(&stream->run, 1, getpid(), log2_words);
}

void stream_init_beside(struct stream *stream, struct stream *first, pid_t pid)
{
    *stream = (struct stream){0};
    stream->process = new_process(&first->run, 2, pid, first->process->ring.log2_words);
}

void stream_deinit(struct stream *stream)
{
    process_free(stream->process);
    run_deinit(&stream->run);
}

void stream_put(struct stream *stream, uint64_t word)
{
    struct process *process = stream->process;
    atomic_store(&process->ring.words[stream->position & process->ring.mask],
                 (word & ~WIRE_LAP_BIT) | wire_lap_bit(stream->position, process->ring.log2_words));
    stream->position++;
}

void stream_publish(struct stream *stream)
{
    atomic_store(&stream->process->ring.writers->head, stream->position);
}

void stream_decode(struct stream *stream)
{
    stream_publish(stream);
    while (decode_ring(&stream->run, stream->process, UINT64_MAX, DECODE_ALL))
        ;
}

static struct live_row *new_rows(const struct stream *stream)
{
    struct live_row *rows = calloc(stream->process->book.counters.count + 1u, sizeof *rows);
    return rows ? rows : (abort(), NULL);
}

/* The lifetimes that the chunk tells of must be those of as many blocks as its pairs have freed. */
static void check_lifetimes(struct history_reader *reader, const struct history_chunk *chunk,
                            uint32_t counters)
{
    struct lifetimes *lifetimes = calloc(counters, sizeof *lifetimes);
    if (!lifetimes ||
        !history_read_lifetimes(reader, chunk->data + chunk->summary_size + chunk->events_size,
                                chunk->lifetimes_size, lifetimes))
        abort();
    free(lifetimes);
}

/* Plays every event of a chunk; their sums must be those of its pairs. */
static void play_chunk(struct live_row *live, struct history_reader *reader,
                       const struct history_chunk *chunk, uint32_t counters)
{
    struct history_event event;
    uint64_t allocations = 0;
    int64_t left = 0, announced = 0;
    if (!history_reader_open(reader, &chunk->span, counters, chunk->data, chunk->summary_size))
        abort();
    for (uint32_t i = 0; i < reader->pair_count; i++) {
        announced += (int64_t)reader->pairs[i].allocations - reader->pairs[i].frees;
        allocations += reader->pairs[i].allocations;
    }
    if (!history_reader_begin(reader, chunk->data + chunk->summary_size, chunk->events_size))
        abort();
    while (history_next(reader, &event) == HISTORY_EVENT) {
        int64_t change = event.kind == HISTORY_FREE ? -1 : 1;
        struct live_row *row = &live[event.pair->counter];
        row->blocks += (uint64_t)change;
        row->bytes += (uint64_t)change * event.pair->size;
        left += change;
        allocations -= event.kind == HISTORY_ALLOCATION;
    }
    struct history_event none;
    if (history_next(reader, &none) != HISTORY_END || left != announced || allocations)
        abort();
    check_lifetimes(reader, chunk, counters);
}

static void take_checkpoint(struct live_row *live, const struct history_part *part)
{
    struct chunk_reader reader;
    struct live_row row;
    if (!chunk_reader_init(&reader) || !chunk_reader_open(&reader, part->data, part->size))
        abort();
    for (uint32_t i = 0; i < part->rows; i++) {
        if (!chunk_next_live(&reader, &row))
            abort();
        if (live[row.counter].blocks != row.blocks || live[row.counter].bytes != row.bytes)
            abort();
    }
    chunk_reader_deinit(&reader);
}

void stream_check_history(struct stream *stream)
{
    struct process *process = stream->process;
    struct history_reader reader;
    struct live_row *live = new_rows(stream);
    uint64_t events = 0;
    book_finish_chunk(&stream->run.ledger, &process->book);
    if (!history_reader_init(&reader))
        abort();
    for (struct history_part *part; (part = history_queue_take(&process->book.history));) {
        if (part->chunk) {
            if (part->chunk->span.first_event != events)
                abort();
            events += part->chunk->span.events;
            play_chunk(live, &reader, part->chunk, process->book.counters.count);
        } else {
            take_checkpoint(live, part);
        }
        history_part_free(part);
    }
    if (events != process->book.sums.events)
        abort();
    for (uint32_t i = 1; i < process->book.counters.count; i++) {
        const struct counter *counter = counters_at(&process->book.counters, i);
        if (live[i].blocks != counter_blocks(counter) || live[i].bytes != counter->bytes)
            abort();
    }
    history_reader_deinit(&reader);
    free(live);
}

static void put_allocation(struct stream *stream, enum wire_allocator allocator, uint64_t second,
                           uint64_t address, uint64_t size)
{
    uint64_t first = wire_first(WIRE_ALLOCATION) | (uint64_t)allocator << WIRE_ALLOCATOR_SHIFT |
                     (uint64_t)WIRE_DEPTH_CHANGE_BIAS << WIRE_DEPTH_CHANGE_SHIFT | address;
    if (size > WIRE_SIZE_MASK) {
        stream_put(stream, first | WIRE_WIDE_BIT);
        stream_put(stream, second);
        stream_put(stream, size);
    } else {
        stream_put(stream, first);
        stream_put(stream, second | size << WIRE_SIZE_SHIFT);
    }
}

/* What large blocks have untouched is the same by counters and by ranges. */
static void check_untouched(const struct book *book)
{
    uint64_t by_counter = 0, by_range = 0;
    const struct mappings *ranges = &book->presence.ranges;
    const struct untouched *list = book->presence.counters.data;
    for (uint32_t i = 1; i <= book->presence.counter_count; i++)
        by_counter += list[i].bytes;
    for (uint32_t number = mappings_from(ranges, 0); number;
         number = mappings_from(ranges, mappings_range(ranges, number)->end))
        by_range += mappings_at(ranges, mappings_range(ranges, number)->mapping)->bytes;
    if (by_counter != book->sums.untouched || by_range != book->sums.untouched)
        abort();
}

/* Of a single process the run's peaks are its own. */
static void check_run_peaks(const struct ledger *ledger, const struct heap_sums *sums)
{
    const struct run_peak *peak = &ledger->peak, *touched = &ledger->touched;
    if (peak->live_bytes != sums->bytes || peak->live_blocks != sums->blocks ||
        peak->bytes != sums->peak.bytes || peak->blocks != sums->peak.blocks ||
        touched->live_bytes != sums->bytes - sums->untouched ||
        touched->bytes != sums->touched.bytes || touched->blocks != sums->touched.blocks)
        abort();
}

void stream_check_sums(const struct stream *stream)
{
    const struct book *book = &stream->process->book;
    const struct heap_sums *sums = &book->sums;
    const struct run_peak *peak = &stream->run.ledger.peak;
    const struct book_totals totals = book_totals(book); /* adds up, in builds that assert */
    uint64_t bytes = 0, blocks = 0;
    for (uint32_t i = 1; i < book->counters.count; i++) {
        const struct counter *counter = counters_at(&book->counters, i);
        bytes += counter->is_apart ? 0 : counter->bytes;
        blocks += counter->is_apart ? 0 : counter->blocks;
    }
    if (bytes != totals.now.bytes || blocks != totals.now.blocks ||
        blocks + sums->frees != sums->allocations)
        abort();
    check_untouched(book);
    if (!book->has_left)
        check_run_peaks(&stream->run.ledger, sums);
    else if (peak->live_bytes || peak->live_blocks) /* what it says after that is nobody's */
        abort();
}

void stream_allocation(struct stream *stream, unsigned thread, uint64_t address, uint64_t size)
{
    put_allocation(stream, WIRE_ALLOCATOR_OBJECT, (uint64_t)thread << WIRE_THREAD_SHIFT, address,
                   size);
}

void stream_bare_allocation(struct stream *stream, uint64_t address, uint64_t size)
{
    put_allocation(stream, WIRE_ALLOCATOR_OBJECT, WIRE_NO_STACK_BIT, address, size);
}

void stream_map(struct stream *stream, unsigned thread, uint64_t address, uint64_t size)
{
    put_allocation(stream, WIRE_ALLOCATOR_MMAP,
                   (uint64_t)thread << WIRE_THREAD_SHIFT | WIRE_NO_STACK_BIT, address, size);
}

static void put_unmap(struct stream *stream, unsigned thread, uint64_t address, uint64_t second)
{
    stream_put(stream,
               wire_first(WIRE_UNMAP) | (uint64_t)thread << WIRE_REALLOC_THREAD_SHIFT | address);
    stream_put(stream, second);
}

void stream_unmap(struct stream *stream, unsigned thread, uint64_t address, uint64_t size)
{
    put_unmap(stream, thread, address, size);
}

void stream_unmap_failed(struct stream *stream, unsigned thread, uint64_t address, uint64_t size)
{
    put_unmap(stream, thread, address, size | WIRE_UNMAP_FAILED_BIT);
}

void stream_time(struct stream *stream, uint64_t time_ns)
{
    stream_put(stream, wire_first(WIRE_TIME) | time_ns);
}

void stream_free(struct stream *stream, uint64_t address)
{
    stream_put(stream, wire_first(WIRE_FREE) | address);
}

static void put_bytes(struct stream *stream, const unsigned char *bytes, size_t count)
{
    for (size_t at = 0; at < count; at += WIRE_BYTES_PER_WORD) {
        uint64_t word = 0;
        size_t part = count - at < WIRE_BYTES_PER_WORD ? count - at : WIRE_BYTES_PER_WORD;
        memcpy(&word, bytes + at, part);
        stream_put(stream, word);
    }
}

void stream_code(struct stream *stream, uint32_t number, const char *file, const char *name,
                 int first_line)
{
    unsigned char description[512];
    struct wire_code head = {.first_line = first_line,
                             .line_table = WIRE_LINES_LOCATIONS,
                             .file_width = 1,
                             .name_width = 1,
                             .file_bytes = (uint32_t)strlen(file),
                             .name_bytes = (uint32_t)strlen(name),
                             .table_bytes = TABLE_UNITS * 3};
    size_t bytes = sizeof head + head.file_bytes + head.name_bytes + head.table_bytes;
    unsigned char *out = description;
    memcpy(out, &head, sizeof head);
    memcpy(out += sizeof head, file, head.file_bytes);
    memcpy(out += head.file_bytes, name, head.name_bytes);
    out += head.name_bytes;
    for (int i = 0; i < TABLE_UNITS; i++, out += 3) {
        out[0] = 0x80 | (i ? 11 : 10) << 3; /* one unit; the line steps by one, or not */
        out[1] = out[2] = 0;
    }
    stream_put(stream, wire_first(WIRE_CODE) | WIRE_CODE_BEGIN_BIT |
                           (uint64_t)number << WIRE_CODE_SHIFT | bytes);
    put_bytes(stream, description, bytes);
}

void stream_text(struct stream *stream, bool begins, const void *bytes, size_t count)
{
    stream_put(stream, wire_first(WIRE_MARK) | (uint64_t)WIRE_MARK_TEXT << WIRE_MARK_SHIFT |
                           (begins ? WIRE_TEXT_BEGIN_BIT : 0) | count);
    put_bytes(stream, bytes, count);
}

void stream_frame(struct stream *stream, unsigned thread, uint32_t code, uint32_t instruction)
{
    stream_put(stream, wire_first(WIRE_STACK) | (uint64_t)thread << WIRE_STACK_THREAD_SHIFT |
                           UINT64_C(1) << WIRE_STACK_COUNT_SHIFT | 1);
    stream_put(stream, (uint64_t)code << WIRE_CODE_SHIFT | instruction);
}
