/*
 * Names and source lines of rows.
 */
#include "viewer/format/row_text.h"

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/utf8.h"
#include "viewer/format/names.h"
#include "viewer/question/key_name.h"

char *row_name(const struct grouping *grouping, uint32_t key, size_t width)
{
    const struct recording *recording = grouping->recording;
    if (group_by_is_place(grouping->by))
        return name_of_frame(recording, grouping_frame(grouping, key), grouping->by, width);
    if (grouping->by != GROUP_BY_STACK)
        return name_of_key(grouping, key);
    uint32_t location = recording->stacks.location[key];
    return name_of_frame(recording, &recording->symbols.frames[location], GROUP_BY_LINE, width);
}

void row_print_source(const struct table *table, struct sources *sources,
                      const struct grouping *grouping, uint32_t key)
{
    const struct frame *frame =
        grouping->by == GROUP_BY_LINE ? grouping_frame(grouping, key) : NULL;
    CLEANUP(cleanup_free)
    char *line = frame && frame->file ? sources_line(sources, frame->file_id, frame->line) : NULL;
    if (!line || !*line)
        return;
    CLEANUP(cleanup_free) char *escaped = utf8_escape(line);
    CLEANUP(cleanup_free) char *indented = memory_print("  %s", escaped);
    table_print_more(table, table->colours.faint, indented);
}
