/*
 * Set-up of the buffers and the end of a chunk. The buffers are as large as the worst chunk needs,
 * so that the hot part need not ask.
 */
#include "history_writer.h"

#include <stdlib.h>
#include <string.h>

#include "pages.h"

/* An event takes at most three bytes: 17 bits and the one that tells allocation from free. */
#define EVENT_BYTES_MAX     3u
#define MARK_BYTES_MAX      (3u + 3u + VARINT_BYTES_MAX)
#define EXCEPTION_BYTES_MAX (VARINT_BYTES_MAX + 3u)
/* Counter's difference, size, two counts. */
#define PAIR_BYTES_MAX (5u + 7u + 3u + 3u)
/* Mask and counts. */
#define LIFETIMES_BYTES_MAX (3u + 2u * LIFETIME_CLASSES * 3u)

/* A power of two. Most chunks have few pairs, and those look nowhere else. */
#define SLOTS_AT_FIRST 1024u

_Static_assert(HISTORY_EVENTS_MAX <= 1u << 16,
               "an event's varint has at most three bytes, and a pair's number fits pair_of");

/* All slots of the table are zero from then on: those that it did not have before, too. */
static void make_clear(struct history_writer *writer)
{
    uint32_t wanted = writer->slot_mask + 1;
    if (wanted <= writer->slots_clear)
        return;
    memset(writer->slots + writer->slots_clear, 0,
           (wanted - writer->slots_clear) * sizeof *writer->slots);
    writer->slots_clear = wanted;
}

bool history_writer_init(struct history_writer *writer)
{
    *writer = (struct history_writer){
        .pairs = malloc(HISTORY_EVENTS_MAX * sizeof *writer->pairs),
        .classes = malloc(HISTORY_EVENTS_MAX * sizeof *writer->classes),
        .pair_of = malloc(HISTORY_EVENTS_MAX * sizeof *writer->pair_of),
        .slot_of = malloc(HISTORY_EVENTS_MAX * sizeof *writer->slot_of),
        .slots = malloc(HISTORY_SLOTS_MAX * sizeof *writer->slots),
        .slot_mask = SLOTS_AT_FIRST - 1,
        .events_most = HISTORY_EVENTS_MAX,
        .seed = hash_seed_new(),
        .marks.data = malloc(HISTORY_MARKS_MAX * MARK_BYTES_MAX),
        .events.data = malloc(HISTORY_EVENTS_MAX * EVENT_BYTES_MAX),
        .exceptions.data = malloc(HISTORY_EVENTS_MAX * EXCEPTION_BYTES_MAX),
    };
    if (writer->slots)
        make_clear(writer);
    return writer->pairs && writer->classes && writer->pair_of && writer->slot_of &&
           writer->slots && writer->marks.data && writer->events.data && writer->exceptions.data;
}

void history_writer_deinit(struct history_writer *writer)
{
    free(writer->pairs);
    free(writer->classes);
    free(writer->pair_of);
    free(writer->slot_of);
    free(writer->slots);
    free(writer->marks.data);
    free(writer->events.data);
    free(writer->exceptions.data);
    *writer = (struct history_writer){0};
}

void history_writer_rest(struct history_writer *writer)
{
    if (writer->span.events || !writer->pairs)
        return;
    pages_give_back(writer->pairs, HISTORY_EVENTS_MAX * sizeof *writer->pairs);
    pages_give_back(writer->classes, HISTORY_EVENTS_MAX * sizeof *writer->classes);
    pages_give_back(writer->pair_of, HISTORY_EVENTS_MAX * sizeof *writer->pair_of);
    pages_give_back(writer->slot_of, HISTORY_EVENTS_MAX * sizeof *writer->slot_of);
    pages_give_back(writer->slots, HISTORY_SLOTS_MAX * sizeof *writer->slots);
    pages_give_back(writer->marks.data, HISTORY_MARKS_MAX * MARK_BYTES_MAX);
    pages_give_back(writer->events.data, HISTORY_EVENTS_MAX * EVENT_BYTES_MAX);
    pages_give_back(writer->exceptions.data, HISTORY_EVENTS_MAX * EXCEPTION_BYTES_MAX);
}

