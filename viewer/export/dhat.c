/*
 * DHAT's JSON, version 2 (valgrind's dhat/dh_main.c says what it is), for its viewer dh_view.html
 * and for the Firefox Profiler.
 *
 * A program point is a stack; with several processes its outermost frame is the process, so that
 * what a point held at most is the maximum of one process. That and how long blocks lived, which no
 * sum says, is played (play_groups.h); without a history there is neither, and the file has totals
 * alone, as the format allows. The tree of stacks is folded (fold.h) before that, and so what is
 * said of a folded rest is as exact as of the others.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"
#include "viewer/export/export.h"
#include "viewer/format/json_values.h"
#include "viewer/format/names.h"
#include "viewer/history/inherited_counters.h"
#include "viewer/history/play_groups.h"
#include "viewer/question/fold.h"
#include "viewer/question/row.h"
#include "viewer/recording/command_line.h"
#include "viewer/recording/inheritance.h"

/* Blocks that live no longer on average are called short-lived; the clock knows milliseconds. */
#define SHORT_LIVED_US 1000
/* The first frame of every file. */
#define ROOT_NAME "[root]"

/* A counter and the point that it is part of. */
struct part {
    size_t process;
    uint32_t number, stands;
    bool is_other;
    struct row row;
    struct held leaked, at_end;
};

/* Parts with the same process, stack and remainder. */
struct point {
    const struct part *first;
    struct row row;
    struct held leaked, at_end;
    struct played_group played;
};

struct dhat {
    struct recording *recording;
    struct answer answer;
    struct part *parts;
    size_t part_count;
    struct point *points;
    size_t point_count;
};

/* --- points --- */

static void take_counter(void *context, const struct counted *counted)
{
    struct dhat *dhat = context;
    const struct counter_row *counter = counted->counter;
    dhat->parts = memory_room(dhat->parts, dhat->part_count, sizeof *dhat->parts);
    dhat->parts[dhat->part_count++] = (struct part){
        .process = counted->process,
        .number = counted->number,
        .stands = counted->key,
        .row = *counted->row,
        .leaked = {counter->leaked_bytes, counter->leaked_blocks},
        .at_end = {counter->end_bytes, counter->end_blocks},
    };
}

static int compare_parts(const void *a, const void *b)
{
    const struct part *one = a, *other = b;
    return ORDER(one->process, other->process)
               ?: ORDER(one->stands, other->stands) ?: ORDER(one->is_other, other->is_other);
}

/* What was allocated, and what was held though it was not. Blocks too: some have no bytes. */
static uint64_t row_weight(const struct row *row)
{
    return row->allocated_bytes + row->bytes + row->allocations + row->blocks;
}

static void fold_parts(struct dhat *dhat)
{
    CLEANUP(fold_deinit) struct fold fold;
    size_t processes = dhat->answer.process_count ? dhat->answer.process_count : 1;
    const struct fold_limits limits = {EXPORT_NODES_MAX / processes, EXPORT_FRAMES_MAX / processes};
    fold_init(&fold, &dhat->answer, row_weight, &limits);
    for (size_t i = 0; i < dhat->part_count; i++) {
        struct part *part = &dhat->parts[i];
        part->is_other = fold.stands[part->stands] != part->stands;
        part->stands = fold.stands[part->stands];
    }
    if (dhat->part_count)
        qsort(dhat->parts, dhat->part_count, sizeof *dhat->parts, compare_parts);
}

static void make_points(struct dhat *dhat)
{
    dhat->points = memory_new(dhat->part_count, sizeof *dhat->points);
    for (size_t i = 0; i < dhat->part_count; i++) {
        const struct part *part = &dhat->parts[i];
        if (!i || compare_parts(part - 1, part))
            dhat->points[dhat->point_count++].first = part;
        struct point *point = &dhat->points[dhat->point_count - 1];
        row_add(&point->row, &part->row);
        held_add(&point->leaked, part->leaked);
        held_add(&point->at_end, part->at_end);
    }
}

/* --- playing --- */

/* Which of the points from points[first] on each counter of their process is part of. */
static uint32_t *group_counters(const struct dhat *dhat, size_t first, size_t end)
{
    const struct part *part = dhat->points[first].first;
    const struct part *parts_end = dhat->parts + dhat->part_count;
    size_t process = part->process;
    uint32_t counters = dhat->recording->processes[process].counter_count;
    uint32_t *group_of = memory_new(counters, sizeof *group_of), group = 0;
    for (uint32_t i = 0; i < counters; i++)
        group_of[i] = PLAY_NO_GROUP;
    for (; part < parts_end && part->process == process; part++) {
        if (first + group + 1 < end && part == dhat->points[first + group + 1].first)
            group++;
        group_of[part->number] = group;
    }
    return group_of;
}

