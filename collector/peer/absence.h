/*
 * Who belongs to the run and is missing from its recording, by reason.
 *
 * Who has come and was not taken in is counted where that is decided. Who never came can only be
 * known from its parent: a fork's mark that no child has named (inheritance.h), and an EXECUTED
 * mark, that a process has become a Python, after which no hello has come from it. Such a process
 * is expected for ABSENCE_PATIENCE_NS, or a moment longer than its parent has waited for it, or
 * until the recording ends. Its hello may be read before the mark that announces it, for these are
 * two ways: hellos are remembered for a while.
 */
#ifndef HEAPLINE_COLLECTOR_ABSENCE_H
#define HEAPLINE_COLLECTOR_ABSENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/base/vector.h"

enum absence {
    ABSENCE_UNHEARD,      /* never said hello */
    ABSENCE_TOO_MANY,     /* as many as a recording takes were there */
    ABSENCE_NO_MEMORY,    /* the collector had no memory or descriptors for it */
    ABSENCE_OWN_LIMIT,    /* its own limits leave no room to trace it with */
    ABSENCE_DAEMON_LIMIT, /* the daemon has turned it away */
    ABSENCE_INHERITANCE,  /* it is there, but what it had inherited is not known */
    ABSENCE_WENT_ON,      /* it is there, and went on when the recording ended */
    ABSENCE_KINDS,
};

/* A hello takes no longer. */
#define ABSENCE_PATIENCE_NS UINT64_C(10000000000)
/* More are not expected at a time, then the oldest are given up. */
#define ABSENCE_EXPECTED_MAX 256u
#define ABSENCE_HEARD        512u

/* Who has said hello. */
struct heard {
    uint64_t host;   /* see peer.host */
    pid_t pid, told; /* as the kernel knows it, and as it knows itself */
    uint64_t since_ns;
};

struct absences {
    uint32_t counts[ABSENCE_KINDS];
    struct vector expected; /* struct expected, oldest first */
    uint32_t expected_count;
    struct heard heard[ABSENCE_HEARD];
    uint32_t heard_next;
};

void absences_deinit(struct absences *absences);

/* A name for SQL and JSON. */
const char *absence_name(enum absence kind);

/* A process has become a Python at `since_ns` (clock_now()), or will in a moment. Its id is 0 where
 * it is not known, and no hello will come. */
void absences_expect(struct absences *absences, uint64_t host, pid_t pid, uint64_t since_ns);
/* It has not: exec has failed. */
void absences_take_back(struct absences *absences, uint64_t host, pid_t pid);
/* A hello, at `now_ns`, whatever becomes of it. */
void absences_hear(struct absences *absences, const struct heard *heard);
/* Its parent has waited for it at `now_ns`. One that a signal has killed within a second may have
 * had no time to say hello. */
void absences_child_ended(struct absences *absences, uint64_t host, pid_t pid, int wait_status,
                          uint64_t now_ns);
/* Gives up those who are expected for too long. */
void absences_drop_old(struct absences *absences, uint64_t now_ns);
/* All that are expected still. */
void absences_drop_all(struct absences *absences);

/* Is nobody missing but those who have said so themselves, on their standard error? */
bool absences_are_told(const struct absences *absences);

/* In words, empty when nobody is missing. */
void absences_describe(const struct absences *absences, char *text, size_t size);

#endif
