/*
 * Playing. Chunks in which no edge lies are taken by their summaries, which also say when the
 * process was awake: at its marks of time.
 */
#include "viewer/question/growth_play.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/history/history_walk.h"
#include "viewer/history/slices.h"
#include "viewer/recording/inheritance.h"

struct player {
    const struct growth_play *play;
    const struct process *process;
    struct held *now;            /* by slot */
    unsigned own_next, all_next; /* edges to come; the last one comes at the end */
    uint64_t next_us;            /* the earlier of the two */
    uint64_t slice_us;           /* end of the slice at hand */
    bool is_done;
};

void growth_series_init(struct growth_series *series, size_t count, double from, double to)
{
    *series = (struct growth_series){
        .from = from,
        .to = to,
        .count = count,
        .held = memory_new(count * (RISING_TICKS + 1), sizeof(struct held)),
    };
}

void growth_series_deinit(struct growth_series *series)
{
    free(series->held);
    series->held = NULL;
}

/* --- edges --- */

static double edge_seconds(const struct growth_series *series, unsigned edge)
{
    return series->from + (series->to - series->from) * edge / RISING_TICKS;
}

static uint64_t edge_us(const struct growth_series *series, unsigned edge)
{
    return edge < RISING_TICKS ? (uint64_t)(edge_seconds(series, edge) * 1e6) : UINT64_MAX;
}

static void note_step(struct growth_steady *steady, const struct held *held, unsigned step)
{
    if (steady->first == UINT8_MAX && held->blocks)
        steady->first = (uint8_t)step;
    if (held->bytes != steady->last.bytes || held->blocks != steady->last.blocks)
        steady->since = (uint8_t)step;
    steady->last = *held;
}

static void take_own_edge(struct player *player, unsigned edge)
{
    const struct growth_play *play = player->play;
    for (size_t i = 0; i < play->slots; i++)
        growth_series_of(play->own, i)[edge] = player->now[i];
    for (size_t i = 0; play->steady && edge % GROWTH_STEP == 0 && i < play->slots; i++)
        note_step(&play->steady[i], &player->now[i], edge / GROWTH_STEP);
}

/* Who has not begun, or has ended, has no part in it. */
static void take_all_edge(struct player *player, unsigned edge)
{
    const struct growth_play *play = player->play;
    double seconds = edge_seconds(play->all, edge), ended = player->process->ended;
    if (seconds < player->process->started || (!isnan(ended) && seconds > ended))
        return;
    for (size_t i = 0; i < play->slots; i++) {
        if (play->all_of[i] == GROWTH_NONE)
            continue;
        struct held *sum = &growth_series_of(play->all, play->all_of[i])[edge];
        sum->bytes += player->now[i].bytes;
        sum->blocks += player->now[i].blocks;
    }
}

static void find_next(struct player *player)
{
    const struct growth_play *play = player->play;
    uint64_t own = play->own ? edge_us(play->own, player->own_next) : UINT64_MAX;
    uint64_t all = edge_us(play->all, player->all_next);
    player->next_us = own < all ? own : all;
}

/* Takes the edges before something that happens at a time. */
static void go_to(struct player *player, uint64_t time_us)
{
    const struct growth_play *play = player->play;
    if (time_us <= player->next_us)
        return;
    while (play->own && edge_us(play->own, player->own_next) < time_us)
        take_own_edge(player, player->own_next++);
    while (edge_us(play->all, player->all_next) < time_us)
        take_all_edge(player, player->all_next++);
    find_next(player);
}

/* Takes the edges that are left. */
static void edges_finish(struct player *player)
{
    const struct growth_play *play = player->play;
    for (; play->own && player->own_next <= RISING_TICKS; player->own_next++)
        take_own_edge(player, player->own_next);
    for (; player->all_next <= RISING_TICKS; player->all_next++)
        take_all_edge(player, player->all_next);
}

static void note_awake(struct growth_series *series, double seconds)
{
    double tick = (seconds - series->from) / (series->to - series->from) * RISING_TICKS;
    if (tick >= 0 && tick < RISING_TICKS)
        series->wakes[(unsigned)tick]++;
}

static void is_awake(const struct player *player, uint64_t time_us)
{
    double seconds = (double)time_us / 1e6;
    if (seconds > player->play->to)
        return;
    if (player->play->own)
        note_awake(player->play->own, seconds);
    note_awake(player->play->all, seconds);
}

/* --- the history --- */

