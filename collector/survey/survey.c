/*
 * Each byte of a resident page is in one row: of a block's allocator, or of what its segment is but
 * for blocks. In a heap what is no block is overhead, as far as that is known, and else free.
 *
 * Near the peak: whenever so much more is resident than at the latest survey that it would be told
 * wrong by PEAK_STEP, and what surveys have cost so far allows it.
 */
#include "collector/survey/survey.h"

#include <stdlib.h>
#include <string.h>

#include "collector/base/array.h"
#include "collector/base/clock.h"
#include "collector/book/book.h"
#include "collector/book/inheritance.h"
#include "collector/survey/tally.h"
#include "collector/system/proc.h"
#include "collector/system/raw_calls.h"

/* Of the time since the process's first; so much is free. */
#define COST_SHARE   100u
#define COST_FREE_NS UINT64_C(15000000)
/* As a part of what was resident. Steps of less than PEAK_STEP_MIN, and less than PEAK_BYTES_MIN,
 * do not matter. */
#define PEAK_STEP      16u
#define PEAK_STEP_MIN  (UINT64_C(8) << 20)
#define PEAK_BYTES_MIN (UINT64_C(24) << 20)
#define ASKED_MAX      4096u
/* So much that no hook saw is worth to look for who maps it. */
#define UNSEEN_BYTES_MIN (UINT64_C(1) << 20)
/* Of a region in which more lines have blocks it is not said which: no few of them keep it. */
#define HOLDERS_MAX 32u

/* A survey that has been begun. */
struct look {
    struct ground ground;
    struct cells cells;
    enum resident_moment moment;
    double time;
    uint64_t rss_bytes, looked_ns;
    bool asks_shared;
};

static bool is_memory(const void *context, uint32_t counter)
{
    return counters_at(context, counter)->allocator == WIRE_ALLOCATOR_MMAP;
}

static void look_free(struct look *look)
{
    cells_deinit(&look->cells);
    ground_deinit(&look->ground);
    free(look);
}

static bool look_read(struct look *look, const struct survey_subject *subject)
{
    const struct inherited_mappings inherited = inheritance_mappings(subject->book);
    const struct ground_source source = {.pid = subject->pid,
                                         .places = &subject->book->surveys.places,
                                         .mappings = inherited.mappings,
                                         .is_memory = is_memory,
                                         .context = inherited.counters};
    look->rss_bytes = proc_resident(subject->pid);
    look->asks_shared = inheritance_is_related(subject->book);
    return look->rss_bytes && ground_read(&look->ground, &source) &&
           cells_read(&look->cells, &look->ground, subject->pid, look->asks_shared);
}

static void note_cost(const struct survey_subject *subject, uint64_t cost_ns)
{
    subject->book->surveys.cost_ns += cost_ns;
    *subject->run_ns += cost_ns;
}

bool survey_begin(const struct survey_subject *subject, enum resident_moment moment, double seconds)
{
    struct surveys *surveys = &subject->book->surveys;
    uint64_t begun = clock_computed();
    struct look *look = subject->pid && !surveys->look ? calloc(1, sizeof *look) : NULL;
    if (!look)
        return false;
    if (!look_read(look, subject)) {
        look_free(look);
        note_cost(subject, clock_computed() - begun);
        return false;
    }
    look->moment = moment;
    look->time = seconds;
    look->looked_ns = clock_computed() - begun;
    surveys->look = look;
    return true;
}

void survey_forget(const struct survey_subject *subject)
{
    struct surveys *surveys = &subject->book->surveys;
    if (!surveys->look)
        return;
    note_cost(subject, surveys->look->looked_ns);
    look_free(surveys->look);
    surveys->look = NULL;
}

/* --- what no hook saw --------------------------------------------------------------------------
 */

static uint64_t unseen_bytes(const struct ground *ground)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < ground->count; i++)
        if (ground->segments[i].kind == GROUND_UNSEEN)
            bytes += ground->segments[i].resident;
    return bytes;
}

/* The C library and its loader map past our hooks too, but that is known. */
static bool may_map(const char *path)
{
    return !ground_is_c_library(path) && !strstr(path, "/ld-linux");
}

/* Once for a process: it reads all its code. */
static void look_for_caller(const struct survey_subject *subject, const struct ground *ground)
{
    struct surveys *surveys = &subject->book->surveys;
    unsigned most = 0;
    const char *name = NULL;
    if (surveys->has_looked_for_caller || unseen_bytes(ground) < UNSEEN_BYTES_MIN)
        return;
    surveys->has_looked_for_caller = true;
    for (uint32_t i = 0; i < ground->code_count; i++) {
        const struct code_area *code = &ground->codes[i];
        const char *path = ground_name(ground, code->name);
        unsigned count =
            may_map(path) ? raw_calls_count(subject->root, path, code->offset, code->bytes) : 0;
        name = count > most ? path : name;
        most = count > most ? count : most;
    }
    surveys->raw_caller = name ? strdup(name) : NULL;
}

