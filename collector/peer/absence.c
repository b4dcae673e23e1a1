/*
 * The few that are expected at a time are looked through one after the other, and so are the hellos
 * that are remembered.
 */
#include "collector/peer/absence.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "collector/peer/peer.h"

#define SHORT_LIFE_NS UINT64_C(1000000000)

_Static_assert(PEERS_MAX == 1000u, "as the text has it");

struct expected {
    uint64_t host;
    pid_t pid;
    uint64_t since_ns;
    uint64_t until_ns; /* then it is given up */
};

/* How long what an ended process has sent may lie in a socket. */
#define ENDED_PATIENCE_NS UINT64_C(250000000)

static const struct {
    const char *name, *one, *many; /* behind the number */
} words[ABSENCE_KINDS] = {
    [ABSENCE_UNHEARD] =
        {"unheard",
         "process was never heard of (out of reach, another user's, or gone before its hello)",
         "processes were never heard of (out of reach, another user's, or "
         "gone before their hello)"},
    [ABSENCE_TOO_MANY] = {"too_many",
                          "process is missing: no more than 1000 at a time are recorded",
                          "processes are missing: no more than 1000 at a time are recorded"},
    [ABSENCE_NO_MEMORY] =
        {"no_memory",
         "process is missing: the collector had no room for it (memory, descriptors, file size)",
         "processes are missing: the collector had no room for them (memory, "
         "descriptors, file size)"},
    [ABSENCE_OWN_LIMIT] = {"own_limit",
                           "process is missing: its limits leave no room to trace it with",
                           "processes are missing: their limits leave no room to trace them with"},
    [ABSENCE_DAEMON_LIMIT] = {"daemon_limit", "process is missing: the daemon took no more",
                              "processes are missing: the daemon took no more"},
    [ABSENCE_INHERITANCE] = {"inheritance",
                             "forked process was recorded without what it had inherited",
                             "forked processes were recorded without what they had inherited"},
    [ABSENCE_WENT_ON] =
        {"went_on", "process went on after the recording's end (heapline run --wait follows it)",
         "processes went on after the recording's end (heapline run --wait follows "
         "them)"},
};

static struct expected *expected_at(const struct absences *absences, uint32_t number)
{
    return (struct expected *)absences->expected.data + number;
}

void absences_deinit(struct absences *absences)
{
    vector_deinit(&absences->expected);
}

const char *absence_name(enum absence kind)
{
    return words[kind].name;
}

static void forget_expected(struct absences *absences, uint32_t number)
{
    struct expected *at = expected_at(absences, number);
    memmove(at, at + 1, (--absences->expected_count - number) * sizeof *at);
}

static void give_up(struct absences *absences, uint32_t number)
{
    absences->counts[ABSENCE_UNHEARD]++;
    forget_expected(absences, number);
}

static bool has_said_hello(const struct absences *absences, const struct expected *expected)
{
    for (uint32_t i = 0; i < ABSENCE_HEARD; i++) {
        const struct heard *heard = &absences->heard[i];
        if (heard->since_ns >= expected->since_ns && heard->host == expected->host &&
            (heard->pid == expected->pid || heard->told == expected->pid))
            return true;
    }
    return false;
}

void absences_take_back(struct absences *absences, uint64_t host, pid_t pid)
{
    for (uint32_t i = absences->expected_count; i-- > 0;)
        if (expected_at(absences, i)->host == host && expected_at(absences, i)->pid == pid) {
            forget_expected(absences, i);
            return;
        }
}

void absences_expect(struct absences *absences, uint64_t host, pid_t pid, uint64_t since_ns)
{
    const struct expected expected = {host, pid, since_ns, since_ns + ABSENCE_PATIENCE_NS};
    if (has_said_hello(absences, &expected))
        return;
    if (pid)
        absences_take_back(absences, host, pid);
    if (absences->expected_count == ABSENCE_EXPECTED_MAX)
        give_up(absences, 0);
    if (vector_reserve(&absences->expected, (size_t)absences->expected_count + 1, sizeof expected))
        *expected_at(absences, absences->expected_count++) = expected;
    else
        absences->counts[ABSENCE_UNHEARD]++;
}

void absences_hear(struct absences *absences, const struct heard *heard)
{
    absences->heard[absences->heard_next++ % ABSENCE_HEARD] = *heard;
    absences_take_back(absences, heard->host, heard->pid);
    if (heard->told != heard->pid)
        absences_take_back(absences, heard->host, heard->told);
}

void absences_child_ended(struct absences *absences, uint64_t host, pid_t pid, int wait_status,
                          uint64_t now_ns)
{
    for (uint32_t i = absences->expected_count; i-- > 0;) {
        struct expected *expected = expected_at(absences, i);
        if (expected->host != host || expected->pid != pid)
            continue;
        if (WIFSIGNALED(wait_status) && now_ns - expected->since_ns < SHORT_LIFE_NS)
            forget_expected(absences, i);
        else
            expected->until_ns = now_ns + ENDED_PATIENCE_NS;
    }
}

void absences_drop_old(struct absences *absences, uint64_t now_ns)
{
    for (uint32_t i = absences->expected_count; i-- > 0;)
        if (expected_at(absences, i)->until_ns < now_ns)
            give_up(absences, i);
}

void absences_drop_all(struct absences *absences)
{
    absences->counts[ABSENCE_UNHEARD] += absences->expected_count;
    absences->expected_count = 0;
}

bool absences_are_told(const struct absences *absences)
{
    for (unsigned kind = 0; kind < ABSENCE_KINDS; kind++)
        if (absences->counts[kind] && kind != ABSENCE_OWN_LIMIT)
            return false;
    return true;
}

void absences_describe(const struct absences *absences, char *text, size_t size)
{
    size_t length = 0;
    *text = 0;
    for (int kind = 0; kind < ABSENCE_KINDS && length < size; kind++) {
        uint32_t count = absences->counts[kind];
        if (count)
            length += (size_t)snprintf(text + length, size - length, "%s%u %s", length ? "; " : "",
                                       count, count == 1 ? words[kind].one : words[kind].many);
    }
}