static void take_pairs(struct player *player, const struct history_reader *reader)
{
    for (uint32_t i = 0; i < reader->pair_count; i++) {
        const struct history_pair *pair = &reader->pairs[i];
        uint32_t slot = player->play->slot_of[pair->counter - 1];
        if (slot == GROWTH_NONE)
            continue;
        held_add_blocks(&player->now[slot], (int64_t)pair->allocations - pair->frees, pair->size);
    }
}

static void take_event(struct player *player, const struct history_event *event)
{
    uint32_t slot = player->play->slot_of[event->pair->counter - 1];
    if (slot != GROWTH_NONE)
        held_change(&player->now[slot], event);
}

static bool play_events(struct player *player, struct history_walk *walk, uint64_t until_us)
{
    struct history_event event;
    enum history_step step = HISTORY_EVENT;
    if (!history_walk_open(walk))
        return false;
    for (uint64_t number = walk->reader.span.first_event;; number++) {
        player->is_done = number >= player->play->events;
        if (player->is_done || (step = history_next(&walk->reader, &event)) != HISTORY_EVENT)
            break;
        player->is_done = event.time_us > until_us;
        if (player->is_done)
            break;
        go_to(player, event.time_us);
        take_event(player, &event);
    }
    return step != HISTORY_DAMAGED || history_walk_damaged(walk);
}

/* Does the chunk change what any row holds? */
static bool changes_anything(const struct player *player, const struct history_reader *reader)
{
    for (uint32_t i = 0; i < reader->pair_count; i++)
        if (player->play->slot_of[reader->pairs[i].counter - 1] != GROWTH_NONE)
            return true;
    return false;
}

static bool play_chunk(struct player *player, struct history_walk *walk)
{
    const struct history_reader *reader = &walk->reader;
    uint64_t until_us = (uint64_t)(player->play->to * 1e6);
    for (uint32_t i = 0; i < reader->mark_count; i++)
        is_awake(player, reader->marks[i].time_us);
    go_to(player, reader->span.started_us < until_us ? reader->span.started_us : until_us);
    if (reader->span.ended_us <= player->next_us && reader->span.ended_us <= until_us &&
        walk->next <= player->play->events) {
        take_pairs(player, reader);
        return true;
    }
    if (!changes_anything(player, reader))
        return true;
    return play_events(player, walk, until_us);
}

static bool play_history(struct player *player)
{
    const struct process *process = player->process;
    CLEANUP(history_walk_deinit) struct history_walk walk;
    if (!history_walk_init(&walk, &player->play->recording->database, process->id,
                           process->counter_count, 0, player->play->events))
        return false;
    history_walk_tell(&walk);
    enum rows_step step = ROWS_END;
    while (!player->is_done && (step = history_walk_chunk(&walk)) == ROWS_ROW)
        if (!play_chunk(player, &walk))
            return false;
    return player->is_done || step == ROWS_END;
}

/* --- slices --- */

static void take_slice(void *context, double time, const struct change_row *row)
{
    struct player *player = context;
    uint64_t time_us = (uint64_t)(time * 1e6);
    if (time > player->play->to)
        return;
    if (time_us != player->slice_us)
        is_awake(player, time_us);
    player->slice_us = time_us;
    go_to(player, time_us);
    uint32_t slot = player->play->slot_of[row->counter - 1];
    if (slot != GROWTH_NONE)
        held_add(&player->now[slot], (struct held){(uint64_t)row->bytes, (uint64_t)row->blocks});
}

/* --- all --- */

static bool check_now(const struct player *player)
{
    for (size_t i = 0; i < player->play->slots; i++)
        if (!inheritance_allows(player->process, &player->now[i]))
            return database_damaged(&player->play->recording->database,
                                    "in what process %" PRId64 " held", player->process->pid);
    return true;
}

static void take_inherited(struct player *player)
{
    const struct held *inherited = player->process->inherited.held;
    for (uint32_t i = 0; inherited && i < player->process->counter_count; i++) {
        uint32_t slot = player->play->slot_of[i];
        if (slot != GROWTH_NONE)
            held_add(&player->now[slot], inherited[i]);
    }
}

bool growth_play(const struct growth_play *play)
{
    struct recording *recording = play->recording;
    CLEANUP(cleanup_free) struct held *now = memory_new(play->slots, sizeof *now);
    struct player player = {
        .play = play, .process = &recording->processes[play->process], .now = now};
    for (size_t i = 0; play->steady && i < play->slots; i++)
        play->steady[i] = (struct growth_steady){.first = UINT8_MAX};
    find_next(&player);
    take_inherited(&player);
    bool good = recording->run.history
                    ? play_history(&player)
                    : slices_visit(recording, play->process, 0, play->events, take_slice, &player);
    edges_finish(&player);
    return good && check_now(&player);
}
