/*
 * Playing several histories in the order of their times, as the collector reads streams
 * (collector/stream/drain.h): the one whose next event is the earliest goes on until another one's
 * is earlier. Events between two moves of the clock are taken one process after the other.
 *
 * A process that has had its last event goes on holding what it held until it ends. Its end is
 * noticed late, and somebody may have waited for it: where it comes right after the last event, it
 * is taken to have come with it.
 */
#include "viewer/question/peak_play.h"

#include <math.h>
#include <stdlib.h>

#include "allocators.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/history/history_walk.h"
#include "viewer/recording/counters.h"

/* How late the end of a process may be noticed. */
#define END_LATE_US UINT64_C(10000)

/* One process. */
struct player {
    const struct process *process;
    struct history_walk walk;
    struct history_event event; /* to come */
    uint64_t time_us;           /* of what is to come: an event, or the end */
    bool at_end, is_gone;
    bool *is_apart; /* by counter: it is not to be counted */
    uint64_t events, bytes, blocks;
    uint64_t epoch; /* of the peak that `position` belongs to */
    struct peak_position position;
};

struct game {
    struct player *players;
    size_t count;
    uint64_t bytes, blocks; /* now, of all */
    uint64_t epoch;         /* moves with every new peak */
    struct peak *peak;
    const struct peak_selection *selection;
    bool is_short; /* a history ends early */
};

/* Whose counters are looked through. */
struct apart {
    const struct peak_selection *selection;
    bool *is_apart;
};

static void note_apart(void *context, size_t process, uint32_t number,
                       const struct counter_row *counter, bool inherited)
{
    const struct apart *apart = context;
    (void)process;
    apart->is_apart[number] =
        !apart->selection->wants(apart->selection->context, counter, inherited);
}

static bool counts_as_usual(const void *context, const struct counter_row *counter, bool inherited)
{
    (void)context;
    return !inherited && !allocator_is_apart(counter->allocator);
}

static uint64_t end_us(const struct process *process, uint64_t last_us)
{
    if (isnan(process->ended))
        return UINT64_MAX;
    uint64_t ended_us = (uint64_t)(process->ended * 1e6);
    return ended_us > last_us + END_LATE_US ? ended_us : last_us;
}

/* Reads the player's next event. */
static bool read_next(struct game *game, struct player *player)
{
    enum rows_step step = history_walk_next(&player->walk, &player->event);
    if (step == ROWS_ROW) {
        player->time_us = player->event.time_us;
        return true;
    }
    player->at_end = true;
    player->time_us = end_us(player->process, player->time_us);
    game->is_short |= player->walk.next < player->process->events;
    return step == ROWS_END;
}

static bool player_init(struct game *game, struct player *player, struct recording *recording,
                        size_t number)
{
    const struct process *process = &recording->processes[number];
    player->process = process;
    player->is_apart = memory_new(process->counter_count, sizeof *player->is_apart);
    bool good = history_walk_init(&player->walk, &recording->database, process->id,
                                  process->counter_count, 0, process->events);
    player->walk.counts = true;
    struct apart apart = {game->selection, player->is_apart};
    return good && counters_visit(recording, number, note_apart, &apart) && read_next(game, player);
}

static void game_deinit(struct game *game)
{
    for (size_t i = 0; i < game->count; i++) {
        history_walk_deinit(&game->players[i].walk);
        free(game->players[i].is_apart);
    }
    free(game->players);
}

/* Makes the player's position that at the latest peak. */
static void player_settle(const struct game *game, struct player *player)
{
    if (player->is_gone || player->epoch == game->epoch)
        return;
    player->epoch = game->epoch;
    player->position = (struct peak_position){
        .lived = true,
        .events = player->events,
        .bytes = player->bytes,
        .blocks = player->blocks,
    };
}

static void note_peak(struct game *game, struct player *player)
{
    struct peak *peak = game->peak;
    peak->bytes = game->bytes;
    peak->blocks = game->blocks;
    peak->time = (double)player->time_us / 1e6;
    game->epoch++;
    player_settle(game, player);
}

static void play_event(struct game *game, struct player *player)
{
    const struct history_event *event = &player->event;
    bool is_free = event->kind == HISTORY_FREE;
    uint64_t bytes = event->pair->size;
    player_settle(game, player);
    player->events++;
    if (player->is_apart[event->pair->counter - 1])
        return;
    bytes = is_free ? -bytes : bytes;
    player->bytes += bytes;
    player->blocks += is_free ? UINT64_MAX : 1;
    game->bytes += bytes;
    game->blocks += is_free ? UINT64_MAX : 1;
    if (game->bytes > game->peak->bytes && !is_free)
        note_peak(game, player);
}

static void player_leave(struct game *game, struct player *player)
{
    player_settle(game, player);
    player->is_gone = true;
    game->bytes -= player->bytes;
    game->blocks -= player->blocks;
}

/* The earliest player; *until_us: the time of the earliest of the others. Null: all have gone, or
 * live on without anything to come. */
static struct player *player_choose(const struct game *game, uint64_t *until_us)
{
    struct player *first = NULL;
    *until_us = UINT64_MAX;
    for (size_t i = 0; i < game->count; i++) {
        struct player *player = &game->players[i];
        if (player->is_gone || player->time_us == UINT64_MAX)
            continue;
        if (!first || player->time_us < first->time_us) {
            *until_us = first ? first->time_us : UINT64_MAX;
            first = player;
        } else if (player->time_us < *until_us) {
            *until_us = player->time_us;
        }
    }
    return first;
}

static bool game_play(struct game *game)
{
    uint64_t until_us;
    for (struct player *player; (player = player_choose(game, &until_us));) {
        while (!player->at_end && player->time_us <= until_us) {
            play_event(game, player);
            if (!read_next(game, player))
                return false;
        }
        if (player->at_end && player->time_us <= until_us && player->time_us != UINT64_MAX)
            player_leave(game, player);
    }
    return true;
}

static void take_positions(struct game *game, const size_t *processes)
{
    for (size_t i = 0; i < game->count; i++) {
        struct player *player = &game->players[i];
        player_settle(game, player);
        if (player->epoch != game->epoch)
            player->position = (struct peak_position){.events = player->events};
        game->peak->positions[processes[i]] = player->position;
    }
}

static uint64_t events_of(const struct recording *recording, const size_t *processes, size_t count)
{
    uint64_t events = 0;
    for (size_t i = 0; i < count; i++)
        events += recording->processes[processes[i]].events;
    return events;
}

/* All of it, in one part of the progress. */
static bool play_all(struct peak *peak, struct recording *recording, const size_t *processes,
                     size_t count, const struct peak_selection *selection)
{
    CLEANUP(game_deinit)
    struct game game = {
        .players = memory_new(count, sizeof(struct player)),
        .peak = peak,
        .selection = selection,
    };
    for (size_t i = 0; i < count; i++) {
        game.count++;
        if (!player_init(&game, &game.players[i], recording, processes[i]))
            return false;
    }
    if (!game_play(&game))
        return false;
    take_positions(&game, processes);
    peak->is_known = !game.is_short;
    peak->time = game.is_short ? NAN : peak->time;
    return true;
}

bool peak_play(struct peak *peak, struct recording *recording, const size_t *processes,
               size_t count, const struct peak_selection *selection)
{
    static const struct peak_selection usual = {counts_as_usual, NULL};
    struct progress *progress = recording->database.progress;
    progress_begin(progress, "looking for the peak", events_of(recording, processes, count));
    bool good = play_all(peak, recording, processes, count, selection ? selection : &usual);
    progress_end(progress);
    return good;
}
