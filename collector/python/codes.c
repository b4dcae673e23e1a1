/*
 * Interning of files, code objects and locations.
 */
#include "collector/python/codes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/base/text.h"
#include "collector/peer/peer.h"
#include "collector/python/command_text.h"
#include "collector/python/line_table.h"
#include "collector/python/source.h"
#include "collector/python/source_check.h"
#include "collector/system/root_file.h"

/* So much of what was told waits to be written. */
#define TOLD_BYTES_MAX (UINT64_C(64) << 20)

bool codes_init(struct codes *codes)
{
    *codes = (struct codes){.file_count = 1, .code_count = 1, .location_count = 1};
    return index_init(&codes->by_path) && index_init(&codes->by_description) &&
           index_init(&codes->by_line) && index_init(&codes->refuted);
}

void codes_deinit(struct codes *codes)
{
    for (uint32_t i = 1; i < codes->file_count; i++) {
        free(codes_file(codes, i)->path);
        free(codes_file(codes, i)->text);
        free(codes_file(codes, i)->told);
    }
    for (uint32_t i = 1; i < codes->code_count; i++) {
        free(codes_code(codes, i)->name);
        free(codes_code(codes, i)->units);
    }
    vector_deinit(&codes->files);
    vector_deinit(&codes->codes);
    vector_deinit(&codes->locations);
    index_deinit(&codes->by_path);
    index_deinit(&codes->by_description);
    index_deinit(&codes->by_line);
    index_deinit(&codes->refuted);
}

/* Takes over `path`. */
static uint32_t add_file(struct codes *codes, char *path, const struct code_home *home)
{
    uint32_t number = codes->file_count;
    if (!vector_reserve(&codes->files, (size_t)number + 1, sizeof(struct code_file)))
        return 0;
    struct code_file *file = (struct code_file *)codes->files.data + number;
    *file = (struct code_file){.path = path, .root = home->root, .module = home->module};
    clock_gettime(CLOCK_REALTIME, &file->seen);
    codes->file_count++;
    return number;
}

static bool is_file(const struct code_file *file, const char *path, uint32_t module)
{
    return file->module == module && strcmp(file->path, path) == 0;
}

static uint32_t find_file(struct codes *codes, char *path, const struct code_home *home)
{
    uint64_t key = index_key(&codes->by_path, home->module, path, strlen(path));
    uint32_t *number;
    /* Another file of the same hash moves on to the next key. */
    while ((number = index_at(&codes->by_path, key)) && *number &&
           !is_file(codes_file(codes, *number), path, home->module))
        key++;
    if (number && !*number && (*number = add_file(codes, path, home)))
        return *number;
    free(path);
    return number ? *number : 0;
}

/* The number of a file that has been named before; 0: none. */
static uint32_t known_file(const struct codes *codes, const char *path)
{
    uint64_t key = index_key(&codes->by_path, 0, path, strlen(path));
    uint32_t number;
    while ((number = index_find(&codes->by_path, key)) &&
           !is_file(codes_file(codes, number), path, 0))
        key++;
    return number;
}

/* Is the file at `path` the one that `code` was made of? Where one was not, the name without its
 * folder is that of another file, for all code of that name. */
static bool is_file_of(struct codes *codes, const struct code *code, const char *path,
                       const struct code_home *home)
{
    uint64_t key = index_key(&codes->refuted, 0, path, strlen(path));
    if (index_find(&codes->refuted, key) || !root_file_exists(home->root, path))
        return false;
    if (source_file_fits(home->root, path, codes, code))
        return true;
    uint32_t *refuted = index_at(&codes->refuted, key), number = known_file(codes, path);
    if (refuted)
        *refuted = 1;
    if (number)
        ((struct code_file *)codes->files.data)[number].is_refuted = true;
    return false;
}

/* `name`, or the absolute path of the file that it names at `home`. Takes over `name`. */
static char *absolute_path(struct codes *codes, const struct code *code, char *name,
                           const struct code_home *home)
{
    char *path;
    if (*name == '/' || *name == '<' || *name == 0 || home->module ||
        (home->peer && !peer_may_look(home->peer, 1)) ||
        asprintf(&path, "%s/%s", home->directory, name) < 0)
        return name;
    if (!is_file_of(codes, code, path, home)) {
        free(path);
        return name;
    }
    free(name);
    return path;
}

