/*
 * The end of a program says more than its peak: then what is not needed any more has been freed.
 */
#include "viewer/format/resident_text.h"

#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/size.h"
#include "viewer/base/utf8.h"

/* Smaller processes are mostly interpreter. */
#define TOLD_FROM (UINT64_C(64) << 20)

bool resident_is_summed(enum resident_kind kind)
{
    return kind == RESIDENT_FILE || kind == RESIDENT_LIBRARY || kind == RESIDENT_SHARED ||
           kind == RESIDENT_SHIM;
}

const char *resident_short_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

char *resident_row_text(const struct survey_row *row)
{
    const char *words = resident_words[row->kind];
    if (!row->name || resident_is_summed(row->kind))
        return memory_copy(words);
    CLEANUP(cleanup_free) char *name = utf8_escape(resident_short_name(row->name));
    if (row->kind == RESIDENT_UNSEEN)
        return memory_print("%s; %s has system calls of its own", words, name);
    return row->kind == RESIDENT_MMAP ? memory_print("%s by %s", words, name)
                                      : memory_print("%s: %s", words, name);
}

/* Of those that are no block of anybody's. */
static const struct survey_row *largest_row(const struct survey *survey)
{
    const struct survey_row *largest = NULL;
    for (size_t i = 0; i < survey->row_count; i++) {
        const struct survey_row *row = &survey->rows[i];
        if (row->kind > RESIDENT_INHERITED && (!largest || row->bytes > largest->bytes))
            largest = row;
    }
    return largest;
}

static uint64_t block_bytes(const struct survey *survey)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < survey->row_count; i++)
        bytes += survey->rows[i].kind <= RESIDENT_INHERITED ? survey->rows[i].bytes : 0;
    return bytes;
}

static struct survey *largest_end(struct surveys *surveys)
{
    struct survey *largest = NULL;
    for (size_t i = 0; i < surveys->count; i++) {
        struct survey *survey = &surveys->list[i];
        if (survey->moment == RESIDENT_AT_END &&
            (!largest || survey->rss_bytes > largest->rss_bytes))
            largest = survey;
    }
    return largest;
}

char *resident_summary(struct recording *recording)
{
    CLEANUP(surveys_deinit) struct surveys surveys;
    struct survey *survey = surveys_init(&surveys, recording) ? largest_end(&surveys) : NULL;
    if (!survey || survey->rss_bytes < TOLD_FROM || !survey_load(survey, recording))
        return NULL;
    uint64_t blocks = block_bytes(survey);
    const struct survey_row *largest = largest_row(survey);
    if (!largest || blocks * 3 > survey->rss_bytes * 2)
        return NULL;
    CLEANUP(cleanup_free) char *text = resident_row_text(largest);
    return memory_print("resident at the end %s, of which %s are live blocks and %s are %s",
                        size_format(survey->rss_bytes).text, size_format(blocks).text,
                        size_format(largest->bytes).text, text);
}
