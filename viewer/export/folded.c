/*
 * Folded stacks: a line for each stack, its frames from the outermost to the innermost one with ;
 * between them, a space, and the bytes. What the names themselves have of ; is escaped like a
 * control character (utf8.h).
 */
#include <inttypes.h>
#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/export/export.h"
#include "viewer/format/names.h"

#define SEMICOLON_ESCAPE "\\u{3b}"

struct folding {
    FILE *stream;
    const struct recording *recording;
    char **names; /* by location, as they are needed */
};

/* The caller frees it. */
static char *escape_semicolons(const char *name)
{
    char *escaped;
    size_t size;
    FILE *stream = memory_stream(&escaped, &size);
    for (; *name; name++)
        if (*name == ';')
            fputs(SEMICOLON_ESCAPE, stream);
        else
            fputc(*name, stream);
    fclose(stream);
    return escaped;
}

static void put_name(struct folding *folding, uint32_t location)
{
    char **name = &folding->names[location];
    if (!*name) {
        CLEANUP(cleanup_free)
        char *code = name_of_code(&folding->recording->symbols.frames[location]);
        *name = escape_semicolons(code);
    }
    fputs(*name, folding->stream);
}

static void put_row(struct folding *folding, const struct row *row)
{
    size_t depth;
    CLEANUP(cleanup_free)
    uint32_t *locations = stacks_path(&folding->recording->stacks, row->key, &depth);
    if (!depth)
        put_name(folding, 0);
    for (size_t i = 0; i < depth; i++) {
        if (i)
            putc(';', folding->stream);
        put_name(folding, locations[i]);
    }
    fprintf(folding->stream, " %" PRIu64 "\n", row->bytes);
}

bool export_folded(FILE *stream, struct recording *recording, const struct query *query)
{
    CLEANUP(answer_deinit) struct answer answer;
    if (!export_ask_stacks(&answer, recording, query, GROUP_BY_STACK, NULL, NULL))
        return false;
    size_t locations = recording->symbols.frame_count;
    CLEANUP(cleanup_free) char **names = memory_new(locations, sizeof *names);
    struct folding folding = {.stream = stream, .recording = recording, .names = names};
    for (size_t i = 0; i < answer.row_count; i++)
        if (answer.rows[i].bytes)
            put_row(&folding, &answer.rows[i]);
    for (size_t i = 0; i < locations; i++)
        free(names[i]);
    return true;
}