/* The description's head, when its lengths add up to `bytes`. */
static bool read_head(const uint8_t *description, size_t bytes, struct wire_code *head)
{
    if (bytes < sizeof *head)
        return false;
    memcpy(head, description, sizeof *head);
    return (head->file_width == 1 || head->file_width == 2 || head->file_width == 4) &&
           (head->name_width == 1 || head->name_width == 2 || head->name_width == 4) &&
           head->line_table < WIRE_LINES_COUNT &&
           bytes == sizeof *head + (size_t)head->file_bytes + head->name_bytes + head->table_bytes;
}

/* Decodes the line table into units that have not been used yet. */
static bool fill_units(struct code *code, const struct wire_code *head, const uint8_t *table)
{
    uint32_t count = line_table_units(head->line_table, table, head->table_bytes);
    code->unit_count = count;
    code->open_end = head->line_table == WIRE_LINES_LNOTAB;
    code->tells_line = head->line_table == WIRE_LINES_TOLD;
    code->units = malloc((count + !count) * sizeof *code->units);
    if (!code->units)
        return false;
    line_table_decode(head->line_table, table, head->table_bytes, head->first_line, code->units,
                      count);
    for (uint32_t i = 0; i < count; i++)
        code->units[i] = -(code->units[i] + 1);
    return true;
}

static uint32_t add_code(struct codes *codes, const struct wire_code *head, const uint8_t *data,
                         const struct code_home *home)
{
    uint32_t number = codes->code_count;
    if (!vector_reserve(&codes->codes, (size_t)number + 1, sizeof(struct code)))
        return 0;
    struct code code = {.first_line = head->first_line > 0 ? head->first_line : 0};
    char *path = text_to_utf8(data, head->file_bytes, head->file_width);
    code.name = text_to_utf8(data + head->file_bytes, head->name_bytes, head->name_width);
    bool sound =
        path && code.name && fill_units(&code, head, data + head->file_bytes + head->name_bytes);
    if (sound)
        code.file = find_file(codes, absolute_path(codes, &code, path, home), home);
    else
        free(path);
    if (!code.file) {
        free(code.name);
        free(code.units);
        return 0;
    }
    *codes_code(codes, number) = code;
    codes->code_count++;
    return number;
}

/* What stands in a command line is called as is all that comes from no file. So it is the text of
 * what is called so only as long as all processes have the same, and nothing else was compiled as a
 * whole. */
static void note_command(struct codes *codes, uint32_t number, const struct code_home *home)
{
    struct code *code = codes_code(codes, number);
    struct code_file *file = (struct code_file *)codes->files.data + code->file;
    if (!home->peer || !home->peer->command || strcmp(file->path, "<string>") != 0)
        return;
    char *text = command_text(home->peer->command);
    bool is_whole = strcmp(code->name, "<module>") == 0, is_first = !file->text && !file->whole;
    if (is_first && text && is_whole) {
        file->text = text;
        file->whole = number;
        return;
    }
    bool is_same = file->text && text && strcmp(file->text, text) == 0;
    file->is_refuted |= !is_same || (is_whole && file->whole != number);
    free(text);
}

/* A file that has changed and is then compiled again has no one text for its lines. Of the files
 * below `known` there was code before. */
static void note_change(struct codes *codes, uint32_t number, uint32_t known,
                        const struct code_home *home)
{
    const struct code *code = codes_code(codes, number);
    struct code_file *file = (struct code_file *)codes->files.data + code->file;
    if (code->file >= known || home->module || file->is_refuted || *file->path != '/' ||
        strcmp(code->name, "<module>") != 0 || (home->peer && !peer_may_look(home->peer, 1)))
        return;
    const struct source_date date = {file->seen, .is_seen = true};
    file->is_refuted = source_is_newer(file->root, file->path, &date);
}

uint32_t codes_add(struct codes *codes, const uint8_t *description, size_t bytes,
                   const struct code_home *home)
{
    struct wire_code head;
    uint32_t known_files = codes->file_count;
    if (!read_head(description, bytes, &head))
        return 0;
    /* The directory counts: it decides what a relative name means. */
    const struct index *index = &codes->by_description;
    uint64_t salt = index_key(index, home->module, home->directory, strlen(home->directory));
    uint64_t key = index_key(index, salt, description, bytes);
    uint64_t check = index_key(index, ~salt, description, bytes);
    uint32_t *number;
    while ((number = index_at(&codes->by_description, key)) && *number &&
           codes_code(codes, *number)->check != check)
        key++;
    if (!number)
        return 0;
    if (!*number && (*number = add_code(codes, &head, description + sizeof head, home)))
        codes_code(codes, *number)->check = check;
    if (*number) {
        note_command(codes, *number, home);
        note_change(codes, *number, known_files, home);
    }
    return *number;
}

