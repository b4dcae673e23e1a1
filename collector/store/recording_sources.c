/*
 * Keeping and refuting texts.
 *
 * A text is refuted when a code cannot be of it, and taken out with every transaction from then on,
 * for one may be undone.
 */
#include "collector/store/recording_sources.h"

#include <stdlib.h>
#include <string.h>

#include "collector/python/source.h"
#include "collector/python/source_check.h"

/* Of the text of a file of Python's. */
enum source_state {
    SOURCE_NONE,
    SOURCE_KEPT,
    SOURCE_TOLD,    /* it has none that is its own, and what its process had in memory is kept */
    SOURCE_REFUTED, /* it is not that of the file's codes */
};

void recording_sources_deinit(struct recording_sources *sources)
{
    vector_deinit(&sources->states);
}

static enum source_state state_of(const struct recording_sources *sources, uint32_t file)
{
    const uint8_t *states = sources->states.data;
    return file < sources->states.bytes ? (enum source_state)states[file] : SOURCE_NONE;
}

static bool set_state(struct recording_sources *sources, uint32_t file, enum source_state state)
{
    if (!vector_reserve(&sources->states, (size_t)file + 1, sizeof(uint8_t)))
        return false;
    ((uint8_t *)sources->states.data)[file] = (uint8_t)state;
    return true;
}

/* --- keeping -----------------------------------------------------------------------------------
 */

/* Writes a packed text, null for none, which it frees. */
static bool put_packed(struct recording_sources *sources, struct recording_database *database,
                       uint32_t file, void *packed, size_t packed_bytes, size_t bytes)
{
    bool done = !packed || RECORDING_PUT(database, SOURCE, source, .file = file, .bytes = bytes,
                                         .text = {packed, packed_bytes});
    sources->bytes += packed ? bytes : 0;
    free(packed);
    return done;
}

static bool is_full(struct recording_sources *sources)
{
    bool full = sources->bytes >= SOURCE_BYTES_ALL_MAX;
    sources->left_out += full;
    return full;
}

/* A library itself is no text. */
bool recording_sources_keep(struct recording_sources *sources, struct recording_database *database,
                            const struct code_file *file, const struct native_module *module,
                            uint32_t number)
{
    size_t packed_bytes = 0, bytes;
    const struct source_date date = {module ? module->changed : file->seen, !module};
    if ((module && strcmp(module->path, file->path) == 0) || is_full(sources))
        return true;
    bytes = file->text ? strlen(file->text) : 0;
    void *packed = file->text ? source_pack(file->text, bytes, &packed_bytes)
                              : source_read(file->root, file->path, &date, &packed_bytes, &bytes);
    if (packed && !module && !set_state(sources, number, SOURCE_KEPT)) {
        free(packed);
        packed = NULL;
    }
    return put_packed(sources, database, number, packed, packed_bytes, bytes);
}

/* --- is it their text? -------------------------------------------------------------------------
 */

static void refute(struct recording_sources *sources, uint32_t file)
{
    ((uint8_t *)sources->states.data)[file] = SOURCE_REFUTED;
}

static bool forget_refuted(const struct recording_sources *sources,
                           struct recording_database *database, uint32_t file_count)
{
    for (uint32_t i = 1; i < file_count; i++) {
        if (state_of(sources, i) != SOURCE_REFUTED)
            continue;
        sqlite3_bind_int64(database->others[STATEMENT_FORGET_SOURCE], 1, i);
        if (!recording_database_run(database, STATEMENT_FORGET_SOURCE, ORIGIN_HERE))
            return false;
    }
    return true;
}

/* The text that stands in the file, null when there is none. */
static char *read_back(struct recording_database *database, uint32_t file, size_t *bytes)
{
    sqlite3_stmt *statement = database->others[STATEMENT_READ_SOURCE];
    char *text = NULL;
    sqlite3_bind_int64(statement, 1, file);
    if (sqlite3_step(statement) == SQLITE_ROW) {
        *bytes = (size_t)sqlite3_column_int64(statement, 0);
        text = source_unpack(sqlite3_column_blob(statement, 1),
                             (size_t)sqlite3_column_bytes(statement, 1), *bytes);
    }
    sqlite3_reset(statement);
    return text;
}

/* Can the codes with these numbers all be of the text that stands in the file? */
static bool text_fits(struct recording_database *database, const struct codes *codes,
                      const uint32_t *numbers, uint32_t count)
{
    uint32_t file = codes_code(codes, numbers[0])->file;
    struct source_text source = {0};
    size_t bytes = 0;
    char *text = read_back(database, file, &bytes);
    bool fits = text && source_text_init(&source, text, bytes);
    for (uint32_t i = 0; fits && i < count; i++)
        fits = source_fits(&source, codes_file(codes, file)->path, codes,
                           codes_code(codes, numbers[i]));
    source_text_deinit(&source);
    free(text);
    return fits;
}

