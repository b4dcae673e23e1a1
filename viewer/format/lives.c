/*
 * Printing how blocks live. A row has up to three lines: its figures and where it is, the line of
 * source, and how many of its blocks lived how long, drawn in the classes of lifetime.h.
 */
#include "viewer/format/lives.h"

#include <inttypes.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/format/json_values.h"
#include "viewer/format/row_key.h"
#include "viewer/format/row_text.h"

static const char *const shape_names[] = {
    [SHAPE_OTHER] = NULL,
    [SHAPE_GROWS] = "grows",
    [SHAPE_ONCE] = "once",
};

static const struct lifetimes *lifetimes_of(const struct lives *lives, const struct row *row)
{
    return &lives->growth.last.lifetimes[row->key];
}

static double rate_of(const struct lives *lives, uint64_t count)
{
    return lives->seconds > 0 ? (double)count / lives->seconds : 0;
}

/* --- JSON and CSV --- */

static json_t *counts_to_json(const int64_t *by_class)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < LIFETIME_CLASSES; i++)
        json_array_append_new(list, json_integer(by_class[i]));
    return list;
}

/* Where each class ends; the last one has no end. */
static json_t *limits_to_json(double first)
{
    json_t *list = json_array();
    for (unsigned i = 0; i + 1 < LIFETIME_CLASSES; i++, first *= 10)
        json_array_append_new(list, first < 1 ? json_real(first) : json_integer((json_int_t)first));
    json_array_append_new(list, json_null());
    return list;
}

static json_t *row_to_json(const struct lives *lives, const struct row *row)
{
    const struct lifetimes *lifetimes = lifetimes_of(lives, row);
    json_t *object = json_object();
    row_key_to_json(object, &lives->growth.last.grouping, row->key);
    json_put_count(object, "bytes", row->bytes);
    json_put_count(object, "blocks", row->blocks);
    json_put_count(object, "allocated_bytes", row->allocated_bytes);
    json_put_count(object, "allocations", row->allocations);
    json_put_count(object, "frees", lifetimes_deaths(lifetimes));
    json_object_set_new(object, "allocations_a_second",
                        json_real(rate_of(lives, row->allocations)));
    json_object_set_new(object, "allocated_bytes_a_second",
                        json_real(rate_of(lives, row->allocated_bytes)));
    json_object_set_new(object, "lived_allocations", counts_to_json(lifetimes->by_age));
    json_object_set_new(object, "lived_seconds", counts_to_json(lifetimes->by_time));
    json_put_text(object, "shape", shape_names[lives_shape(lives, row)]);
    return object;
}

void lives_print_json(FILE *stream, const struct lives *lives)
{
    const struct answer *answer = &lives->growth.last;
    json_t *rows = json_array();
    for (size_t i = 0; i < answer->row_count; i++)
        json_array_append_new(rows, row_to_json(lives, &answer->rows[i]));
    json_t *all = json_pack(
        "{s:o,s:s,s:I,s:o,s:o,s:o}", "heapline", json_about(), "by", group_names[answer->query.by],
        "rows_omitted", (json_int_t)answer->rows_omitted, "lived_allocations_up_to",
        limits_to_json(1), "lived_seconds_below", limits_to_json(0.001), "rows", rows);
    json_print_file(stream, all);
}

static void print_csv_counts(FILE *stream, const int64_t *by_class)
{
    for (unsigned i = 0; i < LIFETIME_CLASSES; i++)
        fprintf(stream, ",%" PRId64, by_class[i]);
}

void lives_print_csv(FILE *stream, const struct lives *lives)
{
    const struct answer *answer = &lives->growth.last;
    fprintf(stream,
            "%s,bytes,blocks,allocated_bytes,allocations,frees,allocations_a_second,"
            "allocated_bytes_a_second,shape",
            row_key_titles(answer->query.by));
    for (uint64_t i = 0, limit = 1; i + 1 < LIFETIME_CLASSES; i++, limit *= 10)
        fprintf(stream, ",lived_up_to_%" PRIu64 "_allocations", limit);
    fputs(",lived_more_allocations", stream);
    for (uint64_t i = 0, limit = 1; i + 1 < LIFETIME_CLASSES; i++, limit *= 10)
        fprintf(stream, ",lived_below_%" PRIu64 "_ms", limit);
    fputs(",lived_longer\n", stream);
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct row *row = &answer->rows[i];
        const char *shape = shape_names[lives_shape(lives, row)];
        row_key_to_csv(stream, &answer->grouping, row->key);
        fprintf(stream, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.1f,%.1f,%s",
                row->bytes, row->blocks, row->allocated_bytes, row->allocations,
                lifetimes_deaths(lifetimes_of(lives, row)), rate_of(lives, row->allocations),
                rate_of(lives, row->allocated_bytes), shape ? shape : "");
        print_csv_counts(stream, lifetimes_of(lives, row)->by_age);
        print_csv_counts(stream, lifetimes_of(lives, row)->by_time);
        fputc('\n', stream);
    }
}

