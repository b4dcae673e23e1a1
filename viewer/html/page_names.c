/*
 * Only what is used is written. The longest names are shortened until all of them together fit.
 */
#include "viewer/html/page_names.h"

#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"

/* All names together, in bytes; a name may be as long as the first of these lengths, or, where they
 * do not fit, as the next one. */
#define NAMES_BYTES_MAX (600u << 10)
static const size_t name_lengths[] = {1000, 300, 100, 40};
#define LENGTH_COUNT (sizeof name_lengths / sizeof *name_lengths)

static const struct frame *frame_of(const struct page_rows *rows, uint32_t place)
{
    return &rows->recording->symbols.frames[rows->locations[place]];
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_places(struct page_names *names, const struct page_rows *rows)
{
    size_t most = PLACE_FIRST + rows->recording->symbols.frame_count;
    names->page_place = memory_new(most, sizeof *names->page_place);
    names->places = memory_new(most, sizeof *names->places);
    names->place_count = PLACE_FIRST;
    names->page_place[PLACE_FOLDED] = PLACE_FOLDED;
    for (uint32_t node = 0; node < rows->tree.count; node++) {
        uint32_t place = rows->tree.place[node];
        if (place < PLACE_FIRST || names->page_place[place])
            continue;
        names->page_place[place] = names->place_count;
        names->places[names->place_count++] = place;
    }
}

/* Sorts names, and leaves each one once. Returns how many that are. */
static uint32_t make_unique(const char **list, uint32_t count)
{
    uint32_t unique = 0;
    if (count)
        qsort(list, count, sizeof *list, compare_names);
    for (uint32_t i = 0; i < count; i++)
        if (!unique || strcmp(list[unique - 1], list[i]))
            list[unique++] = list[i];
    return unique;
}

/* The path of the module that a file is of; NULL: Python's source. */
static const char *module_of(const struct page_rows *rows, uint32_t file)
{
    const struct symbols *symbols = &rows->recording->symbols;
    uint32_t module = symbols->files[file].module;
    return module ? symbols->modules[module].path : NULL;
}

static void collect_modules(struct page_names *names, const struct page_rows *rows)
{
    names->modules = memory_new(names->file_count, sizeof *names->modules);
    for (uint32_t i = 0; i < names->file_count; i++) {
        const char *module = module_of(rows, names->files[i]);
        if (module)
            names->modules[names->module_count++] = module;
    }
    names->module_count = make_unique(names->modules, names->module_count);
}

static void collect_names(struct page_names *names, const struct page_rows *rows)
{
    size_t files = rows->recording->symbols.file_count;
    names->page_file = memory_resize(NULL, files, sizeof *names->page_file);
    memset(names->page_file, 0xff, files * sizeof *names->page_file);
    names->files = memory_new(files, sizeof *names->files);
    names->functions = memory_new(names->place_count, sizeof *names->functions);
    for (uint32_t i = PLACE_FIRST; i < names->place_count; i++) {
        const struct frame *frame = frame_of(rows, names->places[i]);
        names->functions[names->function_count++] = frame->function;
        if (names->page_file[frame->file_id] != PAGE_NO_FILE)
            continue;
        names->page_file[frame->file_id] = names->file_count;
        names->files[names->file_count++] = frame->file_id;
    }
    names->function_count = make_unique(names->functions, names->function_count);
    collect_modules(names, rows);
}

static size_t shortened_length(const char *text, size_t most)
{
    size_t length = strlen(text);
    return length < most ? length : most;
}

static size_t bytes_of_list(const char *const *list, uint32_t count, size_t most)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += shortened_length(list[i], most);
    return bytes;
}

static size_t bytes_of_names(const struct page_names *names, const struct page_rows *rows,
                             size_t most)
{
    const struct file *files = rows->recording->symbols.files;
    size_t bytes = 0;
    for (uint32_t i = 0; i < names->file_count; i++)
        bytes += shortened_length(files[names->files[i]].path, most);
    return bytes + bytes_of_list(names->functions, names->function_count, most) +
           bytes_of_list(names->modules, names->module_count, most);
}

void page_names_init(struct page_names *names, const struct page_rows *rows)
{
    *names = (struct page_names){0};
    collect_places(names, rows);
    collect_names(names, rows);
    for (size_t i = 0; i < LENGTH_COUNT; i++) {
        names->name_max = name_lengths[i];
        if (bytes_of_names(names, rows, names->name_max) <= NAMES_BYTES_MAX)
            break;
    }
}

void page_names_deinit(struct page_names *names)
{
    free(names->page_place);
    free(names->places);
    free(names->page_file);
    free(names->files);
    free(names->functions);
    free(names->modules);
}

/* Does a character begin here? */
static bool is_boundary(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

char *page_text_cut(const char *text, size_t most)
{
    size_t length = strlen(text), head = most / 2, tail = length - most / 4;
    if (length <= most)
        return memory_copy(text);
    while (head && !is_boundary(text[head]))
        head--;
    while (tail < length && !is_boundary(text[tail]))
        tail++;
    return memory_print("%.*s… (%zu bytes left out) …%s", (int)head, text, tail - head,
                        text + tail);
}

static json_t *text_to_json(const char *text, size_t most)
{
    CLEANUP(cleanup_free) char *cut = page_text_cut(text, most);
    return json_string(cut);
}

/* The number of a name that is in the list. */
static uint32_t number_in(const char *const *list, uint32_t count, const char *name)
{
    const char *const *found = bsearch(&name, list, count, sizeof *list, compare_names);
    return (uint32_t)(found - list);
}

static json_t *file_to_json(const struct page_names *names, const struct page_rows *rows,
                            uint32_t number)
{
    const struct file *file = &rows->recording->symbols.files[number];
    const char *module = module_of(rows, number);
    json_t *list = json_array();
    json_array_append_new(list, text_to_json(file->path, names->name_max));
    json_array_append_new(list, text_to_json(file->package, names->name_max));
    if (module)
        json_array_append_new(list,
                              json_integer(number_in(names->modules, names->module_count, module)));
    return list;
}

static json_t *names_to_json(const char *const *list, uint32_t count, size_t most)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(array, text_to_json(list[i], most));
    return array;
}

void page_names_to_json(const struct page_names *names, const struct page_rows *rows,
                        json_t *object)
{
    json_t *files = json_array();
    for (uint32_t i = 0; i < names->file_count; i++)
        json_array_append_new(files, file_to_json(names, rows, names->files[i]));
    json_object_set_new(object, "files", files);
    json_object_set_new(object, "functions",
                        names_to_json(names->functions, names->function_count, names->name_max));
    json_object_set_new(object, "modules",
                        names_to_json(names->modules, names->module_count, names->name_max));
}

void page_names_put(const struct page_names *names, const struct page_rows *rows,
                    struct bytes *bytes)
{
    bytes_put(bytes, names->place_count - PLACE_FIRST);
    for (uint32_t i = PLACE_FIRST; i < names->place_count; i++)
        bytes_put(bytes, names->page_file[frame_of(rows, names->places[i])->file_id]);
    for (uint32_t i = PLACE_FIRST; i < names->place_count; i++)
        bytes_put(bytes, number_in(names->functions, names->function_count,
                                   frame_of(rows, names->places[i])->function));
    int64_t before = 0;
    for (uint32_t i = PLACE_FIRST; i < names->place_count; i++) {
        int64_t line = frame_of(rows, names->places[i])->line;
        bytes_put_signed(bytes, line - before);
        before = line;
    }
}
