/*
 * Making counters.
 */
#include "counters.h"

void counters_deinit(struct counters *counters)
{
    vector_deinit(&counters->all);
    vector_deinit(&counters->of_node);
}

uint32_t counters_add(struct counters *counters, uint32_t node, uint32_t thread, uint8_t allocator,
                      uint8_t size_class)
{
    uint32_t number = counters->count ? counters->count : 1;
    if (number == UINT32_MAX ||
        !vector_reserve(&counters->all, (size_t)number + 1, sizeof(struct counter)) ||
        !vector_reserve(&counters->of_node, (size_t)node + 1, sizeof(uint32_t)))
        return 0;
    uint32_t *first = (uint32_t *)counters->of_node.data + node;
    *counters_at(counters, number) = (struct counter){.node = node,
                                                      .thread = thread,
                                                      .next = *first,
                                                      .allocator = allocator,
                                                      .size_class = size_class};
    *first = number;
    counters->count = number + 1;
    return number;
}
