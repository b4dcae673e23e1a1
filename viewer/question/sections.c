/*
 * Choosing among the files of an annotation, whose keys are neighbours file by file and in the
 * order of their lines.
 */
#include "viewer/question/sections.h"

#include <stdlib.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/order.h"

static void add_section(struct sections *sections, const struct section *section)
{
    sections->list = memory_room(sections->list, sections->count, sizeof *section);
    sections->list[sections->count++] = *section;
}

/* The same path is the same file, also when several libraries have been compiled with it. */
static bool is_same_file(const struct frame *one, const struct frame *other)
{
    return one->file == other->file ||
           (one->file && other->file && !strcmp(one->file, other->file));
}

/* The keys of each file are neighbours. */
static size_t next_file(const struct annotation *annotation, size_t first, struct section *section)
{
    const struct frame *frame = annotation_frame(annotation, first);
    *section = (struct section){.frame = frame, .first = first};
    size_t key = first;
    for (; key < annotation->count && is_same_file(annotation_frame(annotation, key), frame); key++)
        section->own += annotation->lines[key].own.bytes;
    section->end = key;
    return key;
}

static bool is_named(const char *name, const char *full)
{
    size_t length = strlen(full), name_length = strlen(name);
    return length >= name_length && !strcmp(full + length - name_length, name) &&
           (length == name_length || strchr("/.", full[length - name_length - 1]));
}

/* Narrows a section to a function's lines; false: the file has no such function. */
static bool section_narrow(struct section *section, const struct recording *recording,
                           const char *function)
{
    const struct symbols *symbols = &recording->symbols;
    for (size_t i = 1; i < symbols->frame_count; i++) {
        const struct frame *frame = &symbols->frames[i];
        if (!frame->function || !is_same_file(frame, section->frame) ||
            !is_named(function, frame->function) || frame->line < 1)
            continue;
        if (!section->first_line || frame->line < section->first_line)
            section->first_line = frame->line;
        if (frame->line > section->last_line)
            section->last_line = frame->line;
    }
    return section->first_line;
}

bool sections_add_named(struct sections *sections, const struct annotation *annotation,
                        const char *wanted)
{
    const char *colon = strrchr(wanted, ':');
    CLEANUP(cleanup_free)
    char *name = memory_print("%.*s", colon ? (int)(colon - wanted) : (int)strlen(wanted), wanted);
    size_t before = sections->count;
    struct section section;
    for (size_t key = 0; key < annotation->count;) {
        key = next_file(annotation, key, &section);
        if (!section.frame->file || !is_named(name, section.frame->file))
            continue;
        if (!colon || section_narrow(&section, annotation->answer.grouping.recording, colon + 1))
            add_section(sections, &section);
    }
    return sections->count > before;
}

/* Python's first. */
static int compare_sections(const void *a, const void *b)
{
    const struct section *one = a, *other = b;
    return ORDER(one->frame->module != NULL, other->frame->module != NULL)
               ?: ORDER(other->own, one->own) ?: ORDER(one->first, other->first);
}

/* May a file be shown without being asked for? Of native code one whose text is there. */
static bool is_showable(struct sources *sources, const struct frame *frame)
{
    return frame->file && *frame->file == '/' &&
           (!frame->module || sources_line_count(sources, frame->file_id));
}

void sections_add_hottest(struct sections *sections, const struct annotation *annotation,
                          struct sources *sources, size_t most)
{
    for (int own = 1; own >= 0 && !sections->count; own--) {
        struct section section;
        for (size_t key = 0; key < annotation->count;) {
            key = next_file(annotation, key, &section);
            const struct frame *frame = section.frame;
            if (section.own && is_showable(sources, frame) &&
                (!own || !strcmp(frame->package, "program")))
                add_section(sections, &section);
        }
    }
    if (sections->count)
        qsort(sections->list, sections->count, sizeof *sections->list, compare_sections);
    if (sections->count > most)
        sections->count = most;
}

const struct line_figures *section_figures(const struct section *section,
                                           const struct annotation *annotation, int32_t line)
{
    size_t low = section->first, high = section->end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (annotation_frame(annotation, middle)->line < line)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < section->end && annotation_frame(annotation, low)->line == line;
    return found ? &annotation->lines[low] : NULL;
}
