/*
 * A thread that holds nothing allocates nothing either, until its number is another one's: what has
 * been found empty stays so.
 */
#include "collector/book/ended_threads.h"

#include <string.h>

#include "collector/book/counters.h"

/* So many must have ended since the last look, and one for so many counters. */
#define LOOK_EVERY          64u
#define COUNTERS_FOR_A_LOOK 256u
/* Of those that hold nothing so many are remembered, and the latest are asked for their name. */
#define EMPTY_MAX   1024u
#define EMPTY_ASKED 64u

static struct ended_thread *ended_thread_at(const struct vector *vector, uint32_t number)
{
    return (struct ended_thread *)vector->data + number;
}

void ended_threads_deinit(struct ended_threads *threads)
{
    vector_deinit(&threads->waiting);
    vector_deinit(&threads->empty);
    *threads = (struct ended_threads){0};
}

static bool append_ended(struct vector *vector, uint32_t *count, const struct ended_thread *thread)
{
    if (!vector_reserve(vector, (size_t)*count + 1, sizeof *thread))
        return false;
    *ended_thread_at(vector, (*count)++) = *thread;
    return true;
}

/* The older half goes when there are too many: their names do not come back. */
static void bound_empty(struct ended_threads *threads)
{
    if (threads->empty_count < EMPTY_MAX)
        return;
    uint32_t kept = EMPTY_MAX / 2;
    memmove(ended_thread_at(&threads->empty, 0),
            ended_thread_at(&threads->empty, threads->empty_count - kept),
            kept * sizeof(struct ended_thread));
    threads->empty_count = kept;
}

/* Marks by number who holds something, one byte each. False: no memory. */
static bool find_holders(const struct counters *counters, uint32_t highest, struct vector *holders)
{
    if (!vector_reserve(holders, (size_t)highest + 1, 1))
        return false;
    for (uint32_t i = 1; i < counters->count; i++) {
        const struct counter *counter = counters_at(counters, i);
        if (counter->thread <= highest && counter->blocks)
            ((uint8_t *)holders->data)[counter->thread] = 1;
    }
    return true;
}

static void look_for_holders(struct ended_threads *threads, const struct counters *counters)
{
    struct vector holders = {0};
    uint32_t highest = 0, kept = 0;
    for (uint32_t i = 0; i < threads->waiting_count; i++)
        if (ended_thread_at(&threads->waiting, i)->number > highest)
            highest = ended_thread_at(&threads->waiting, i)->number;
    bool known = find_holders(counters, highest, &holders);
    for (uint32_t i = 0; known && i < threads->waiting_count; i++) {
        const struct ended_thread thread = *ended_thread_at(&threads->waiting, i);
        if (((const uint8_t *)holders.data)[thread.number]) {
            *ended_thread_at(&threads->waiting, kept++) = thread;
            continue;
        }
        bound_empty(threads);
        append_ended(&threads->empty, &threads->empty_count, &thread);
    }
    threads->waiting_count = known ? kept : threads->waiting_count;
    threads->looked_at = threads->waiting_count;
    vector_deinit(&holders);
}

void ended_threads_add(struct ended_threads *threads, const struct counters *counters,
                       const struct ended_thread *thread)
{
    uint32_t cheap = counters->count / COUNTERS_FOR_A_LOOK;
    if (append_ended(&threads->waiting, &threads->waiting_count, thread) &&
        threads->waiting_count - threads->looked_at >= (cheap > LOOK_EVERY ? cheap : LOOK_EVERY))
        look_for_holders(threads, counters);
}

static bool is_of_number(char byte)
{
    return (byte >= '0' && byte <= '9') || byte == '*';
}

static const char *skip_number(const char *at)
{
    while (is_of_number(*at))
        at++;
    return at;
}

static bool is_alike(const char *one, const char *other)
{
    while (*one && *other) {
        if (is_of_number(*one) && is_of_number(*other)) {
            one = skip_number(one);
            other = skip_number(other);
        } else if (*one++ != *other++) {
            return false;
        }
    }
    return *one == *other;
}

void ended_threads_common_name(char name[THREAD_NAME_BYTES])
{
    char *out = name;
    for (const char *at = name; *at;) {
        bool is_number = is_of_number(*at);
        *out++ = is_number ? '*' : *at;
        at = is_number ? skip_number(at) : at + 1;
    }
    *out = 0;
}

bool ended_threads_take(struct ended_threads *threads, const char *name,
                        struct ended_thread *thread)
{
    uint32_t count = threads->empty_count;
    for (uint32_t i = count; i-- > 0 && count - i <= EMPTY_ASKED;) {
        struct ended_thread *found = ended_thread_at(&threads->empty, i);
        if (!is_alike(found->name, name))
            continue;
        *thread = *found;
        *found = *ended_thread_at(&threads->empty, --threads->empty_count);
        return true;
    }
    return false;
}