static struct code_file *file_at(struct codes *codes, uint32_t number)
{
    return (struct code_file *)codes->files.data + number;
}

/* Relative names that have been found to be a file's have its text. */
static bool may_be_told(const struct codes *codes, uint32_t number)
{
    /* What has no name of its own (see note_command()) has no text of its own. */
    return number && strcmp(codes_file(codes, number)->path, "<string>") != 0;
}

void codes_tell_text(struct codes *codes, const char *name, char *text)
{
    uint32_t number = known_file(codes, name);
    size_t bytes = strlen(text);
    uint64_t check = index_key(&codes->by_path, 0, text, bytes) | 1;
    bool fits = codes->told_bytes + bytes <= TOLD_BYTES_MAX;
    struct code_file *file = may_be_told(codes, number) ? file_at(codes, number) : NULL;
    if (file && !file->told_check && fits) {
        file->told = text;
        file->told_check = check;
        codes->told_bytes += bytes;
        return;
    }
    if (file) {
        file->is_told_twice |= file->told_check && file->told_check != check;
        codes->texts_left_out += !file->told_check;
    }
    free(text);
}

void codes_drop_told(struct codes *codes, uint32_t number)
{
    struct code_file *file = file_at(codes, number);
    if (!file->told)
        return;
    codes->told_bytes -= strlen(file->told);
    free(file->told);
    file->told = NULL;
}

static uint32_t find_location(struct codes *codes, uint32_t code, int32_t line)
{
    uint32_t *number = index_at(&codes->by_line, (uint64_t)code << 32 | (uint32_t)line);
    if (!number || *number)
        return number ? *number : 0;
    uint32_t count = codes->location_count;
    if (count > INT32_MAX ||
        !vector_reserve(&codes->locations, (size_t)count + 1, sizeof(struct location)))
        return 0;
    ((struct location *)codes->locations.data)[count] = (struct location){code, line};
    codes->location_count++;
    return *number = count;
}

uint32_t codes_locate_first(struct codes *codes, uint32_t number, uint32_t instruction)
{
    struct code *code = codes_code(codes, number);
    if (instruction == WIRE_INSTRUCTION_NONE)
        return find_location(codes, number, code->first_line);
    if (code->tells_line)
        return find_location(codes, number, (int32_t)instruction);
    if (instruction >= code->unit_count) {
        if (!code->open_end || code->unit_count == 0)
            return find_location(codes, number, 0);
        instruction = code->unit_count - 1;
    }
    int32_t *unit = &code->units[instruction];
    if (*unit < 0) {
        uint32_t location = find_location(codes, number, -*unit - 1);
        if (!location)
            return 0;
        *unit = (int32_t)location;
    }
    return (uint32_t)*unit;
}

/* A code of these names, without a line table. */
static uint32_t named_code(struct codes *codes, const struct code_home *home, const char *path,
                           const char *function)
{
    struct wire_code head = {.file_width = 1,
                             .name_width = 1,
                             .file_bytes = (uint32_t)strlen(path),
                             .name_bytes = (uint32_t)strlen(function)};
    size_t bytes = sizeof head + head.file_bytes + head.name_bytes;
    uint8_t *description = malloc(bytes);
    if (!description)
        return 0;
    memcpy(description, &head, sizeof head);
    memcpy(description + sizeof head, path, head.file_bytes);
    memcpy(description + sizeof head + head.file_bytes, function, head.name_bytes);
    uint32_t code = codes_add(codes, description, bytes, home);
    free(description);
    return code;
}

uint32_t codes_locate_named(struct codes *codes, const struct code_home *home, const char *path,
                            const char *function, int32_t line)
{
    uint32_t code = named_code(codes, home, path, function);
    return code ? find_location(codes, code, line) : 0;
}

uint32_t codes_truncated(struct codes *codes)
{
    static const struct code_home nowhere = {.root = ROOT_NONE, .directory = "/"};
    return codes_locate_named(codes, &nowhere, "<outer frames left out>", "", 0);
}
