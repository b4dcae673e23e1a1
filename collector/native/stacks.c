/*
 * The memory of all stacks.
 */
#include "collector/native/stacks.h"

bool stacks_init(struct stacks *stacks)
{
    return codes_init(&stacks->codes) && stack_tree_init(&stacks->tree) &&
           native_table_init(&stacks->native);
}

void stacks_deinit(struct stacks *stacks)
{
    codes_deinit(&stacks->codes);
    stack_tree_deinit(&stacks->tree);
    native_table_deinit(&stacks->native);
}

uint32_t stacks_truncated(struct stacks *stacks)
{
    if (!stacks->truncated)
        stacks->truncated = codes_truncated(&stacks->codes);
    return stacks->truncated;
}
