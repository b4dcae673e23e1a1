/*
 * Printing suspects: how fast they grow first, then what they hold by now, and where they are.
 */
#include "viewer/format/growth.h"

#include <inttypes.h>
#include <math.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/size.h"
#include "viewer/format/json_values.h"
#include "viewer/format/report.h"
#include "viewer/format/row_key.h"
#include "viewer/format/row_text.h"
#include "viewer/format/table.h"
#include "viewer/recording/source.h"

static size_t suspects_shown(const struct growth *growth, size_t limit)
{
    return limit && limit < growth->count ? limit : growth->count;
}

/* --- JSON and CSV --- */

static json_t *values_to_json(const uint64_t *values)
{
    json_t *list = json_array();
    for (size_t i = 0; i <= GROWTH_MOMENTS; i++)
        json_array_append_new(list, json_integer((json_int_t)values[i]));
    return list;
}

/* At which times they stand. */
static json_t *times_to_json(const struct suspect *suspect)
{
    json_t *list = json_array();
    for (unsigned i = 0; i <= GROWTH_MOMENTS; i++)
        json_array_append_new(list, json_real(suspect_seconds(suspect, i)));
    return list;
}

static json_t *suspect_to_json(const struct growth *growth, const struct suspect *suspect)
{
    json_t *object = json_object();
    row_key_to_json(object, &growth->last.grouping, suspect->key);
    json_put_count(object, "bytes", suspect->bytes[GROWTH_MOMENTS]);
    json_put_count(object, "blocks", suspect->blocks[GROWTH_MOMENTS]);
    json_put_count(object, "gained_bytes", suspect->rising.gained);
    json_object_set_new(object, "bytes_a_second", json_real(suspect->rising.slope));
    json_object_set_new(object, "first_seen", json_real(suspect->rising.since));
    json_object_set_new(object, "last_gained", json_real(suspect->rising.last));
    json_object_set_new(object, "last_seen", json_real(suspect->to));
    json_object_set_new(object, "pid",
                        suspect->process ? json_integer(suspect->process->pid) : json_null());
    json_put_count(object, "growing_processes", suspect->process_count);
    json_object_set_new(object, "times", times_to_json(suspect));
    json_object_set_new(object, "bytes_over_time", values_to_json(suspect->bytes));
    json_object_set_new(object, "blocks_over_time", values_to_json(suspect->blocks));
    return object;
}

void growth_print_json(FILE *stream, const struct growth *growth, size_t limit)
{
    json_t *rows = json_array(), *times = json_array();
    for (size_t i = 0; i < suspects_shown(growth, limit); i++)
        json_array_append_new(rows, suspect_to_json(growth, &growth->suspects[i]));
    for (size_t i = 0; i <= GROWTH_MOMENTS; i++)
        json_array_append_new(times, json_real(growth->times[i]));
    json_t *all = report_outer_to_json(&growth->last);
    json_put_text(all, "by", group_names[growth->last.query.by]);
    json_put_count(all, "rows_omitted", growth->count - suspects_shown(growth, limit));
    json_object_set_new(all, "times", times);
    json_object_set_new(all, "rows", rows);
    json_print_file(stream, all);
}

void growth_print_csv(FILE *stream, const struct growth *growth, size_t limit)
{
    fprintf(stream, "%s,bytes,blocks,gained_bytes,bytes_a_second,first_seen,last_seen,pid\n",
            row_key_titles(growth->last.query.by));
    for (size_t i = 0; i < suspects_shown(growth, limit); i++) {
        const struct suspect *suspect = &growth->suspects[i];
        row_key_to_csv(stream, &growth->last.grouping, suspect->key);
        fprintf(stream, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.1f,%.6f,%.6f,",
                suspect->bytes[GROWTH_MOMENTS], suspect->blocks[GROWTH_MOMENTS],
                suspect->rising.gained, suspect->rising.slope, suspect->rising.since, suspect->to);
        if (suspect->process)
            fprintf(stream, "%" PRId64, suspect->process->pid);
        fputc('\n', stream);
    }
}

/* --- text --- */

static struct table_cells cells_of(const struct suspect *suspect)
{
    struct table_cells cells = {{{""},
                                 size_format(suspect->bytes[GROWTH_MOMENTS]),
                                 count_format(suspect->blocks[GROWTH_MOMENTS]),
                                 seconds_format(suspect->rising.since)}};
    snprintf(cells.cells[0].text, sizeof cells.cells[0].text, "%.*s/s",
             (int)sizeof cells.cells[0].text - 3,
             size_format((uint64_t)fmax(suspect->rising.slope, 0)).text);
    return cells;
}

