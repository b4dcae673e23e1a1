/*
 * heapline diff: what changed between two runs, or between two moments of one.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "store.h"
#include "viewer/base/cleanup.h"
#include "viewer/cli/query_options.h"
#include "viewer/commands/commands.h"
#include "viewer/format/csv.h"
#include "viewer/format/difference_text.h"
#include "viewer/format/json_values.h"
#include "viewer/format/row_key.h"
#include "viewer/question/difference.h"

#define COMMAND_NAME "heapline diff"

enum {
    OPTION_AT = 1,
};

static const struct option_spec specs[] = {
    {0, "at", "MOMENT [MOMENT]",
     "of two runs: the moment that is compared (peak);\n"
     "of one run: the two moments",
     OPTION_AT},
    QUERY_SPECS_BY,
    QUERY_SPECS_FILTERS,
    QUERY_SPEC_LIMIT,
    FORM_SPEC_JSON("print JSON"),
    FORM_SPEC_CSV("print the rows as CSV"),
    FORM_SPEC_HELP,
};
static const struct option_words word_lists[] = {{OPTION_AT, moment_names, NULL}, {0}};

struct diff_request {
    struct moment moments[2];
    size_t moment_count;
    bool know_touched; /* both recordings */
};

/* The second moment, where there is one, is the argument after the first. */
static bool take_at(struct diff_request *request, struct options *options)
{
    if (!query_option_moment(options, options->value, &request->moments[0]))
        return false;
    const char *next = *options->arguments;
    request->moment_count = next && moment_parse(next, &request->moments[1]) ? 2 : 1;
    options->arguments += request->moment_count - 1;
    return true;
}

static bool take_option(struct request *request, int option, struct options *options)
{
    (void)option;
    return take_at(request->own, options);
}

static bool check_request(struct request *request, const struct options *options)
{
    struct diff_request *own = request->own;
    if (request->form.help)
        return true;
    if (!form_check(&request->form, options))
        return false;
    if (request->file_count == 2 && own->moment_count == 2)
        return options_wrong(options, "two recordings or two moments, not both"), false;
    if (request->file_count < 2 && own->moment_count < 2)
        return options_wrong(options, "two recordings, or one with --at MOMENT MOMENT"), false;
    if (own->moment_count < 2)
        own->moments[1] = own->moments[0];
    return true;
}

/* --- output --- */

static json_t *side_to_json(const struct side *side)
{
    return json_pack("{s:s,s:s,s:I,s:I}", "file", side->recording->database.path, "at",
                     moment_text(&side->answer->query.at), "bytes",
                     (json_int_t)side->answer->view.bytes, "blocks",
                     (json_int_t)side->answer->view.blocks);
}

static void put_change(json_t *object, const char *name, const char *name_of_change,
                       uint64_t before, uint64_t after)
{
    json_object_set_new(object, name, json_integer((json_int_t)after));
    json_object_set_new(object, name_of_change,
                        json_integer((json_int_t)after - (json_int_t)before));
}

static void print_json(const struct difference *difference, size_t limit)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < difference->count && i < limit; i++) {
        const struct difference_row *row = &difference->rows[i];
        json_t *object = json_object();
        row_key_to_json(object, &row->side->answer->grouping, row->row->key);
        put_change(object, "bytes", "bytes_change", row->old_bytes, row->new_bytes);
        put_change(object, "blocks", "blocks_change", row->old_blocks, row->new_blocks);
        json_array_append_new(rows, object);
    }
    json_t *all = json_pack(
        "{s:o,s:o,s:o,s:s,s:I,s:o}", "heapline", json_about(), "old",
        side_to_json(&difference->sides[0]), "new", side_to_json(&difference->sides[1]), "by",
        group_names[difference->sides[0].answer->query.by], "rows_omitted",
        (json_int_t)(difference->count > limit ? difference->count - limit : 0), "rows", rows);
    json_print_file(stdout, all);
}

static void print_csv(const struct difference *difference, size_t limit)
{
    printf("%s,bytes,bytes_change,blocks,blocks_change\n",
           row_key_titles(difference->sides[0].answer->query.by));
    for (size_t i = 0; i < difference->count && i < limit; i++) {
        const struct difference_row *row = &difference->rows[i];
        row_key_to_csv(stdout, &row->side->answer->grouping, row->row->key);
        printf(",%" PRIu64 ",%" PRId64 ",%" PRIu64 ",%" PRId64 "\n", row->new_bytes,
               (int64_t)(row->new_bytes - row->old_bytes), row->new_blocks,
               (int64_t)(row->new_blocks - row->old_blocks));
    }
}

static int difference_print(const struct request *request, const struct difference *difference)
{
    size_t limit = request->query.limit ? request->query.limit : SIZE_MAX;
    if (request->form.json)
        print_json(difference, limit);
    else if (request->form.csv)
        print_csv(difference, limit);
    else
        difference_print_text(stdout, difference, limit);
    return request_finish(request);
}

/* --- the two sides --- */

static bool side_ask(struct answer *answer, struct recording *recording,
                     const struct request *request, unsigned side)
{
    const struct diff_request *own = request->own;
    struct query query = request->query;
    query.limit = 0;
    query.at = own->moments[side];
    if (!query.at.text && !own->know_touched) /* both by the same measure */
        query.at.text = moment_names[MOMENT_PEAK];
    return answer_init(answer, recording, &query);
}

/* Asks both. Returns the recording that has a problem; NULL: none. */
static struct recording *ask_both(struct answer *old, struct recording *before, struct answer *new,
                                  struct recording *after, const struct request *request)
{
    struct progress *progress = before->database.progress;
    progress_begin(progress, "reading the recording", 2);
    struct recording *bad = !side_ask(old, before, request, 0)  ? before
                            : !side_ask(new, after, request, 1) ? after
                                                                : NULL;
    progress_end(progress);
    return bad;
}

static int diff_compare(struct request *request, struct recording *before, struct recording *after)
{
    CLEANUP(answer_deinit) struct answer old = {0};
    CLEANUP(answer_deinit) struct answer new = {0};
    struct diff_request *own = request->own;
    own->know_touched = before->database.format >= STORE_FORMAT_TOUCHED &&
                        after->database.format >= STORE_FORMAT_TOUCHED;
    const struct recording *bad = ask_both(&old, before, &new, after, request);
    if (bad)
        return request_fail_reading(request, bad);
    CLEANUP(difference_deinit) struct difference difference;
    difference_init(&difference, (struct side){before, &old}, (struct side){after, &new});
    return difference_print(request, &difference);
}

static int compare_moments(struct request *request, struct recording *recording)
{
    return diff_compare(request, recording, recording);
}

static int diff_perform(struct request *request)
{
    if (request->file_count == 2)
        return request_show_both(request, diff_compare);
    const char *file = request_file(request);
    return file ? request_show(request, file, compare_moments) : STATUS_FAILED;
}

const struct subcommand command_diff = {
    .name = COMMAND_NAME,
    .summary = "what changed between two runs, or two moments of one",
    .usage = "Usage: heapline diff [OPTION...] RUN_A RUN_B\n"
             "       heapline diff [OPTION...] [RUN] --at MOMENT MOMENT\n\n"
             "Prints what changed between two runs, or between two moments of one, as tracemalloc\n"
             "prints differences. A line is the same one when its file, function and text are.\n",
    .options = OPTION_TABLE(specs, word_lists),
    .files_most = 2,
    .own_size = sizeof(struct diff_request),
    .take = take_option,
    .check = check_request,
    .perform = diff_perform,
};