static int compare_by_file(const void *a, const void *b, void *codes)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    uint32_t file = codes_code(codes, one)->file, other_file = codes_code(codes, other)->file;
    return (file > other_file) - (file < other_file);
}

/* Refutes the texts that are not what these codes were made of. */
static void check_texts(struct recording_sources *sources, struct recording_database *database,
                        const struct codes *codes, uint32_t *numbers, uint32_t count)
{
    qsort_r(numbers, count, sizeof *numbers, compare_by_file, (void *)(uintptr_t)codes);
    for (uint32_t from = 0, to; from < count; from = to) {
        uint32_t file = codes_code(codes, numbers[from])->file;
        for (to = from; to < count && codes_code(codes, numbers[to])->file == file;)
            to++;
        if (!text_fits(database, codes, numbers + from, to - from))
            refute(sources, file);
    }
}

typedef bool code_filter(const struct recording_sources *sources, const struct codes *codes,
                         uint32_t file);

/* The codes from number `first` on whose files the filter lets through, against their texts. */
static bool check_codes(struct recording_sources *sources, struct recording_database *database,
                        const struct codes *codes, uint32_t first, code_filter *filter)
{
    uint32_t *numbers = malloc((codes->code_count - first + 1) * sizeof *numbers), count = 0;
    if (!numbers)
        return recording_database_fail(database, "memory is short", ORIGIN_HERE);
    for (uint32_t i = first; i < codes->code_count; i++)
        if (filter(sources, codes, codes_code(codes, i)->file))
            numbers[count++] = i;
    check_texts(sources, database, codes, numbers, count);
    free(numbers);
    return true;
}

static bool is_stored(const struct recording_sources *sources, const struct codes *codes,
                      uint32_t file)
{
    (void)codes;
    enum source_state state = state_of(sources, file);
    return state == SOURCE_KEPT || state == SOURCE_TOLD;
}

/* Of files that have been refuted since the last time. */
static void refute_changed(struct recording_sources *sources, const struct codes *codes)
{
    for (uint32_t i = 1; i < codes->file_count; i++) {
        const struct code_file *file = codes_file(codes, i);
        enum source_state state = state_of(sources, i);
        if ((file->is_refuted && state == SOURCE_KEPT) ||
            (file->is_told_twice && state == SOURCE_TOLD))
            refute(sources, i);
    }
}

/* --- what processes have in memory ------------------------------------------------------------ */

/* Is there one for a file that has no text, or not its own? */
static bool is_wanted(const struct recording_sources *sources, const struct code_file *file,
                      uint32_t number)
{
    enum source_state state = state_of(sources, number);
    return file->told && !file->is_told_twice && (state == SOURCE_NONE || state == SOURCE_REFUTED);
}

static bool adopt_told(struct recording_sources *sources, struct recording_database *database,
                       const struct code_file *file, uint32_t number)
{
    size_t packed_bytes = 0, bytes = strlen(file->told);
    if (is_full(sources))
        return true;
    void *packed = source_pack(file->told, bytes, &packed_bytes);
    if (packed && !set_state(sources, number, SOURCE_TOLD)) {
        free(packed);
        packed = NULL;
    }
    return put_packed(sources, database, number, packed, packed_bytes, bytes);
}

/* All codes of a file with such a text are looked up in it: some came before it did. */
static bool is_told(const struct recording_sources *sources, const struct codes *codes,
                    uint32_t file)
{
    return state_of(sources, file) == SOURCE_TOLD && codes_file(codes, file)->told;
}

static bool adopt_all_told(struct recording_sources *sources, struct recording_database *database,
                           struct codes *codes)
{
    bool any = false;
    for (uint32_t i = 1; i < codes->file_count; i++) {
        const struct code_file *file = codes_file(codes, i);
        if (!is_wanted(sources, file, i))
            continue;
        if (!adopt_told(sources, database, file, i))
            return false;
        any = true;
    }
    if (any && !check_codes(sources, database, codes, 1, is_told))
        return false;
    for (uint32_t i = 1; any && i < codes->file_count; i++)
        if (state_of(sources, i) != SOURCE_KEPT)
            codes_drop_told(codes, i);
    return true;
}

bool recording_sources_check(struct recording_sources *sources, struct recording_database *database,
                             struct codes *codes, uint32_t first)
{
    refute_changed(sources, codes);
    return check_codes(sources, database, codes, first, is_stored) &&
           adopt_all_told(sources, database, codes) &&
           forget_refuted(sources, database, codes->file_count);
}
