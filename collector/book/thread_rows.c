/*
 * Numbering and naming threads. What a thread leaves when it is called otherwise is the name that
 * it had, and what it has done under that.
 */
#include "collector/book/thread_rows.h"

#include <stdio.h>
#include <string.h>

#include "collector/base/text.h"

void thread_rows_close(struct thread_rows *rows)
{
    ended_threads_deinit(&rows->ended);
}

void thread_rows_deinit(struct thread_rows *rows)
{
    thread_rows_close(rows);
    vector_deinit(&rows->list);
}

static struct thread_row *row_at(const struct thread_rows *rows, uint32_t row)
{
    return (struct thread_row *)rows->list.data + row;
}

/* The row's index; that of the last one where memory is short. */
static uint32_t add_row(struct thread_rows *rows, uint32_t number, uint32_t tid, const char *name)
{
    uint32_t count = rows->count;
    if (!vector_reserve(&rows->list, (size_t)count + 1, sizeof(struct thread_row)))
        return count ? count - 1 : 0;
    struct thread_row *row = row_at(rows, count);
    *row = (struct thread_row){.number = number, .tid = tid};
    snprintf(row->name, sizeof row->name, "%s", name);
    return rows->count++;
}

void thread_rows_end(struct thread_rows *rows, const struct counters *counters,
                     const struct thread_identity *thread)
{
    struct ended_thread ended = {.number = thread->number, .row = thread->row};
    if (thread->row >= rows->count)
        return;
    memcpy(ended.name, row_at(rows, thread->row)->name, sizeof ended.name);
    ended_threads_add(&rows->ended, counters, &ended);
}

static void call_row(struct thread_rows *rows, uint32_t row, const char name[THREAD_NAME_BYTES])
{
    struct thread_row *called = row_at(rows, row);
    if (strcmp(called->name, name) == 0)
        return;
    memcpy(called->name, name, sizeof called->name);
    if (rows->written > row)
        rows->written = row;
}

/* Takes the number of one that has ended. False: there is none. */
static bool take_number(struct thread_rows *rows, struct thread_identity *thread,
                        const char name[THREAD_NAME_BYTES])
{
    struct ended_thread ended;
    if (!ended_threads_take(&rows->ended, name, &ended))
        return false;
    thread->number = ended.number;
    thread->row = ended.row;
    row_at(rows, ended.row)->is_shared = true;
    if (strcmp(ended.name, name) != 0)
        ended_threads_common_name(ended.name);
    call_row(rows, ended.row, ended.name);
    return true;
}

void thread_rows_begin(struct thread_rows *rows, uint32_t *thread_count,
                       struct thread_identity *thread, const char *name)
{
    if (take_number(rows, thread, name))
        return;
    thread->number = ++*thread_count;
    thread->row = add_row(rows, thread->number, thread->tid, name);
}

void thread_rows_rename(struct thread_rows *rows, const struct counters *counters,
                        uint32_t *thread_count, struct thread_identity *thread, const char *text)
{
    char name[THREAD_NAME_BYTES] = {0}, common[THREAD_NAME_BYTES];
    text_cut(name, sizeof name, text);
    memcpy(common, name, sizeof common);
    ended_threads_common_name(common);
    if (thread->row >= rows->count || !name[0])
        return;
    const struct thread_row *row = row_at(rows, thread->row);
    if (strcmp(row->name, name) == 0 || strcmp(row->name, common) == 0)
        return;
    const struct thread_identity before = *thread;
    bool is_shared = row->is_shared;
    if (take_number(rows, thread, name)) {
        thread_rows_end(rows, counters, &before);
    } else if (!is_shared) {
        call_row(rows, thread->row, name);
    } else {
        thread_rows_end(rows, counters, &before);
        thread_rows_begin(rows, thread_count, thread, name);
    }
}