/* --- rows --------------------------------------------------------------------------------------
 */

static const uint8_t row_of_ground[] = {
    [GROUND_FILE] = RESIDENT_FILE,        [GROUND_LIBRARY] = RESIDENT_LIBRARY,
    [GROUND_SHARED] = RESIDENT_SHARED,    [GROUND_STACK] = RESIDENT_STACK,
    [GROUND_SHIM] = RESIDENT_SHIM,        [GROUND_ARENA] = RESIDENT_PYMALLOC_FREE,
    [GROUND_MAPPED] = RESIDENT_MMAP,      [GROUND_LAZY] = RESIDENT_LAZY,
    [GROUND_HEAP] = RESIDENT_MALLOC_FREE, [GROUND_UNSEEN] = RESIDENT_UNSEEN,
};

static bool is_same(const struct survey_row *row, unsigned kind, const char *name)
{
    return row->kind == kind &&
           (row->name == name || (row->name && name && strcmp(row->name, name) == 0));
}

/* Adds to the row of that kind and name. Without memory the bytes are in no row. */
static void add_to_row(struct survey *survey, uint32_t *capacity, unsigned kind, const char *name,
                       const struct survey_row *more)
{
    uint32_t at = survey->row_count;
    if (!more->bytes && !more->swapped_bytes)
        return;
    while (at > 0 && !is_same(&survey->rows[at - 1], kind, name))
        at--;
    if (at == 0) {
        struct survey_row *rows =
            array_grow(survey->rows, capacity, survey->row_count + 1, sizeof *rows);
        char *copy = name ? strdup(name) : NULL;
        if (rows)
            survey->rows = rows;
        if (!rows || (name && !copy)) {
            free(copy);
            return;
        }
        rows[survey->row_count++] = (struct survey_row){.kind = (uint8_t)kind, .name = copy};
        at = survey->row_count;
    }
    survey->rows[at - 1].bytes += more->bytes;
    survey->rows[at - 1].shared_bytes += more->shared_bytes;
    survey->rows[at - 1].swapped_bytes += more->swapped_bytes;
    survey->rows[at - 1].blocks += more->blocks;
}

static const char *heap_name(const struct ground *ground, const struct segment *segment)
{
    if (ground->has_other_malloc)
        return ground_name(ground, ground->allocator);
    if (segment->is_main_heap)
        return "main heap";
    return segment->start % GROUND_HEAP_BYTES ? "blocks mapped alone" : "heaps of threads";
}

/* What of a segment is no block. */
static void add_rest(struct survey *survey, uint32_t *capacity, const struct ground *ground,
                     const struct segment *segment, const char *caller)
{
    /* Blocks of a process that lies may lie over each other. */
    uint64_t blocks =
        segment->block_bytes < segment->resident ? segment->block_bytes : segment->resident;
    uint64_t rest = segment->resident - blocks;
    uint64_t overhead = segment->overhead < rest ? segment->overhead : rest;
    const char *name = segment->kind == GROUND_HEAP ? heap_name(ground, segment)
                                                    : ground_name(ground, segment->name);
    name = segment->kind == GROUND_UNSEEN ? caller : name;
    /* Overhead lies between blocks and free memory; whose pages it is in is not told. */
    uint64_t shared =
        segment->shared > segment->shared_blocks ? segment->shared - segment->shared_blocks : 0;
    struct survey_row more = {.bytes = overhead};
    add_to_row(survey, capacity, RESIDENT_OVERHEAD, NULL, &more);
    more = (struct survey_row){.bytes = rest - overhead,
                               .shared_bytes = shared < rest - overhead ? shared : rest - overhead,
                               .swapped_bytes = segment->swapped,
                               .blocks = 1};
    add_to_row(survey, capacity, row_of_ground[segment->kind], name, &more);
}

static void add_rows(struct survey *survey, const struct tally *tally, const char *caller)
{
    const struct ground *ground = tally->ground;
    uint32_t capacity = 0;
    for (unsigned kind = 0; kind <= RESIDENT_INHERITED; kind++) {
        const struct survey_row more = {.bytes = tally->bytes[kind],
                                        .shared_bytes = tally->shared[kind],
                                        .blocks = tally->blocks[kind]};
        add_to_row(survey, &capacity, kind, NULL, &more);
    }
    for (uint32_t i = 0; i < ground->count; i++) {
        const struct segment *segment = &ground->segments[i];
        survey->shared_bytes += segment->shared;
        survey->huge_bytes += segment->kind == GROUND_HUGETLB ? 0 : segment->huge;
        if (segment->kind == GROUND_HUGETLB)
            survey->hugetlb_bytes += segment->resident;
        else
            add_rest(survey, &capacity, ground, segment, caller);
    }
}