/* --- text --- */

/* "950 /s", "12.3 k/s" */
static struct size_text rate_format(double a_second)
{
    static const char *const units[] = {"", "k", "M", "G"};
    struct size_text text;
    size_t unit = 0;
    for (; a_second >= 1000 && unit < 3; unit++)
        a_second /= 1000;
    snprintf(text.text, sizeof text.text, "%.*f %s/s", a_second < 10 && unit ? 1 : 0, a_second,
             units[unit]);
    return text;
}

/* Within which time half of the blocks were freed. */
static struct size_text median_format(const struct lifetimes *lifetimes)
{
    static const char *const names[] = {"< 1 ms",  "< 10 ms",  "< 100 ms", "< 1 s", "< 10 s",
                                        "< 100 s", "< 1000 s", "longer",   "-"};
    struct size_text text;
    snprintf(text.text, sizeof text.text, "%s", names[lifetimes_median(lifetimes->by_time)]);
    return text;
}

static struct table_cells cells_of(const struct lives *lives, const struct row *row)
{
    return (struct table_cells){{size_format(row->allocated_bytes), count_format(row->allocations),
                                 rate_format(rate_of(lives, row->allocations)),
                                 median_format(lifetimes_of(lives, row)), size_format(row->bytes)}};
}

/* Appends a bar for each class, from nothing to the most, and returns its end. */
static char *draw_classes(char *out, const int64_t *by_class)
{
    static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    int64_t most = 1;
    for (unsigned i = 0; i < LIFETIME_CLASSES; i++)
        most = by_class[i] > most ? by_class[i] : most;
    for (unsigned i = 0; i < LIFETIME_CLASSES; i++) {
        int64_t count = by_class[i] > 0 ? by_class[i] : 0;
        /* Whatever is there is seen. */
        size_t height = count ? 1 + (size_t)((double)count / (double)most * 7.0) : 0;
        out = stpcpy(out, bars[height]);
    }
    return out;
}

static char *describe_lives(const struct lives *lives, const struct row *row)
{
    const struct lifetimes *lifetimes = lifetimes_of(lives, row);
    static const char *const words[] = {
        [SHAPE_OTHER] = "", [SHAPE_GROWS] = "  grows", [SHAPE_ONCE] = "  allocated once and kept"};
    const char *shape = words[lives_shape(lives, row)];
    if (!lifetimes_deaths(lifetimes))
        return memory_print("  none freed %s", shape);
    char time[4 * LIFETIME_CLASSES], age[4 * LIFETIME_CLASSES];
    draw_classes(time, lifetimes->by_time);
    draw_classes(age, lifetimes->by_age);
    return memory_print("  |%s|%s|%s", time, age, shape);
}

static void print_row(const struct table *table, struct sources *sources, const struct lives *lives,
                      const struct row *row)
{
    const struct grouping *grouping = &lives->growth.last.grouping;
    struct table_cells cells = cells_of(lives, row);
    CLEANUP(cleanup_free) char *name = row_name(grouping, row->key, table->text_width);
    CLEANUP(cleanup_free) char *description = describe_lives(lives, row);
    table_print_row(table, &cells, name);
    row_print_source(table, sources, grouping, row->key);
    table_print_more(table, table->colours.number, description);
}

void lives_print_text(FILE *stream, struct recording *recording, const struct lives *lives,
                      size_t width, struct colours colours)
{
    const struct answer *answer = &lives->growth.last;
    struct table table = {
        .stream = stream,
        .width = width,
        .colours = colours,
        .columns = {{"allocated", false, 0},
                    {"blocks", true, 0},
                    {"rate", true, 0},
                    {"half live", false, 0},
                    {"at end", false, 0}},
        .column_count = 5,
    };
    if (!answer->row_count) {
        print_wrapped(stream, width, 0, "There is no row to show.");
        return;
    }
    for (size_t i = 0; i < answer->row_count; i++) {
        struct table_cells cells = cells_of(lives, &answer->rows[i]);
        table_fit(&table, &cells);
    }
    table_arrange(&table);
    CLEANUP(sources_deinit) struct sources sources;
    sources_init(&sources, recording);
    table_print_titles(&table, group_names[answer->query.by]);
    for (size_t i = 0; i < answer->row_count; i++)
        print_row(&table, &sources, lives, &answer->rows[i]);
    print_wrapped(
        stream, width, 0,
        "|how long they lived|: < 1 ms, < 10 ms, … ≥ 1000 s|: in allocations: 1, ≤ 10, … > "
        "1 million|");
    if (answer->rows_omitted)
        fprintf(stream, "… %zu more (-n 0 shows all)\n", answer->rows_omitted);
}
