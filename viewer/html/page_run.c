/*
 * Puts the parts of a run together. Each has its own bounds, chosen so that together they fit into
 * a page; should what comes out still be too large, all of it is done again with less.
 */
#include "viewer/html/page_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/history/inherited_counters.h"
#include "viewer/html/bytes.h"
#include "viewer/html/changes.h"
#include "viewer/html/changes_play.h"
#include "viewer/html/curves.h"
#include "viewer/html/page_facts.h"
#include "viewer/html/page_names.h"
#include "viewer/html/page_pack.h"
#include "viewer/html/page_rows.h"
#include "viewer/html/page_sources.h"
#include "viewer/recording/inheritance.h"
#include "viewer/recording/settings.h"

/* How much there may be of each, and how many bytes all may take that is packed. */
struct sizes {
    struct page_limits rows;
    size_t changes, deaths, source_text, packed;
};

static const struct sizes first_sizes[] = {
    [PAGE_WHOLE] = {{50000, 200000}, 280000, 200000, 1500000, 3800000},
    [PAGE_HALF] = {{40000, 120000}, 140000, 100000, 700000, 1900000},
};

/* What is tried after what was too large, in per cent of it. */
#define RETRY_PERCENT 60u

/* The peak, the end, a moment or the two of a span. */
#define PINNED_MAX 4u

struct page_run {
    struct recording *recording;
    const struct query *query;
    struct sizes sizes;
    size_t *list; /* of the processes */
    struct peak peak;
    struct run_end run_end;
    struct page_processes processes;
    struct page_rows rows;
    struct time_grid grid;
    struct changes changes;
    struct curves curves;
    bool *is_whole;    /* by process of the recording: its history */
    json_t **settings; /* the same */
};

/* --- time --- */

static size_t time_pin(uint64_t *pinned, size_t count, double seconds)
{
    if (isnan(seconds))
        return count;
    pinned[count] = (uint64_t)(seconds * 1e6);
    return count + 1;
}

/* A moment that the user has named by its time. */
static bool pin_moment(struct page_run *run, const struct moment *moment, uint64_t *pinned,
                       size_t *count)
{
    double seconds;
    if (moment->kind != MOMENT_TIME)
        return true;
    if (!moment_seconds(moment, run->recording, &seconds))
        return false;
    *count = time_pin(pinned, *count, seconds);
    return true;
}

static bool make_grid(struct page_run *run)
{
    const struct query *query = run->query;
    uint64_t pinned[PINNED_MAX];
    size_t count = 0, buckets;
    double end = NAN;
    for (size_t i = 0; i < run->processes.count; i++)
        end = fmax(end, run->recording->processes[run->list[i]].end_time);
    count = time_pin(pinned, count, run->peak.time);
    count = time_pin(pinned, count, end);
    if (query->between ? !pin_moment(run, &query->from, pinned, &count) ||
                             !pin_moment(run, &query->to, pinned, &count)
                       : !pin_moment(run, &query->at, pinned, &count))
        return false;
    if (!changes_buckets(run->recording, &run->processes, &buckets))
        return false;
    time_grid_init(&run->grid, (uint64_t)(run_length(run->recording) * 1e6), buckets, pinned,
                   count);
    return true;
}

static bool play_process(struct page_run *run, size_t process)
{
    CLEANUP(played_deinit) struct played played = {0};
    bool good = (!run->query->inherited || inheritance_know(run->recording, process)) &&
                changes_play(&run->changes, process, &played);
    inheritance_forget(run->recording, process);
    if (!good)
        return false;
    curves_take(&run->curves, process, &played);
    run->is_whole[process] = played.is_whole;
    return true;
}

static bool play_all(struct page_run *run)
{
    struct progress *progress = run->recording->database.progress;
    bool good = true;
    progress_begin(progress, "reading the history", run->processes.count);
    for (size_t i = 0; good && i < run->processes.count; i++) {
        progress_begin(progress, "reading a process", 1);
        good = play_process(run, run->list[i]);
        progress_end(progress);
    }
    progress_end(progress);
    if (good)
        changes_finish(&run->changes);
    return good;
}

/* --- the parts --- */

