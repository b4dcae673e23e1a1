/*
 * A survey is written once, whole.
 */
#include "collector/store/recording_survey.h"

static const char *const kind_keys[] = {RESIDENT_KINDS(RESIDENT_KEY)};
static const char *const moment_keys[] = {RESIDENT_MOMENTS(RESIDENT_KEY)};
static const char *const region_keys[] = {RESIDENT_REGIONS(RESIDENT_REGION_KEY)};

/* A survey on its way into the recording. */
struct written {
    struct recording_database *database;
    uint32_t process, number;
};

static bool forget(const struct written *to)
{
    static const enum recording_statement statements[] = {
        STATEMENT_FORGET_RESIDENT_ROWS, STATEMENT_FORGET_REGIONS, STATEMENT_FORGET_HOLDERS,
        STATEMENT_FORGET_COPIED};
    bool done = true;
    for (unsigned i = 0; done && i < sizeof statements / sizeof *statements; i++) {
        sqlite3_bind_int64(to->database->others[statements[i]], 2, to->number);
        done = recording_database_forget(to->database, statements[i], to->process);
    }
    return done;
}

static bool write_rows(const struct written *to, const struct survey *survey)
{
    bool done = true;
    for (uint32_t i = 0; done && i < survey->row_count; i++) {
        const struct survey_row *row = &survey->rows[i];
        done = RECORDING_PUT(to->database, RESIDENT_ROW, resident_row, .process = to->process,
                             .survey = to->number, .kind = kind_keys[row->kind],
                             .name = row->name ? row->name : "", .bytes = row->bytes,
                             .shared_bytes = row->shared_bytes, .swapped_bytes = row->swapped_bytes,
                             .blocks = row->blocks);
    }
    return done;
}

static bool write_regions(const struct written *to, const struct survey *survey)
{
    bool done = true;
    for (uint32_t i = 0; done && i < survey->region_count; i++) {
        const struct survey_region *region = &survey->regions[i];
        done = RECORDING_PUT(to->database, REGION, region, .process = to->process,
                             .survey = to->number, .number = i, .kind = region_keys[region->kind],
                             .address = region->address, .bytes = region->bytes,
                             .resident_bytes = region->resident, .used_bytes = region->used,
                             .blocks = region->blocks, .lines = region->lines);
    }
    return done;
}

static bool write_holders(const struct written *to, const struct survey *survey)
{
    bool done = true;
    for (uint32_t i = 0; done && i < survey->holder_count; i++) {
        const struct survey_holder *holder = &survey->holders[i];
        done = RECORDING_PUT(to->database, HOLDER, holder, .process = to->process,
                             .survey = to->number, .region = holder->region,
                             .location = holder->location, .blocks = holder->blocks,
                             .bytes = holder->bytes);
    }
    return done;
}

static bool write_copied(const struct written *to, const struct survey *survey)
{
    bool done = true;
    for (uint32_t i = 0; done && i < survey->copied_count; i++) {
        const struct survey_holder *copied = &survey->copied[i];
        done = RECORDING_PUT(to->database, COPIED, copied, .process = to->process,
                             .survey = to->number, .location = copied->location,
                             .blocks = copied->blocks, .bytes = copied->bytes);
    }
    return done;
}

/* -1 where it is not known. */
static int64_t amount_of(bool is_known, uint64_t bytes)
{
    return is_known && bytes != SAMPLE_UNKNOWN ? (int64_t)bytes : -1;
}

static bool write_survey(const struct written *to, struct survey *survey)
{
    if (!survey->is_taken || survey->is_written)
        return true;
    survey->is_written =
        forget(to) &&
        RECORDING_PUT(to->database, SURVEY, survey, .process = to->process, .number = to->number,
                      .moment = moment_keys[survey->moment], .time = survey->time,
                      .events = survey->events, .rss_bytes = survey->rss_bytes,
                      .shared_bytes = amount_of(survey->asked_shared, survey->shared_bytes),
                      .proportional_bytes = amount_of(true, survey->proportional_bytes),
                      .huge_bytes = survey->huge_bytes, .hugetlb_bytes = survey->hugetlb_bytes) &&
        write_rows(to, survey) && write_regions(to, survey) && write_holders(to, survey) &&
        write_copied(to, survey);
    return survey->is_written;
}

bool recording_survey_write(struct recording_database *database, struct process *process)
{
    struct surveys *surveys = &process->book.surveys;
    struct written to = {database, process->peer.number, 1};
    bool done = write_survey(&to, &surveys->end);
    to.number = 2;
    done = done && write_survey(&to, &surveys->peak);
    for (uint32_t i = 0; done && i < surveys->asked_count; i++) {
        to.number = 3 + i;
        done = write_survey(&to, &surveys->asked[i]);
    }
    return done;
}
