/*
 * Reading chunks of history. Whatever a chunk says is checked before it is used: it may come from a
 * damaged file or a hostile one.
 */
#include "history.h"

#include <stdlib.h>

#include "varint.h"

/* What a frame may decompress to: more than any chunk has. */
#define FRAME_BYTES_MAX (4u << 20)

struct history_exception {
    uint64_t block;
    uint32_t pair;
    bool restored;
};

bool history_reader_init(struct history_reader *reader)
{
    *reader = (struct history_reader){
        .pairs = malloc(HISTORY_EVENTS_MAX * sizeof *reader->pairs),
        .exceptions = malloc(HISTORY_EVENTS_MAX * sizeof *reader->exceptions),
        .marks = malloc(HISTORY_MARKS_MAX * sizeof *reader->marks),
        .pair_of = malloc(HISTORY_EVENTS_MAX * sizeof *reader->pair_of),
    };
    return unpacker_init(&reader->unpacker) && reader->pairs && reader->exceptions &&
           reader->marks && reader->pair_of;
}

void history_reader_deinit(struct history_reader *reader)
{
    free(reader->pairs);
    free(reader->exceptions);
    free(reader->marks);
    free(reader->pair_of);
    unpacker_deinit(&reader->unpacker);
    *reader = (struct history_reader){0};
}

static bool get(struct history_reader *reader, uint64_t most, uint64_t *value)
{
    return varint_get(&reader->at, reader->end, value) && *value <= most;
}

static bool unpack(struct history_reader *reader, const void *data, size_t size)
{
    size_t plain;
    if (!unpacker_unpack(&reader->unpacker, data, size, FRAME_BYTES_MAX, &plain))
        return false;
    reader->at = reader->unpacker.plain;
    reader->end = reader->at + plain;
    return true;
}

/* --- the summary
 * ----------------------------------------------------------------------------------- */

static bool read_pair(struct history_reader *reader, uint32_t counters, uint32_t before,
                      struct history_pair *pair)
{
    uint64_t step, allocations, frees, most = reader->span.events;
    if (!get(reader, UINT64_MAX, &step) || !get(reader, HISTORY_SIZE_MAX - 1, &pair->size) ||
        !get(reader, most, &allocations) || !get(reader, 2 * most, &frees))
        return false;
    /* Unsigned, so that a wild step cannot overflow. */
    uint64_t counter = (uint64_t)before + (uint64_t)unzigzag(step);
    pair->counter = (uint32_t)counter;
    pair->allocations = (uint32_t)allocations;
    pair->frees = (int32_t)unzigzag(frees);
    return counter >= 1 && counter <= counters;
}

static bool read_pairs(struct history_reader *reader, uint32_t counters)
{
    uint64_t allocations = 0;
    for (uint32_t i = 0; i < reader->pair_count; i++) {
        if (!read_pair(reader, counters, i ? reader->pairs[i - 1].counter : 0, &reader->pairs[i]))
            return false;
        allocations += reader->pairs[i].allocations;
    }
    return allocations <= reader->span.events;
}

static bool read_exceptions(struct history_reader *reader)
{
    uint64_t distance = 0;
    for (uint32_t i = 0; i < reader->exception_count; i++) {
        uint64_t step, pair;
        if (!get(reader, UINT64_MAX, &step) || !get(reader, UINT32_MAX, &pair) ||
            pair >> 1 >= reader->pair_count)
            return false;
        distance += (uint64_t)unzigzag(step);
        uint64_t block = reader->span.first_block - distance;
        bool restored = pair & 1;
        /* A freed one is older than the chunk; a restored one may be of it. */
        if (block >= reader->span.first_block + (restored ? reader->span.events : 0))
            return false;
        reader->exceptions[i] = (struct history_exception){block, (uint32_t)(pair >> 1), restored};
    }
    return true;
}

static bool read_marks(struct history_reader *reader)
{
    struct history_mark mark = {0};
    for (uint32_t i = 0; i < reader->mark_count; i++) {
        uint64_t events, blocks, step;
        if (!get(reader, reader->span.events - 1 - mark.event, &events) ||
            (events == 0) != (i == 0) || !get(reader, events, &blocks) ||
            !get(reader, INT64_MAX - mark.time_us, &step))
            return false;
        mark.event += (uint32_t)events;
        mark.block += (uint32_t)blocks;
        mark.time_us += step;
        reader->marks[i] = mark;
    }
    return true;
}

bool history_reader_open(struct history_reader *reader, const struct history_span *span,
                         uint32_t counters, const void *summary, size_t size)
{
    uint64_t pairs, exceptions, marks;
    reader->span = *span;
    if (span->events < 1 || span->events > HISTORY_EVENTS_MAX || span->first_block > INT64_MAX ||
        !unpack(reader, summary, size) || !get(reader, span->events, &pairs) ||
        !get(reader, span->events, &exceptions) || !get(reader, HISTORY_MARKS_MAX, &marks) ||
        marks < 1)
        return false;
    reader->pair_count = (uint32_t)pairs;
    reader->exception_count = (uint32_t)exceptions;
    reader->mark_count = (uint32_t)marks;
    return read_pairs(reader, counters) && read_exceptions(reader) && read_marks(reader) &&
           reader->at == reader->end;
}

/* Of one measure; the blocks must be those that the pair frees. */
static bool read_classes(struct history_reader *reader, unsigned mask,
                         const struct history_pair *pair, int64_t *by_class)
{
    int64_t sum = 0;
    for (unsigned decade = 0; decade < LIFETIME_CLASSES; decade++) {
        uint64_t count;
        if (!(mask >> decade & 1))
            continue;
        if (!get(reader, 2 * (uint64_t)reader->span.events, &count))
            return false;
        by_class[decade] += unzigzag(count);
        sum += unzigzag(count);
    }
    return sum == pair->frees;
}

