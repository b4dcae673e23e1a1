/*
 * The collector's own memory, beside that of the programs it records. One thread.
 */
#ifndef HEAPLINE_COLLECTOR_OWN_MEMORY_H
#define HEAPLINE_COLLECTOR_OWN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory_cgroup.h"

/* From now on the kernel's OOM killer takes this process, and those that it starts, before any
 * other. */
void own_memory_go_first(void);

/* What this process and those that it has started hold, without copies of files. */
uint64_t own_memory_bytes(void);

/* What it may take where, for want of memory, it would not be killed alone. */
struct own_share {
    struct memory_limit limit;
    uint64_t next_look_ns;
};

void own_share_init(struct own_share *share);
void own_share_deinit(struct own_share *share);

/* Is it time to look again? */
static inline bool own_share_is_looked_at(const struct own_share *share, uint64_t now_ns)
{
    return share->limit.kills_together && share->limit.folder && now_ns >= share->next_look_ns;
}

/* Has the collector to give its memory back? Then `text` says why. */
bool own_share_is_used_up(struct own_share *share, uint64_t now_ns, char *text, size_t size);

/* The same when it holds `bytes`. */
bool own_share_is_exceeded(const struct memory_limit *limit, uint64_t bytes, char *text,
                           size_t size);

#endif
