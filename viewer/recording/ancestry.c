/*
 * From the process up; a parent's id is the smaller one, so that no way up is endless.
 */
#include "viewer/recording/ancestry.h"

#include <stdlib.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"

/* ROWS_END: it has no parent. */
static enum rows_step read_parent(struct database *database, uint32_t process,
                                  struct ancestor *parent)
{
    CLEANUP(rows_deinit) struct rows rows;
    if (!rows_init(&rows, database,
                   "SELECT parent, events, (SELECT coalesce(max(first + count), 0) FROM "
                   "counter_chunk AS counters WHERE counters.process = inheritance.parent) "
                   "FROM inheritance WHERE process = ?1"))
        return ROWS_PROBLEM;
    sqlite3_bind_int64(rows.statement, 1, process);
    enum rows_step step = rows_next(&rows);
    if (step != ROWS_ROW)
        return step;
    if (!rows_index(&rows, 0, &parent->process) || !rows_count(&rows, 1, &parent->events) ||
        !rows_index(&rows, 2, &parent->counters))
        return ROWS_PROBLEM;
    if (parent->process < process)
        return ROWS_ROW;
    database_damaged(database, "in what processes inherit");
    return ROWS_PROBLEM;
}

bool ancestry_init(struct ancestry *ancestry, struct database *database, uint32_t process)
{
    struct ancestor parent;
    enum rows_step step = ROWS_END;
    *ancestry = (struct ancestry){0};
    bool has_table;
    if (!database_has_table(database, "inheritance", &has_table))
        return false;
    while (has_table && (step = read_parent(database, process, &parent)) == ROWS_ROW) {
        ancestry->list = memory_room(ancestry->list, ancestry->count, sizeof *ancestry->list);
        ancestry->list[ancestry->count++] = parent;
        process = parent.process;
    }
    for (size_t i = 0; i < ancestry->count / 2; i++) {
        struct ancestor *one = &ancestry->list[i];
        struct ancestor *other = &ancestry->list[ancestry->count - 1 - i];
        parent = *one;
        *one = *other;
        *other = parent;
    }
    return step == ROWS_END;
}

void ancestry_deinit(struct ancestry *ancestry)
{
    free(ancestry->list);
    *ancestry = (struct ancestry){0};
}
