/*
 * The list is in the order of addresses. How many functions there may be the allowance says
 * (allowance.h).
 */
#include "collector/native/made_code.h"

#include <stdlib.h>
#include <string.h>

#include "collector/symbols/made_name.h"

static struct made_function *function_at(const struct made_code *made, uint32_t index)
{
    return (struct made_function *)made->list.data + index;
}

/* The index of the first function that ends behind the address. */
static uint32_t find_index(const struct made_code *made, uint64_t address)
{
    uint32_t low = 0, high = made->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (function_at(made, middle)->end > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static bool is_same(const struct made_function *one, const struct made_function *other)
{
    return one->start == other->start && one->end == other->end &&
           (one->name && other->name ? strcmp(one->name, other->name) == 0
                                     : one->name == other->name);
}

/* Puts it in the place of what has some of its addresses. There is room for one more. */
static void put_function(struct made_code *made, const struct made_function *function)
{
    uint32_t index = find_index(made, function->start), end = index;
    for (; end < made->count && function_at(made, end)->start < function->end; end++)
        free(function_at(made, end)->name);
    memmove(function_at(made, index + 1), function_at(made, end),
            (made->count - end) * sizeof *function);
    *function_at(made, index) = *function;
    made->count += 1 - (end - index);
}

enum made_code_answer made_code_tell(struct made_code *made, uint64_t start, uint64_t end,
                                     const char *symbol)
{
    struct made_function new = {.start = start, .end = end, .number = made->told + 1};
    if (*symbol && !(new.name = made_name(symbol)))
        return MADE_CODE_NO_MEMORY;
    const struct made_function *known = made_code_find(made, start);
    bool is_known = known && is_same(known, &new);
    if (is_known || !vector_reserve(&made->list, (size_t)made->count + 1, sizeof new)) {
        free(new.name);
        return is_known ? MADE_CODE_KNOWN : MADE_CODE_NO_MEMORY;
    }
    put_function(made, &new);
    made->told++;
    return MADE_CODE_NEW;
}

const struct made_function *made_code_find(const struct made_code *made, uint64_t address)
{
    uint32_t index = find_index(made, address);
    return index < made->count && address >= function_at(made, index)->start
               ? function_at(made, index)
               : NULL;
}

void made_code_deinit(struct made_code *made)
{
    for (uint32_t i = 0; i < made->count; i++)
        free(function_at(made, i)->name);
    vector_deinit(&made->list);
    *made = (struct made_code){0};
}
