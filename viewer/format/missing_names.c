/*
 * A function lacks its name where an offset stands for it; by file, a source file does where the
 * library itself stands for it.
 */
#include "viewer/format/missing_names.h"

#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"

struct search {
    const struct recording *recording;
    enum group_by by;
    bool *seen; /* by module */
    const struct module **modules;
    size_t most, count;
};

static bool lacks_name(const struct frame *frame, enum group_by by)
{
    return by == GROUP_BY_FILE ? !strcmp(frame->file, frame->module->path) : frame_is_offset(frame);
}

static void look_at(struct search *search, const struct frame *frame)
{
    const struct module *module = frame->module;
    if (!module || !module->note || !lacks_name(frame, search->by))
        return;
    bool *seen = &search->seen[module - search->recording->symbols.modules];
    if (!*seen && search->count++ < search->most)
        search->modules[search->count - 1] = module;
    *seen = true;
}

static void look_at_row(struct search *search, const struct grouping *grouping, uint32_t key)
{
    const struct stacks *stacks = &search->recording->stacks;
    if (search->by != GROUP_BY_STACK) {
        look_at(search, grouping_frame(grouping, key));
        return;
    }
    for (uint32_t node = key; node; node = stacks->parent[node])
        look_at(search, &search->recording->symbols.frames[stacks->location[node]]);
}

size_t missing_names(const struct answer *answer, const struct module **modules, size_t most)
{
    const struct grouping *grouping = &answer->grouping;
    enum group_by by = grouping->by;
    const struct recording *recording = grouping->recording;
    if (by != GROUP_BY_LINE && by != GROUP_BY_FUNCTION && by != GROUP_BY_FILE &&
        by != GROUP_BY_STACK)
        return 0;
    CLEANUP(cleanup_free) bool *seen = memory_new(recording->symbols.module_count, sizeof *seen);
    struct search search = {
        .recording = recording, .by = by, .seen = seen, .modules = modules, .most = most};
    for (size_t i = 0; i < answer->row_count; i++)
        look_at_row(&search, grouping, answer->rows[i].key);
    return search.count;
}
