/*
 * Reading the tables of surveys.
 */
#include "viewer/recording/surveys.h"

#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/recording/table_rows.h"

const char *const resident_keys[] = {RESIDENT_KINDS(RESIDENT_KEY)};
const char *const resident_words[] = {RESIDENT_KINDS(RESIDENT_WORDS)};
const char *const resident_moment_keys[] = {RESIDENT_MOMENTS(RESIDENT_KEY)};
const char *const resident_moment_words[] = {RESIDENT_MOMENTS(RESIDENT_WORDS)};
static const char *const region_keys[] = {RESIDENT_REGIONS(RESIDENT_REGION_KEY)};

/* What a reader of one of the tables fills. */
struct loading {
    struct recording *recording;
    struct surveys *surveys;
    struct survey *survey;
};

static bool damaged(const struct loading *loading)
{
    return database_damaged(&loading->recording->database, "in what was resident");
}

/* The place of a word in a list; -1: it is not there. */
static int place_of(const char *word, const char *const *list, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(list[i], word) == 0)
            return i;
    return -1;
}

static bool take_survey(const void *row, void *context)
{
    const struct store_survey *stored = row;
    struct loading *loading = context;
    struct surveys *surveys = loading->surveys;
    int moment = place_of(stored->moment, resident_moment_keys, RESIDENT_MOMENT_COUNT);
    const struct process *process = recording_process(loading->recording, stored->process);
    if (!process || moment < 0 || !(stored->time >= 0))
        return damaged(loading);
    surveys->list = memory_room(surveys->list, surveys->count, sizeof *surveys->list);
    surveys->list[surveys->count++] = (struct survey){
        .process = process,
        .number = stored->number,
        .moment = (enum resident_moment)moment,
        .time = stored->time,
        .rss_bytes = stored->rss_bytes,
        .huge_bytes = stored->huge_bytes,
        .hugetlb_bytes = stored->hugetlb_bytes,
        .shared_bytes = stored->shared_bytes,
        .proportional_bytes = stored->proportional_bytes,
    };
    return true;
}

bool surveys_init(struct surveys *surveys, struct recording *recording)
{
    struct loading loading = {.recording = recording, .surveys = surveys};
    *surveys = (struct surveys){0};
    return table_rows_each_if_any(&recording->database, STORE_TABLE_SURVEY,
                                  "ORDER BY process, number", take_survey, &loading);
}

void surveys_deinit(struct surveys *surveys)
{
    for (size_t i = 0; i < surveys->count; i++) {
        struct survey *survey = &surveys->list[i];
        for (size_t row = 0; row < survey->row_count; row++)
            free(survey->rows[row].name);
        free(survey->rows);
        free(survey->regions);
        free(survey->holders);
        free(survey->copied);
    }
    free(surveys->list);
}

static bool take_row(const void *row, void *context)
{
    const struct store_resident_row *stored = row;
    struct loading *loading = context;
    struct survey *survey = loading->survey;
    int kind = place_of(stored->kind, resident_keys, RESIDENT_KIND_COUNT);
    if (kind < 0)
        return damaged(loading);
    survey->rows = memory_room(survey->rows, survey->row_count, sizeof *survey->rows);
    survey->rows[survey->row_count++] = (struct survey_row){
        .kind = (enum resident_kind)kind,
        .name = *stored->name ? memory_copy(stored->name) : NULL,
        .bytes = stored->bytes,
        .shared_bytes = stored->shared_bytes,
        .swapped_bytes = stored->swapped_bytes,
        .blocks = stored->blocks,
    };
    return true;
}

static bool take_region(const void *row, void *context)
{
    const struct store_region *stored = row;
    struct loading *loading = context;
    struct survey *survey = loading->survey;
    int kind = place_of(stored->kind, region_keys, RESIDENT_REGION_COUNT);
    if (kind < 0 || stored->number != survey->region_count)
        return damaged(loading);
    survey->regions = memory_room(survey->regions, survey->region_count, sizeof *survey->regions);
    survey->regions[survey->region_count++] = (struct survey_region){
        .kind = (enum resident_region)kind,
        .address = stored->address,
        .bytes = stored->bytes,
        .resident_bytes = stored->resident_bytes,
        .used_bytes = stored->used_bytes,
        .blocks = stored->blocks,
        .lines = stored->lines,
    };
    return true;
}

static bool take_holder(const void *row, void *context)
{
    const struct store_holder *stored = row;
    struct loading *loading = context;
    struct survey *survey = loading->survey;
    if (stored->region >= survey->region_count ||
        !symbols_has_location(&loading->recording->symbols, stored->location))
        return damaged(loading);
    survey->holders = memory_room(survey->holders, survey->holder_count, sizeof *survey->holders);
    survey->holders[survey->holder_count++] = (struct survey_holder){
        .region = stored->region,
        .location = stored->location,
        .blocks = stored->blocks,
        .bytes = stored->bytes,
    };
    return true;
}

static bool take_copied(const void *row, void *context)
{
    const struct store_copied *stored = row;
    struct loading *loading = context;
    struct survey *survey = loading->survey;
    if (!symbols_has_location(&loading->recording->symbols, stored->location))
        return damaged(loading);
    survey->copied = memory_room(survey->copied, survey->copied_count, sizeof *survey->copied);
    survey->copied[survey->copied_count++] =
        (struct survey_copied){stored->location, stored->blocks, stored->bytes};
    return true;
}

bool survey_load(struct survey *survey, struct recording *recording)
{
    struct loading loading = {.recording = recording, .survey = survey};
    struct database *database = &recording->database;
    CLEANUP(cleanup_free)
    char *rest = memory_print("WHERE process = %u AND survey = %u", (unsigned)survey->process->id,
                              (unsigned)survey->number);
    CLEANUP(cleanup_free) char *in_order = memory_print("%s ORDER BY number", rest);
    CLEANUP(cleanup_free) char *by_region = memory_print("%s ORDER BY region, location", rest);
    CLEANUP(cleanup_free) char *by_bytes = memory_print("%s ORDER BY bytes DESC, location", rest);
    return table_rows_each(database, STORE_TABLE_COPIED, NULL, by_bytes, take_copied, &loading) &&
           table_rows_each(database, STORE_TABLE_RESIDENT_ROW, NULL, rest, take_row, &loading) &&
           table_rows_each(database, STORE_TABLE_REGION, NULL, in_order, take_region, &loading) &&
           table_rows_each(database, STORE_TABLE_HOLDER, NULL, by_region, take_holder, &loading);
}

uint64_t survey_known(const struct survey *survey)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < survey->row_count; i++)
        bytes += survey->rows[i].bytes;
    return bytes;
}

uint64_t survey_swapped(const struct survey *survey)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < survey->row_count; i++)
        bytes += survey->rows[i].swapped_bytes;
    return bytes;
}
