/*
 * Printing suspects: how fast they grow first, then what they hold by now, and where they are.
 */
#include "viewer/format/growth.h"

#include <inttypes.h>
#include <math.h>

#include "viewer/cleanup.h"
#include "viewer/format/json_values.h"
#include "viewer/format/row_key.h"
#include "viewer/format/row_text.h"
#include "viewer/format/size.h"
#include "viewer/format/table.h"
#include "viewer/memory.h"
#include "viewer/source.h"

#define DIGITS 13

static size_t shown(const struct growth *growth, size_t limit)
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

static json_t *suspect_to_json(const struct growth *growth, const struct suspect *suspect)
{
    json_t *object = json_object();
    row_key_to_json(object, &growth->last.grouping, suspect->key);
    json_put_count(object, "bytes", suspect->bytes[GROWTH_MOMENTS]);
    json_put_count(object, "blocks", suspect->blocks[GROWTH_MOMENTS]);
    json_put_count(object, "gained_bytes", suspect->gained);
    json_object_set_new(object, "bytes_a_second", json_real(suspect->slope));
    json_object_set_new(object, "first_seen", json_real(suspect->first_seen));
    json_object_set_new(object, "last_seen", json_real(growth->times[GROWTH_MOMENTS]));
    json_object_set_new(object, "bytes_over_time", values_to_json(suspect->bytes));
    json_object_set_new(object, "blocks_over_time", values_to_json(suspect->blocks));
    return object;
}

void growth_print_json(FILE *stream, const struct growth *growth, size_t limit)
{
    json_t *rows = json_array(), *times = json_array();
    for (size_t i = 0; i < shown(growth, limit); i++)
        json_array_append_new(rows, suspect_to_json(growth, &growth->suspects[i]));
    for (size_t i = 0; i <= GROWTH_MOMENTS; i++)
        json_array_append_new(times, json_real(growth->times[i]));
    json_t *all =
        json_pack("{s:o,s:s,s:I,s:o,s:o}", "heapline", json_about(), "by",
                  group_names[growth->last.query.by], "rows_omitted",
                  (json_int_t)(growth->count - shown(growth, limit)), "times", times, "rows", rows);
    json_write(all, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
    fputc('\n', stream);
    json_decref(all);
}

void growth_print_csv(FILE *stream, const struct growth *growth, size_t limit)
{
    fprintf(stream, "%s,bytes,blocks,gained_bytes,bytes_a_second,first_seen,last_seen\n",
            row_key_titles(growth->last.query.by));
    for (size_t i = 0; i < shown(growth, limit); i++) {
        const struct suspect *suspect = &growth->suspects[i];
        row_key_to_csv(stream, &growth->last.grouping, suspect->key);
        fprintf(stream, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.1f,%.6f,%.6f\n",
                suspect->bytes[GROWTH_MOMENTS], suspect->blocks[GROWTH_MOMENTS], suspect->gained,
                suspect->slope, suspect->first_seen, growth->times[GROWTH_MOMENTS]);
    }
}

/* --- text --- */

static struct table_cells cells_of(const struct suspect *suspect)
{
    struct table_cells cells = {{{""},
                                 size_format(suspect->bytes[GROWTH_MOMENTS]),
                                 count_format(suspect->blocks[GROWTH_MOMENTS]),
                                 seconds_format(suspect->first_seen)}};
    snprintf(cells.cells[0].text, sizeof cells.cells[0].text, "%.*s/s",
             (int)sizeof cells.cells[0].text - 3,
             size_format((uint64_t)fmax(suspect->slope, 0)).text);
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
        print_wrapped(stream, width, 0,
                      "Nothing grows steadily: every line that gained memory levelled off, gave it "
                      "back, or did so only once.");
        return;
    }
    for (size_t i = 0; i < shown(growth, limit); i++) {
        struct table_cells cells = cells_of(&growth->suspects[i]);
        table_fit(&table, &cells);
    }
    table_arrange(&table);
    CLEANUP(sources_deinit) struct sources sources;
    sources_init(&sources, recording);
    table_print_titles(&table, group_names[growth->last.query.by]);
    for (size_t i = 0; i < shown(growth, limit); i++)
        print_suspect(&table, &sources, growth, &growth->suspects[i]);
    if (growth->count > shown(growth, limit))
        fprintf(stream, "… %zu more (-n 0 shows all)\n", growth->count - shown(growth, limit));
}