static bool choose_processes(struct page_run *run)
{
    struct recording *recording = run->recording;
    run->list = memory_new(recording->process_count, sizeof *run->list);
    for (size_t i = 0; i < recording->process_count; i++)
        if (query_wants_process(run->query, &recording->processes[i]))
            run->list[run->processes.count++] = i;
    run->processes.list = run->list;
    run->processes.peak = &run->peak;
    run->processes.run_end = &run->run_end;
    run->is_whole = memory_new(recording->process_count, sizeof *run->is_whole);
    return peak_init(&run->peak, recording, run->list, run->processes.count) &&
           run_end_find(&run->run_end, recording, run->list, run->processes.count);
}

static bool read_all(struct page_run *run)
{
    if (!settings_init(&run->settings, run->recording) || !choose_processes(run) || !make_grid(run))
        return false;
    if (!page_rows_init(&run->rows, run->recording, run->query, run->processes, run->sizes.rows) ||
        !curves_init(&run->curves, run->recording, &run->processes, &run->grid))
        return false;
    changes_init(&run->changes, &run->rows, &run->grid, run->sizes.changes, run->sizes.deaths);
    return play_all(run);
}

static void page_run_deinit(struct page_run *run)
{
    changes_deinit(&run->changes);
    curves_deinit(&run->curves);
    if (run->rows.recording)
        page_rows_deinit(&run->rows);
    time_grid_deinit(&run->grid);
    peak_deinit(&run->peak);
    settings_deinit(run->settings, run->recording);
    free(run->list);
    free(run->is_whole);
}

/* Sets a packed member; returns its size. */
static size_t set_packed(json_t *object, const char *name, const struct bytes *plain)
{
    CLEANUP(bytes_deinit) struct bytes packed = {0};
    bytes_deflate(&packed, plain);
    CLEANUP(cleanup_free) char *text = bytes_base64(&packed);
    json_object_set_new(object, name, json_string_nocheck(text));
    return strlen(text);
}

static size_t pack_all(struct page_run *run, json_t *object)
{
    CLEANUP(page_names_deinit) struct page_names names;
    page_names_init(&names, &run->rows);
    page_names_to_json(&names, &run->rows, object);
    CLEANUP(bytes_deinit) struct bytes tree = {0};
    CLEANUP(bytes_deinit) struct bytes history = {0};
    CLEANUP(bytes_deinit) struct bytes sources = {0};
    page_pack_tree(&tree, &run->rows, &names);
    page_pack_history(&history, &run->changes, &run->curves);
    page_sources_put(&run->rows, &names, run->sizes.source_text, &sources);
    return set_packed(object, "tree", &tree) + set_packed(object, "history", &history) +
           set_packed(object, "sources", &sources);
}

/* An attempt: NULL with `*size` 0 when the recording is damaged. */
static json_t *page_attempt(struct page_run *run, size_t *size)
{
    *size = 0;
    if (!read_all(run))
        return NULL;
    json_t *object = json_object();
    const struct page_facts facts = {&run->rows, &run->changes, &run->curves, run->is_whole,
                                     run->settings};
    page_facts_to_json(&facts, object);
    progress_begin(run->recording->database.progress, "packing", 0);
    *size = pack_all(run, object);
    progress_end(run->recording->database.progress);
    return object;
}

json_t *page_run_to_json(struct recording *recording, const struct query *query,
                         enum page_share share)
{
    struct sizes sizes = first_sizes[share];
    for (;;) {
        CLEANUP(page_run_deinit)
        struct page_run run = {.recording = recording, .query = query, .sizes = sizes};
        size_t size;
        json_t *object = page_attempt(&run, &size);
        if (size <= sizes.packed)
            return object;
        json_decref(object);
        sizes.rows.nodes = sizes.rows.nodes * RETRY_PERCENT / 100;
        sizes.rows.rows = sizes.rows.rows * RETRY_PERCENT / 100;
        sizes.changes = sizes.changes * RETRY_PERCENT / 100;
        sizes.deaths = sizes.deaths * RETRY_PERCENT / 100;
        sizes.source_text = sizes.source_text * RETRY_PERCENT / 100;
    }
}