/* What was played must come to what the sums say. */
static bool take_played(struct dhat *dhat, struct point *point, const struct played_group *played)
{
    point->played = *played;
    return (played->held.bytes == point->leaked.bytes &&
            played->held.blocks == point->leaked.blocks) ||
           database_damaged(&dhat->recording->database,
                            "the history of process %" PRId64 " does not add up",
                            dhat->recording->processes[point->first->process].pid);
}

/* Plays the process of points[first] to before points[end]. */
static bool play_process(struct dhat *dhat, size_t first, size_t end)
{
    CLEANUP(cleanup_free) uint32_t *group_of = group_counters(dhat, first, end);
    CLEANUP(cleanup_free) struct played_group *groups = memory_new(end - first, sizeof *groups);
    size_t process = dhat->points[first].first->process;
    bool good = (!dhat->answer.query.inherited || inheritance_know(dhat->recording, process)) &&
                play_groups(dhat->recording, process, group_of, groups, end - first);
    inheritance_forget(dhat->recording, process);
    if (!good)
        return false;
    for (size_t i = first; i < end; i++)
        if (!take_played(dhat, &dhat->points[i], &groups[i - first]))
            return false;
    return true;
}

static bool play_points(struct dhat *dhat)
{
    for (size_t first = 0, end; first < dhat->point_count; first = end) {
        end = first + 1;
        while (end < dhat->point_count &&
               dhat->points[end].first->process == dhat->points[first].first->process)
            end++;
        if (!play_process(dhat, first, end))
            return false;
    }
    return true;
}

static bool play_all(struct dhat *dhat)
{
    struct progress *progress = dhat->recording->database.progress;
    progress_begin(progress, "playing the events", dhat->answer.process_count);
    bool good = play_points(dhat);
    progress_end(progress);
    return good;
}

/* --- frames --- */

/* Those that have been used, by number; 0 is the root. */
struct frames {
    FILE *stream;
    const struct dhat *dhat;
    char **names;
    uint32_t count;
    uint32_t other;
    uint32_t *lines;     /* number by key by line; 0: none yet */
    uint32_t *processes; /* the same by index */
};

/* Takes the name over. */
static uint32_t add_frame(struct frames *frames, char *name)
{
    frames->names = memory_room(frames->names, frames->count, sizeof *frames->names);
    frames->names[frames->count] = name;
    return frames->count++;
}

static uint64_t address_of(uint64_t line_key)
{
    return EXPORT_ADDRESS_FIRST + line_key * EXPORT_ADDRESS_STEP;
}

static uint32_t frame_of_line(struct frames *frames, uint32_t location)
{
    uint32_t key = frames->dhat->answer.grouping.line_keys[location];
    uint32_t *frame = &frames->lines[key];
    if (!*frame) {
        char *code = name_of_code(&frames->dhat->recording->symbols.frames[location]);
        if (location)
            *frame = add_frame(frames, memory_print("0x%" PRIX64 ": %s", address_of(key), code));
        else
            *frame = add_frame(frames, memory_copy(code));
        free(code);
    }
    return *frame;
}

static uint32_t frame_of_other(struct frames *frames)
{
    if (!frames->other)
        frames->other = add_frame(frames, memory_copy(EXPORT_OTHER));
    return frames->other;
}

static uint32_t frame_of_process(struct frames *frames, size_t process)
{
    uint32_t *frame = &frames->processes[process];
    const struct process *of = &frames->dhat->recording->processes[process];
    if (!*frame) {
        CLEANUP(cleanup_free) char *command = name_of_command(of->command);
        *frame = add_frame(frames, memory_print("process %" PRId64 ": %s", of->pid, command));
    }
    return *frame;
}

/* From the innermost to the outermost one. */
static void put_stack(struct frames *frames, const struct part *part)
{
    const struct stacks *stacks = &frames->dhat->recording->stacks;
    const char *between = "";
    if (part->is_other || !part->stands) {
        fprintf(frames->stream, "%" PRIu32,
                part->is_other ? frame_of_other(frames) : frame_of_line(frames, 0));
        between = ",";
    }
    for (uint32_t node = part->stands; node; node = stacks->parent[node], between = ",")
        fprintf(frames->stream, "%s%" PRIu32, between,
                frame_of_line(frames, stacks->location[node]));
    if (frames->dhat->answer.process_count > 1)
        fprintf(frames->stream, ",%" PRIu32, frame_of_process(frames, part->process));
}

