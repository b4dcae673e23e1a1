/*
 * Names in words. Paths are shortened only as far as the width demands it, in the middle, since
 * their beginning says where and their end says what; function and line are kept as long as there
 * is room for some of the path.
 */
#include "viewer/format/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/size.h"
#include "viewer/base/utf8.h"
#include "viewer/question/key_name.h"

/* Less than this of a path says nothing. */
#define PATH_COLUMNS_MIN 12u

static const char *path_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    if (length > 1 && !strncmp(path, folder, length) && path[length] == '/' && path[length + 1])
        return path + length + 1;
    return path;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

char *name_of_module(const struct symbols *symbols, const struct module *module)
{
    const char *name = base_name(module->path);
    for (size_t i = 0; i < symbols->module_count; i++) {
        const char *other = symbols->modules[i].path;
        if (other && strcmp(other, module->path) != 0 && strcmp(base_name(other), name) == 0)
            return utf8_escape(module->path);
    }
    return utf8_escape(name);
}

/* What stands behind the path. */
static char *tail_of_frame(const struct frame *frame, enum group_by by, const char *function)
{
    if (by == GROUP_BY_LINE && frame_has_line(frame))
        return memory_print(":%" PRId32 " %s", frame->line, function);
    /* What stands for frames that are left out has no function. */
    bool is_named = (by == GROUP_BY_LINE || by == GROUP_BY_FUNCTION) && *function;
    return is_named ? memory_print(" %s", function) : memory_copy("");
}

char *name_of_frame(const struct recording *recording, const struct frame *frame, enum group_by by,
                    size_t width)
{
    if (!frame->file)
        return utf8_cut_end(NAME_OF_NO_FRAME, width);
    bool is_library = by == GROUP_BY_MODULE && frame->module;
    CLEANUP(cleanup_free)
    char *path = is_library ? name_of_module(&recording->symbols, frame->module)
                            : utf8_escape(path_below(frame->file, recording->run.directory));
    CLEANUP(cleanup_free) char *function = utf8_escape(frame->function);
    CLEANUP(cleanup_free) char *tail = tail_of_frame(frame, by, function);
    size_t tail_width = utf8_width(tail);
    if (tail_width + PATH_COLUMNS_MIN <= width) {
        CLEANUP(cleanup_free) char *shortened = utf8_cut_middle(path, width - tail_width);
        return memory_print("%s%s", shortened, tail);
    }
    CLEANUP(cleanup_free) char *whole = memory_print("%s%s", path, tail);
    return utf8_cut_middle(whole, width);
}

char *name_of_code(const struct frame *frame)
{
    if (!frame->function)
        return memory_copy(NAME_OF_NO_FRAME);
    CLEANUP(cleanup_free) char *file = utf8_escape(frame->file);
    CLEANUP(cleanup_free) char *function = utf8_escape(frame->function);
    if (frame->line <= 0)
        return memory_print("%s (%s)", function, file);
    return memory_print("%s (%s:%" PRId32 ")", function, file, frame->line);
}

/* "the peak", "1.2 s" */
static struct size_text name_of_moment(struct recording *recording, const struct moment *moment)
{
    static const char *const names[] = {
        [MOMENT_PEAK] = "the peak",
        [MOMENT_END] = "the end of the program",
        [MOMENT_EXIT] = "its exit",
        [MOMENT_TOUCHED] = "the peak of what was touched",
        [MOMENT_RESIDENT] = "the peak of resident memory",
        [MOMENT_SELECTION] = "the peak of what is selected",
    };
    struct size_text text = {""};
    double seconds;
    if (moment->kind == MOMENT_TOUCHED &&
        !moment->text) /* it is the peak where none is asked for */
        snprintf(text.text, sizeof text.text, "%s", names[MOMENT_PEAK]);
    else if (moment->kind != MOMENT_TIME)
        snprintf(text.text, sizeof text.text, "%s", names[moment->kind]);
    else if (moment_seconds(moment, recording, &seconds))
        text = seconds_format(seconds);
    return text;
}

char *name_of_view(struct recording *recording, const struct query *query)
{
    if (query->between)
        return memory_print("Between %s and %s", name_of_moment(recording, &query->from).text,
                            name_of_moment(recording, &query->to).text);
    if (query->temporary > 1)
        return memory_print("Freed before the thread's %" PRIu32 " next allocations",
                            query->temporary);
    if (query->temporary)
        return memory_copy("Freed before the thread's next allocation");
    if (query->at.kind == MOMENT_EXIT)
        return memory_copy("Leaked");
    return memory_print("%s %s", query->at.kind == MOMENT_TIME ? "After" : "At",
                        name_of_moment(recording, &query->at).text);
}
