/*
 * The life of what a run's processes share.
 */
#include "collector/stream/run.h"

#include "collector/book/inheritance.h"

bool run_init(struct run *run)
{
    *run = (struct run){0};
    return stacks_init(&run->stacks) && ledger_init(&run->ledger);
}

void run_deinit(struct run *run)
{
    stacks_deinit(&run->stacks);
    inheritance_free_all(&run->ledger);
    ledger_deinit(&run->ledger);
    endings_deinit(&run->endings);
    lineages_deinit(&run->lineages);
}

double run_seconds(const struct run *run, uint64_t monotonic_ns)
{
    return monotonic_ns > run->started_ns ? (double)(monotonic_ns - run->started_ns) / 1e9 : 0;
}