/* Eight levels from nothing to the last value. */
static char *curve_of(const struct suspect *suspect)
{
    static const char *const levels[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    char *curve = memory_new(GROWTH_MOMENTS + 2, 4), *out = curve;
    uint64_t most = 1;
    for (size_t i = 0; i <= GROWTH_MOMENTS; i++)
        most = suspect->bytes[i] > most ? suspect->bytes[i] : most;
    for (size_t i = 0; i <= GROWTH_MOMENTS; i++)
        for (const char *at = levels[suspect->bytes[i] * 7 / most]; *at; at++)
            *out++ = *at;
    return curve;
}

/* Where it grows, if not in the sum of all; NULL: there. */
static char *process_of(const struct suspect *suspect)
{
    if (!suspect->process)
        return NULL;
    if (suspect->process_count == 1)
        return memory_print("  in process %" PRId64, suspect->process->pid);
    return memory_print("  in each of %zu processes, the most in process %" PRId64,
                        suspect->process_count, suspect->process->pid);
}

static void print_suspect(const struct table *table, struct sources *sources,
                          const struct growth *growth, const struct suspect *suspect)
{
    const struct grouping *grouping = &growth->last.grouping;
    struct table_cells cells = cells_of(suspect);
    CLEANUP(cleanup_free) char *name = row_name(grouping, suspect->key, table->text_width);
    CLEANUP(cleanup_free) char *curve = curve_of(suspect);
    CLEANUP(cleanup_free) char *indented = memory_print("  %s", curve);
    table_print_row(table, &cells, name);
    row_print_source(table, sources, grouping, suspect->key);
    table_print_more(table, table->colours.number, indented);
    CLEANUP(cleanup_free) char *process = process_of(suspect);
    if (process)
        table_print_more(table, table->colours.number, process);
}

/* --- why there is none --- */

/* By the rule that was not met; what is told of rows that did not. */
static const char *const reasons[] = {
    [RISING_LITTLE] = "gained less than that",
    [RISING_GIVEN_BACK] = "held as much before, and gave it back",
    [RISING_SHORT] = "gained for too short a time to say",
    [RISING_FEW] = "gained in fewer than four of eight parts of the time since then",
    [RISING_STOPPED] = "gained nothing any more while the program went on, or for most of the time",
    [RISING_HARDLY] =
        "gained hardly anything any more while the program went on, or for most of the time",
    [RISING_SLOWED] = "gained little in the later half of the time since then",
    [RISING_SUDDEN] = "gained nearly all of it in the later half of the time since then",
    [RISING_BLOCKS] = "gained bytes and not blocks",
};

static void print_unmet(FILE *stream, const struct growth *growth, const struct unmet *unmet,
                        enum rising_verdict verdict, size_t width)
{
    const struct suspect *largest = &unmet->largest;
    CLEANUP(cleanup_free) char *name = row_name(&growth->last.grouping, largest->key, width);
    CLEANUP(cleanup_free)
    char *most = largest->rising.gained
                     ? memory_print("; the most, %s from %s to %s: %s",
                                    size_format(largest->rising.gained).text,
                                    seconds_format(largest->rising.since).text,
                                    seconds_format(largest->rising.last).text, name)
                     : NULL;
    CLEANUP(cleanup_free)
    char *text = memory_print("%zu %s%s", unmet->count, reasons[verdict], most ? most : "");
    print_wrapped(stream, width, 2, text);
}

static void print_nothing(FILE *stream, const struct growth *growth, size_t width)
{
    size_t count = 0;
    for (unsigned i = 0; i < RISING_VERDICTS; i++)
        count += growth->unmet[i].count;
    CLEANUP(cleanup_free)
    char *text = memory_print("Nothing grows steadily. Rows that hold %s at the end: %zu%s",
                              size_format(RISING_LEAST).text, count, count ? ", of which" : ".");
    print_wrapped(stream, width, 0, text);
    for (unsigned i = 0; i < RISING_VERDICTS; i++)
        if (growth->unmet[i].count)
            print_unmet(stream, growth, &growth->unmet[i], (enum rising_verdict)i, width);
}

void growth_print_text(FILE *stream, struct recording *recording, const struct growth *growth,
                       size_t limit, size_t width, struct colours colours)
{
    struct table table = {
        .stream = stream,
        .width = width,
        .colours = colours,
        .columns = {{"growth", false, 0},
                    {"holds", false, 0},
                    {"blocks", true, 0},
                    {"since", true, 0}},
        .column_count = 4,
    };
    if (!growth->count) {
        print_nothing(stream, growth, width);
        return;
    }
    for (size_t i = 0; i < suspects_shown(growth, limit); i++) {
        struct table_cells cells = cells_of(&growth->suspects[i]);
        table_fit(&table, &cells);
    }
    table_arrange(&table);
    CLEANUP(sources_deinit) struct sources sources;
    sources_init(&sources, recording);
    table_print_titles(&table, group_names[growth->last.query.by]);
    for (size_t i = 0; i < suspects_shown(growth, limit); i++)
        print_suspect(&table, &sources, growth, &growth->suspects[i]);
    if (growth->count > suspects_shown(growth, limit))
        fprintf(stream, "… %zu more (-n 0 shows all)\n",
                growth->count - suspects_shown(growth, limit));
}