static void append_bytes(struct history_bytes *bytes, const struct history_bytes *more)
{
    memcpy(bytes->data + bytes->used, more->data, more->used);
    bytes->used += more->used;
}

/* The caller frees bytes.data; null when memory is short. */
static struct history_bytes encode_summary(const struct history_writer *writer)
{
    struct history_bytes bytes = {.data = malloc(3 * VARINT_BYTES_MAX +
                                                 (size_t)writer->pair_count * PAIR_BYTES_MAX +
                                                 writer->exceptions.used + writer->marks.used)};
    if (!bytes.data)
        return bytes;
    history_put(&bytes, writer->pair_count);
    history_put(&bytes, writer->exception_count);
    history_put(&bytes, writer->mark_count);
    uint32_t before = 0;
    for (uint32_t i = 0; i < writer->pair_count; i++) {
        const struct history_pair *pair = &writer->pairs[i];
        history_put(&bytes, zigzag((int64_t)pair->counter - before));
        history_put(&bytes, pair->size);
        history_put(&bytes, pair->allocations);
        history_put(&bytes, zigzag(pair->frees));
        before = pair->counter;
    }
    append_bytes(&bytes, &writer->exceptions);
    append_bytes(&bytes, &writer->marks);
    return bytes;
}

/* As above. */
static struct history_bytes encode_lifetimes(const struct history_writer *writer)
{
    struct history_bytes bytes = {.data =
                                      malloc((size_t)writer->pair_count * LIFETIMES_BYTES_MAX + 1)};
    for (uint32_t i = 0; bytes.data && i < writer->pair_count; i++) {
        const int32_t *counts = writer->classes[i].counts;
        unsigned mask = 0;
        for (unsigned decade = 0; decade < 2 * LIFETIME_CLASSES; decade++)
            mask |= (unsigned)(counts[decade] != 0) << decade;
        history_put(&bytes, mask);
        for (unsigned decade = 0; decade < 2 * LIFETIME_CLASSES; decade++)
            if (counts[decade])
                history_put(&bytes, zigzag(counts[decade]));
    }
    return bytes;
}

/* Packs behind what *chunk, of *used bytes, holds already. Returns the size of the new frame, 0
 * when memory is short. */
static size_t pack_behind(struct history_chunk **chunk, size_t *used,
                          const struct history_bytes *plain, struct packer *packer)
{
    const uint8_t *data;
    size_t size = plain->data ? packer_pack(packer, plain->data, plain->used, &data) : 0;
    struct history_chunk *bigger = size ? realloc(*chunk, sizeof **chunk + *used + size) : NULL;
    if (!bigger)
        return 0;
    memcpy(bigger->data + *used, data, size);
    *used += size;
    *chunk = bigger;
    return size;
}

/* Only the slots that were used: most chunks have few pairs. */
static void clear_slots(struct history_writer *writer)
{
    for (uint32_t i = 0; i < writer->pair_count; i++)
        writer->slots[writer->slot_of[i]] = 0;
}

/* Doubles the table. Its memory is there already, untouched. */
static void grow_slots(struct history_writer *writer)
{
    clear_slots(writer);
    writer->slot_mask = 2 * writer->slot_mask + 1;
    make_clear(writer);
    for (uint32_t i = 0; i < writer->pair_count; i++) {
        const struct history_pair *pair = &writer->pairs[i];
        uint32_t slot = history_slot(writer, pair->counter, pair->size);
        while (writer->slots[slot])
            slot = (slot + 1) & writer->slot_mask;
        writer->slots[slot] = i + 1;
        writer->slot_of[i] = slot;
    }
}

