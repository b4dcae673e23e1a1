/*
 * What a peer says of its ancestor is believed where it sees the process ids that the collector
 * sees. It decides about no more than a line in the tree of processes.
 */
#include "collector/peer/lineage.h"

#include <stdlib.h>

#include "collector/peer/arrival.h"
#include "collector/peer/peer.h"

struct lineage {
    uint32_t number; /* 0: free */
    uint32_t descends_from;
    uint64_t host;
    pid_t pid, parent;
    bool has_ended;
};

void lineages_deinit(struct lineages *lineages)
{
    vector_deinit(&lineages->list);
}

static struct lineage *place_of(const struct lineages *lineages, uint32_t number)
{
    return (struct lineage *)lineages->list.data + number % LINEAGES_MAX;
}

static const struct lineage *find_number(const struct lineages *lineages, uint32_t number)
{
    const struct lineage *found = lineages->count && number ? place_of(lineages, number) : NULL;
    return found && found->number == number ? found : NULL;
}

/* The latest with this id. */
static const struct lineage *find_pid(const struct lineages *lineages, uint64_t host, pid_t pid)
{
    uint32_t most = lineages->count < LINEAGES_MAX ? lineages->count : LINEAGES_MAX;
    for (uint32_t number = lineages->count; pid > 0 && number > lineages->count - most; number--) {
        const struct lineage *found = find_number(lineages, number);
        if (found && found->pid == pid && found->host == host)
            return found;
    }
    return NULL;
}

/* What the process was before: what has executed it has this process id. */
static const struct lineage *find_own(const struct lineages *lineages, const struct peer *peer,
                                      const struct arrival *arrival)
{
    const char *told = arrival_detail(arrival, "ancestor");
    bool is_own = told && (uint32_t)strtoul(told, NULL, 10) == arrival->hello.process;
    return is_own && !arrival->hello.fork_token ? find_pid(lineages, peer->host, peer->pid) : NULL;
}

static const struct lineage *find_ancestor(const struct lineages *lineages, const struct peer *peer,
                                           const struct arrival *arrival)
{
    const char *told = arrival_detail(arrival, "ancestor");
    bool sees_the_same =
        !arrival->peer.pid || (uint32_t)arrival->peer.pid == arrival->hello.process;
    if (!told || !sees_the_same)
        return NULL;
    const struct lineage *found = find_pid(lineages, peer->host, (pid_t)strtol(told, NULL, 10));
    return found && found->pid != peer->pid ? found : NULL;
}

static const struct lineage *find_parent(const struct lineages *lineages, const struct peer *peer,
                                         const struct arrival *arrival, uint32_t forked_from)
{
    if (forked_from)
        return find_number(lineages, forked_from);
    const struct lineage *parent = find_pid(lineages, peer->host, peer->parent);
    return parent && !parent->has_ended ? parent : find_ancestor(lineages, peer, arrival);
}

static void remember_ended(struct lineages *lineages, const struct peer *peer)
{
    if (!vector_reserve(&lineages->list, LINEAGES_MAX, sizeof(struct lineage)))
        return;
    lineages->count = peer->number;
    *place_of(lineages, peer->number) = (struct lineage){.number = peer->number,
                                                         .descends_from = peer->descends_from,
                                                         .host = peer->host,
                                                         .pid = peer->pid,
                                                         .parent = peer->parent};
}

void lineages_add(struct lineages *lineages, struct peer *peer, const struct arrival *arrival,
                  uint32_t predecessor, uint32_t forked_from)
{
    const struct lineage *before = find_number(lineages, predecessor);
    if (!before)
        before = find_own(lineages, peer, arrival);
    const struct lineage *parent =
        before ? NULL : find_parent(lineages, peer, arrival, forked_from);
    if (before) {
        peer->parent = before->parent;
        peer->descends_from = before->descends_from;
    } else if (parent) {
        peer->parent = parent->pid;
        peer->descends_from = parent->number;
    }
    remember_ended(lineages, peer);
}

void lineages_end(struct lineages *lineages, const struct peer *peer)
{
    if (find_number(lineages, peer->number))
        place_of(lineages, peer->number)->has_ended = true;
}
