/*
 * The page was put together when the program was built: a text with one place in it for the data,
 * which are JSON in a script element that is not executed. In JSON a "<" stands in strings alone,
 * and is written as an escape there: nothing in a name can end the element, or begin another.
 */
#include "viewer/html/page.h"

#include <math.h>
#include <string.h>

#include "page_format.h"
#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/format/json_values.h"
#include "viewer/html/page_asset.h"
#include "wire.h"

/* What stands where the data go. */
#define DATA_MARK "@HEAPLINE_DATA@"

bool page_is_there(void)
{
    return strstr(page_asset, DATA_MARK) != NULL;
}

/* --- what opens first --- */

/* A moment by its name or, as a number, its time. */
static json_t *moment_to_json(struct recording *recording, const struct moment *moment)
{
    double seconds;
    if (moment->kind == MOMENT_TIME && moment_seconds(moment, recording, &seconds))
        return json_real(seconds);
    return json_string(moment_names[moment->kind]);
}

static json_t *globs_to_json(const struct globs *globs)
{
    json_t *list = json_array();
    for (size_t i = 0; i < globs->count; i++)
        json_array_append_new(list, json_string(globs->patterns[i]));
    return list;
}

static json_t *allocators_to_json(unsigned allocators)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < WIRE_ALLOCATOR_COUNT; i++)
        if (allocators >> i & 1)
            json_array_append_new(list, json_integer(i));
    return list;
}

static json_t *view_to_json(struct recording *recording, const struct query *query)
{
    json_t *view = json_object();
    if (query->between)
        json_object_set_new(view, "between",
                            json_pack("[o,o]", moment_to_json(recording, &query->from),
                                      moment_to_json(recording, &query->to)));
    else
        json_object_set_new(view, "at", moment_to_json(recording, &query->at));
    json_object_set_new(view, "temporary", json_boolean(query->temporary != 0));
    json_object_set_new(view, "include", globs_to_json(&query->include));
    json_object_set_new(view, "exclude", globs_to_json(&query->exclude));
    json_object_set_new(view, "allocators", allocators_to_json(query->allocators));
    return view;
}

/* --- writing --- */

/* Nothing in a string may end the script that the data is in. */
static void write_text(FILE *stream, const char *text)
{
    while (*text) {
        size_t plain = strcspn(text, "<");
        fwrite(text, 1, plain, stream);
        text += plain;
        if (*text == '<') {
            fputs("\\u003c", stream);
            text++;
        }
    }
}

static void write_data(FILE *stream, const json_t *data)
{
    const size_t flags =
        JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(JSON_SECONDS_DIGITS);
    CLEANUP(cleanup_free) char *text = json_dumps(data, flags);
    if (text)
        write_text(stream, text);
    else
        memory_none();
}

void page_write(FILE *stream, const json_t *data)
{
    const char *mark = strstr(page_asset, DATA_MARK);
    if (!mark)
        return;
    fwrite(page_asset, 1, (size_t)(mark - page_asset), stream);
    write_data(stream, data);
    fputs(mark + strlen(DATA_MARK), stream);
}

json_t *page_data(struct recording *const *recordings, size_t count, const struct query *query)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *run = page_run_to_json(recordings[i], query, count == 1 ? PAGE_WHOLE : PAGE_HALF);
        if (!run) {
            json_decref(runs);
            return NULL;
        }
        json_array_append_new(runs, run);
    }
    return json_pack("{s:i,s:s,s:o,s:o}", "format", PAGE_FORMAT, "version", HEAPLINE_VERSION,
                     "view", view_to_json(recordings[0], query), "runs", runs);
}