void history_mark(struct history_writer *writer)
{
    uint32_t event = writer->span.events;
    if (event == 0)
        writer->span.started_us = writer->now_us;
    history_put(&writer->marks, event - writer->marked_event);
    history_put(&writer->marks, writer->allocations - writer->marked_block);
    history_put(&writer->marks, writer->now_us - writer->marked_us);
    writer->marked_event = event;
    writer->marked_block = writer->allocations;
    writer->marked_us = writer->now_us;
    writer->is_marked = true;
    if (++writer->mark_count == HISTORY_MARKS_MAX)
        writer->events_most = event + 1;
}

uint32_t history_new_pair(struct history_writer *writer, uint32_t counter, uint64_t size,
                          uint32_t slot)
{
    uint32_t number = writer->pair_count++;
    writer->pairs[number] = (struct history_pair){.size = size, .counter = counter};
    writer->classes[number] = (struct history_classes){{0}};
    writer->slots[slot] = number + 1;
    writer->slot_of[number] = slot;
    if (writer->pair_count > writer->slot_mask / 2 && writer->slot_mask < HISTORY_SLOTS_MAX - 1)
        grow_slots(writer);
    return number;
}

/* What the reader will find the chunk damaged without (history.c). */
static bool adds_up(const struct history_writer *writer)
{
    uint64_t allocations = 0;
    bool deaths_fit = true;
    for (uint32_t i = 0; i < writer->pair_count; i++) {
        const int32_t *counts = writer->classes[i].counts;
        int64_t ages = 0, times = 0;
        for (unsigned decade = 0; decade < LIFETIME_CLASSES; decade++) {
            ages += counts[decade];
            times += counts[LIFETIME_CLASSES + decade];
        }
        deaths_fit &= ages == writer->pairs[i].frees && times == ages;
        allocations += writer->pairs[i].allocations;
    }
    return deaths_fit && allocations == writer->allocations;
}

/* The three frames; null when memory is short. */
static struct history_chunk *pack_all(const struct history_writer *writer, struct packer *packer)
{
    struct history_chunk *chunk = NULL;
    struct history_bytes summary = encode_summary(writer), lifetimes = encode_lifetimes(writer);
    size_t used = 0, lifetimes_size = 0;
    size_t summary_size = pack_behind(&chunk, &used, &summary, packer);
    size_t events_size = summary_size ? pack_behind(&chunk, &used, &writer->events, packer) : 0;
    if (events_size)
        lifetimes_size = pack_behind(&chunk, &used, &lifetimes, packer);
    free(summary.data);
    free(lifetimes.data);
    if (!lifetimes_size) {
        free(chunk);
        return NULL;
    }
    chunk->summary_size = summary_size;
    chunk->events_size = events_size;
    chunk->lifetimes_size = lifetimes_size;
    return chunk;
}

static void begin_next(struct history_writer *writer)
{
    clear_slots(writer);
    writer->span = (struct history_span){
        .first_event = writer->span.first_event + writer->span.events,
        .first_block = writer->span.first_block + writer->allocations,
    };
    writer->allocations = 0;
    writer->pair_count = writer->exception_count = writer->mark_count = 0;
    writer->marked_event = writer->marked_block = 0;
    writer->marked_us = 0;
    writer->is_marked = false;
    writer->events_most = HISTORY_EVENTS_MAX;
    writer->exception_distance = 0;
    writer->marks.used = writer->events.used = writer->exceptions.used = 0;
}

struct history_chunk *history_writer_finish(struct history_writer *writer, struct packer *packer)
{
    ASSERT(writer->pair_count <= writer->span.events && writer->allocations <= writer->span.events);
    ASSERT(writer->exception_count <= writer->span.events);
    ASSERT_SLOWLY(adds_up(writer));
    struct history_chunk *chunk = writer->span.events ? pack_all(writer, packer) : NULL;
    if (!chunk)
        return NULL;
    writer->span.ended_us = writer->marked_us;
    chunk->span = writer->span;
    begin_next(writer);
    return chunk;
}