bool history_read_lifetimes(struct history_reader *reader, const void *data, size_t size,
                            struct lifetimes *by_counter)
{
    bool sound = unpack(reader, data, size);
    for (uint32_t i = 0; sound && i < reader->pair_count; i++) {
        const struct history_pair *pair = &reader->pairs[i];
        struct lifetimes *lifetimes = &by_counter[pair->counter - 1];
        uint64_t mask;
        sound = get(reader, (1u << 2 * LIFETIME_CLASSES) - 1, &mask) &&
                read_classes(reader, (unsigned)mask, pair, lifetimes->by_age) &&
                read_classes(reader, (unsigned)mask >> LIFETIME_CLASSES, pair, lifetimes->by_time);
    }
    return sound && reader->at == reader->end;
}

const struct history_pair *history_exception(const struct history_reader *reader, uint32_t number,
                                             uint64_t *block, bool *restored)
{
    const struct history_exception *exception = &reader->exceptions[number];
    *block = exception->block;
    *restored = exception->restored;
    return &reader->pairs[exception->pair];
}

/* --- events ----------------------------------------------------------------------------------- */

/* Takes the mark that holds from the event at hand on. */
static void take_mark(struct history_reader *reader)
{
    reader->time_us = reader->marks[reader->mark++].time_us;
    reader->mark_event =
        reader->mark < reader->mark_count ? reader->marks[reader->mark].event : UINT32_MAX;
}

bool history_reader_begin(struct history_reader *reader, const void *events, size_t size)
{
    reader->event = reader->allocations = reader->exception = reader->mark = 0;
    reader->mark_event = 0;
    return unpack(reader, events, size);
}

static enum history_step next_allocation(struct history_reader *reader, uint64_t pair,
                                         struct history_event *event)
{
    if (pair >= reader->pair_count)
        return HISTORY_DAMAGED;
    reader->pair_of[reader->allocations] = (uint32_t)pair;
    *event =
        (struct history_event){HISTORY_ALLOCATION, reader->span.first_block + reader->allocations,
                               &reader->pairs[pair], reader->time_us};
    reader->allocations++;
    return HISTORY_EVENT;
}

static enum history_step next_free(struct history_reader *reader, uint64_t back,
                                   struct history_event *event)
{
    if (back > reader->allocations)
        return HISTORY_DAMAGED;
    uint32_t place = reader->allocations - (uint32_t)back;
    *event = (struct history_event){HISTORY_FREE, reader->span.first_block + place,
                                    &reader->pairs[reader->pair_of[place]], reader->time_us};
    return HISTORY_EVENT;
}

/* The restored block may be one of this chunk, which has had another size till now. */
static bool note_restored(struct history_reader *reader, const struct history_event *event)
{
    if (event->block < reader->span.first_block)
        return true;
    uint64_t place = event->block - reader->span.first_block;
    if (place >= reader->allocations)
        return false;
    reader->pair_of[place] = (uint32_t)(event->pair - reader->pairs);
    return true;
}

static enum history_step next_exception(struct history_reader *reader, struct history_event *event)
{
    if (reader->exception == reader->exception_count)
        return HISTORY_DAMAGED;
    bool restored;
    event->pair = history_exception(reader, reader->exception++, &event->block, &restored);
    if (restored && !note_restored(reader, event))
        return HISTORY_DAMAGED;
    event->kind = restored ? HISTORY_RESTORE : HISTORY_FREE;
    event->time_us = reader->time_us;
    return HISTORY_EVENT;
}

/* Passes over what stands behind an escape. False, and nothing is passed over: it is cut short. */
static bool skip_record(struct history_reader *reader)
{
    const uint8_t *at = reader->at;
    uint64_t kind, bytes;
    if (!varint_get(&at, reader->end, &kind) || !varint_get(&at, reader->end, &bytes) ||
        bytes > (size_t)(reader->end - at))
        return false;
    reader->at = at + bytes;
    reader->skipped++;
    return true;
}

/* The next code of an event. False: there is none, or it is damaged; then at is not the end. */
static bool next_code(struct history_reader *reader, uint64_t *code)
{
    const uint8_t *before = reader->at;
    while (varint_get(&reader->at, reader->end, code)) {
        if (__builtin_expect(*code != HISTORY_ESCAPE, 1))
            return true;
        if (!skip_record(reader)) {
            reader->at = before;
            return false;
        }
        before = reader->at;
    }
    return false;
}

/* At the end: has everything that was announced been there, and nothing that was not? */
static enum history_step finish(struct history_reader *reader)
{
    uint64_t code;
    if (reader->at != reader->end && next_code(reader, &code))
        return HISTORY_DAMAGED;
    bool all = reader->at == reader->end && reader->exception == reader->exception_count;
    return all ? HISTORY_END : HISTORY_DAMAGED;
}

enum history_step history_next(struct history_reader *reader, struct history_event *event)
{
    uint64_t code;
    if (reader->event == reader->span.events)
        return finish(reader);
    if (reader->event == reader->mark_event)
        take_mark(reader);
    reader->event++;
    if (!next_code(reader, &code))
        return HISTORY_DAMAGED;
    if (!(code & 1))
        return next_allocation(reader, code >> 1, event);
    return code == 1 ? next_exception(reader, event) : next_free(reader, code >> 1, event);
}