/* --- regions -----------------------------------------------------------------------------------
 */

/* Those of whom it is not said which lines hold them lose their holders. */
static void keep_holders(struct survey *survey)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < survey->holder_count; i++)
        if (survey->regions[survey->holders[i].region].lines <= HOLDERS_MAX)
            survey->holders[kept++] = survey->holders[i];
    survey->holder_count = kept;
}

static void take_regions(struct survey *survey, struct tally *tally)
{
    for (uint32_t i = 0; tally->region_of && i < tally->ground->count; i++)
        if (tally->region_of[i])
            tally->regions[tally->region_of[i] - 1].resident = tally->ground->segments[i].resident;
    survey->regions = tally->regions;
    survey->region_count = tally->region_count;
    survey->holders = tally->holders.list;
    survey->holder_count = tally->holders.count;
    survey->copied = tally->copied.list;
    survey->copied_count = tally->copied.count;
    tally->regions = NULL;
    tally->holders.list = tally->copied.list = NULL;
    keep_holders(survey);
}

/* --- keeping -----------------------------------------------------------------------------------
 */

/* Where the survey of a moment is kept; null: nowhere. */
static struct survey *place_for(struct surveys *surveys, enum resident_moment moment)
{
    if (moment == RESIDENT_AT_END)
        return &surveys->end;
    if (moment == RESIDENT_AT_PEAK)
        return &surveys->peak;
    struct survey *asked = surveys->asked_count < ASKED_MAX
                               ? array_grow(surveys->asked, &surveys->asked_capacity,
                                            surveys->asked_count + 1, sizeof *asked)
                               : NULL;
    if (!asked)
        return NULL;
    surveys->asked = asked;
    return &asked[surveys->asked_count++];
}

void survey_finish(const struct survey_subject *subject)
{
    struct surveys *surveys = &subject->book->surveys;
    struct look *look = surveys->look;
    struct survey *survey = look ? place_for(surveys, look->moment) : NULL;
    if (!look)
        return;
    surveys->look = NULL;
    uint64_t begun = clock_computed();
    struct tally tally = {.ground = &look->ground,
                          .cells = &look->cells,
                          .pool_bytes = subject->pool_bytes,
                          .tree = look->moment == RESIDENT_AT_PEAK ? NULL : subject->tree};
    tally_blocks(&tally, subject->book);
    ground_settle(&look->ground, &surveys->places);
    if (look->moment != RESIDENT_AT_PEAK)
        look_for_caller(subject, &look->ground);
    if (survey && !tally.is_short) {
        survey_deinit(survey);
        survey->is_taken = true;
        survey->moment = (uint8_t)look->moment;
        survey->time = look->time;
        survey->events = subject->book->sums.events;
        survey->rss_bytes = look->rss_bytes;
        survey->asked_shared = look->asks_shared;
        survey->proportional_bytes =
            subject->book->samples.list ? subject->book->samples.proportional : SAMPLE_UNKNOWN;
        add_rows(survey, &tally, surveys->raw_caller);
        take_regions(survey, &tally);
    }
    tally_deinit(&tally);
    note_cost(subject, look->looked_ns + clock_computed() - begun);
    look_free(look);
}

/* Is it worth one more near the peak? */
static bool is_new_peak(const struct book *book)
{
    const struct samples *samples = &book->samples;
    uint64_t resident = samples->count ? samples->list[samples->count - 1].resident : 0;
    uint64_t step = resident / PEAK_STEP > PEAK_STEP_MIN ? resident / PEAK_STEP : PEAK_STEP_MIN;
    return resident != SAMPLE_UNKNOWN && resident >= PEAK_BYTES_MIN &&
           resident > book->surveys.peak_bytes + step;
}

bool survey_is_due(const struct book *book, uint64_t now_ns, uint64_t every_ns,
                   enum resident_moment *moment)
{
    const struct surveys *surveys = &book->surveys;
    uint64_t since = surveys->begun_ns ? now_ns - surveys->begun_ns : 0;
    *moment = every_ns && now_ns >= surveys->next_ns ? RESIDENT_AT_ASKED : RESIDENT_AT_PEAK;
    return *moment == RESIDENT_AT_ASKED ||
           (is_new_peak(book) && surveys->cost_ns < COST_FREE_NS + since / COST_SHARE);
}

void survey_take(const struct survey_subject *subject, const struct survey_order *order)
{
    struct surveys *surveys = &subject->book->surveys;
    if (!surveys->begun_ns)
        surveys->begun_ns = order->now_ns;
    if (order->moment == RESIDENT_AT_ASKED)
        surveys->next_ns = order->now_ns + order->every_ns;
    if (survey_begin(subject, order->moment, order->seconds)) {
        if (order->moment == RESIDENT_AT_PEAK)
            surveys->peak_bytes = surveys->look->rss_bytes;
        survey_finish(subject);
    }
}