/* --- writing --- */

static void put_point(struct frames *frames, const struct point *point, bool is_played)
{
    const struct row *row = &point->row;
    fprintf(frames->stream, "{\"tb\":%" PRIu64 ",\"tbk\":%" PRIu64, row->allocated_bytes,
            row->allocations);
    if (is_played)
        fprintf(frames->stream,
                ",\"tl\":%" PRIu64 ",\"mb\":%" PRIu64 ",\"mbk\":%" PRIu64 ",\"gb\":%" PRIu64
                ",\"gbk\":%" PRIu64 ",\"eb\":%" PRIu64 ",\"ebk\":%" PRIu64,
                point->played.lived_us, point->played.most.bytes, point->played.most.blocks,
                row->bytes, row->blocks, point->at_end.bytes, point->at_end.blocks);
    fputs(",\"fs\":[", frames->stream);
    put_stack(frames, point->first);
    fputs("]}", frames->stream);
}

static void put_points(struct frames *frames, bool is_played)
{
    const struct dhat *dhat = frames->dhat;
    fputs(",\"pps\":[", frames->stream);
    for (size_t i = 0; i < dhat->point_count; i++) {
        fputs(i ? ",\n" : "\n", frames->stream);
        put_point(frames, &dhat->points[i], is_played);
    }
    fputs("],\n\"ftbl\":[", frames->stream);
    for (uint32_t i = 0; i < frames->count; i++) {
        fputs(i ? ",\n" : "\n", frames->stream);
        json_print(frames->stream, json_string(frames->names[i]));
        free(frames->names[i]);
    }
    fputs("]", frames->stream);
}

static uint64_t whole_microseconds(double seconds)
{
    return (uint64_t)llround(seconds * 1e6);
}

static void put_head(FILE *stream, const struct dhat *dhat, bool is_played)
{
    const struct recording *recording = dhat->recording;
    const struct answer *answer = &dhat->answer;
    double length = run_length(recording);
    int64_t pid = answer->process_count ? recording->processes[answer->processes[0]].pid : 0;
    CLEANUP(cleanup_free) char *command = name_of_command(recording->run.command);
    fputs("{\"dhatFileVersion\":2,\"mode\":\"heap\",\"verb\":\"Allocated\"", stream);
    fprintf(stream, ",\"bklt\":%s,\"bkacc\":false", is_played ? "true" : "false");
    fputs(",\"tu\":\"µs\",\"Mtu\":\"s\",\"cmd\":", stream);
    json_print(stream, json_string(command));
    fprintf(stream, ",\"pid\":%" PRId64 ",\"te\":%" PRIu64, pid, whole_microseconds(length));
    if (is_played)
        fprintf(stream, ",\"tg\":%" PRIu64 ",\"tuth\":%d",
                whole_microseconds(isnan(answer->time) ? length : answer->time), SHORT_LIVED_US);
}

static void put_file(FILE *stream, const struct dhat *dhat, bool is_played)
{
    const struct recording *recording = dhat->recording;
    struct frames frames = {
        .stream = stream,
        .dhat = dhat,
        .lines = memory_new(recording->symbols.frame_count, sizeof *frames.lines),
        .processes = memory_new(recording->process_count, sizeof *frames.processes),
    };
    add_frame(&frames, memory_copy(ROOT_NAME));
    put_head(stream, dhat, is_played);
    put_points(&frames, is_played);
    fputs("}\n", stream);
    free(frames.names);
    free(frames.lines);
    free(frames.processes);
}

bool export_dhat(FILE *stream, struct recording *recording, const struct query *query)
{
    struct dhat dhat = {.recording = recording};
    bool is_played = recording->run.history;
    bool good =
        export_ask_stacks(&dhat.answer, recording, query, GROUP_BY_STACK, take_counter, &dhat);
    if (good) {
        fold_parts(&dhat);
        make_points(&dhat);
        good = !is_played || play_all(&dhat);
    }
    if (good)
        put_file(stream, &dhat, is_played);
    answer_deinit(&dhat.answer);
    free(dhat.parts);
    free(dhat.points);
    return good;
}
