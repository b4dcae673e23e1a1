/*
 * Making counters.
 */
#include "counters.h"

uint32_t counters_add(struct counters *counters, struct stack_tree *tree, uint32_t node,
                      uint32_t thread, uint8_t allocator, uint8_t size_class)
{
    uint32_t number = counters->count ? counters->count : 1;
    if (number == UINT32_MAX ||
        !vector_reserve(&counters->all, (size_t)number + 1, sizeof(struct counter)))
        return 0;
    struct node *of = stack_tree_node(tree, node);
    *counters_at(counters, number) = (struct counter){.node = node,
                                                      .thread = thread,
                                                      .next = of->counter,
                                                      .allocator = allocator,
                                                      .size_class = size_class};
    of->counter = number;
    counters->count = number + 1;
    return number;
}
