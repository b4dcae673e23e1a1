/*
 * Who a traced process is: what the kernel and its hello say of it, from its admission to its end.
 * What it says in its stream of what it does is not here (mirror.h, book.h).
 *
 * States: running; ended (`ended`, or another program has taken its place by exec, `is_replaced`);
 * closed (peer_close(): its descriptors are gone, what is to be written of it stays). One thread.
 */
#ifndef HEAPLINE_COLLECTOR_PEER_H
#define HEAPLINE_COLLECTOR_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/base/allowance.h"
#include "collector/peer/arrival.h"
#include "collector/peer/ending.h"

/* No more are traced together. */
#define PEERS_MAX 1000u

/* When to look at the title that it gives itself. */
struct title_watch {
    uint64_t next_ns;  /* CLOCK_MONOTONIC */
    uint64_t pause_ns; /* the latest */
};

struct peer {
    uint32_t number; /* process.id in the recording */
    pid_t pid;       /* as shown */
    pid_t parent;
    uint32_t descends_from; /* number of its parent's row (lineage.h); 0: not known */
    uint64_t host;          /* what they belong to, see arrival_host() */
    pid_t local;            /* what /proc knows it by; 0: it does not */
    int pidfd;              /* -1 without */
    int root;               /* descriptor of its root folder, or ROOT_NONE */
    char *command;          /* JSON; the title that it has given itself */
    char *directory;
    char *settings;          /* settings.h; null once they are written, or when there are none */
    unsigned long arguments; /* the address of its command line */
    struct title_watch title;
    struct allowance looks; /* at files, for its sake */
    double started;         /* seconds from the run's start */
    double ended_time;
    bool ended;            /* also: another program has taken its place */
    bool is_replaced;      /* one has: what it held is gone */
    bool is_dead;          /* its pidfd has said so: no word will come any more */
    bool was_gone;         /* before its hello was read, */
    uint64_t hello_age_ns; /* which it had sent so long before */
    struct ending ending;
};

/* Zeroed memory becomes who has arrived; the arrival stays the caller's. False: memory or
 * descriptors are short; peer_deinit() in any case. */
bool peer_init(struct peer *peer, const struct arrival *arrival);
/* Closes its descriptors; what is known of it stays. Once more does nothing. */
void peer_close(struct peer *peer);
void peer_deinit(struct peer *peer);

/* Has it ended? False also where that cannot be seen, for it has no pidfd. */
bool peer_has_ended(const struct peer *peer);

/* Does another program run in its place? False also where /proc does not know it. */
bool peer_runs_another_program(const struct peer *peer);

/* Of one that was gone when it was taken in and is finished: had it had no answer and gone on
 * untraced? Who was killed while it waited has done nothing of its own. */
bool peer_went_on_alone(const struct peer *peer);

/* Is a look at a file, or what costs as much as several, within what it may ask for? When not it is
 * counted (looks.refused). */
bool peer_may_look(struct peer *peer, unsigned looks);

/* Looks from time to time whether it has another title than before, as `ps` shows it: soon after
 * its beginning, when workers give themselves theirs, and then once a second. */
void peer_look_at_title(struct peer *peer, uint64_t now_ns);

#endif
