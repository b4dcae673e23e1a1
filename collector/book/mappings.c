/*
 * The treap of ranges. It is taken apart and joined at addresses (split, merge), which is all that
 * mapping and unmapping need. Everything is iterative: no tree can make it run out of stack.
 */
#include "collector/book/mappings.h"

#include <string.h>

#include "hash.h"

void mappings_deinit(struct mappings *mappings)
{
    vector_deinit(&mappings->all);
    vector_deinit(&mappings->ranges);
    *mappings = (struct mappings){0};
}

static bool copy_vector(struct vector *to, const struct vector *from, size_t bytes)
{
    bool good = vector_reserve(to, bytes, 1);
    if (good && bytes)
        memcpy(to->data, from->data, bytes);
    return good;
}

bool mappings_copy(struct mappings *to, const struct mappings *from)
{
    *to = *from;
    to->all = to->ranges = (struct vector){0};
    if (copy_vector(&to->all, &from->all, from->all_used * sizeof(struct mapping)) &&
        copy_vector(&to->ranges, &from->ranges, from->ranges_used * sizeof(struct mapping_range)))
        return true;
    mappings_deinit(to);
    return false;
}

/* --- slots --- */

uint32_t mappings_add(struct mappings *mappings, const struct mapping *mapping)
{
    uint32_t number = mappings->free_mapping;
    if (number) {
        mappings->free_mapping = mappings_at(mappings, number)->ranges;
    } else {
        number = mappings->all_used ? mappings->all_used : 1;
        if (number == UINT32_MAX ||
            !vector_reserve(&mappings->all, (size_t)number + 1, sizeof *mapping))
            return 0;
        mappings->all_used = number + 1;
    }
    *mappings_at(mappings, number) = *mapping;
    mappings_at(mappings, number)->ranges = 0;
    return number;
}

static void free_mapping(struct mappings *mappings, uint32_t number)
{
    mappings_at(mappings, number)->ranges = mappings->free_mapping;
    mappings->free_mapping = number;
}

/* Makes sure that new_range() works a few times. */
static bool reserve_ranges(struct mappings *mappings, uint32_t count)
{
    if (!mappings->ranges_used)
        mappings->ranges_used = 1;
    return mappings->ranges_used < UINT32_MAX - count &&
           vector_reserve(&mappings->ranges, (size_t)mappings->ranges_used + count,
                          sizeof(struct mapping_range));
}

/* xorshift64: which range stands above which must only not follow the addresses, nor can those be
 * chosen to follow it. */
static uint32_t next_priority(struct mappings *mappings)
{
    uint64_t random = mappings->random ? mappings->random : hash_random();
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    mappings->random = random;
    return (uint32_t)(random >> 32);
}

static uint32_t new_range(struct mappings *mappings, const struct mapping_range *added)
{
    uint32_t number = mappings->free_range;
    if (number)
        mappings->free_range = mappings_range(mappings, number)->right;
    else
        number = mappings->ranges_used++;
    *mappings_range(mappings, number) = (struct mapping_range){
        .start = added->start,
        .end = added->end,
        .held = added->held,
        .mapping = added->mapping,
        .priority = next_priority(mappings),
    };
    mappings_at(mappings, added->mapping)->ranges++;
    mappings->live_ranges++;
    return number;
}

void mappings_release(struct mappings *mappings, uint32_t list)
{
    for (uint32_t number = list, next; number; number = next) {
        struct mapping_range *range = mappings_range(mappings, number);
        next = range->right;
        if (--mappings_at(mappings, range->mapping)->ranges == 0)
            free_mapping(mappings, range->mapping);
        range->right = mappings->free_range;
        mappings->free_range = number;
    }
}

/* --- the treap --- */

/* Ranges that start before `at` go to *low, the others to *high. */
static void split_treap(const struct mappings *mappings, uint32_t root, uint64_t at, uint32_t *low,
                        uint32_t *high)
{
    while (root) {
        struct mapping_range *range = mappings_range(mappings, root);
        uint32_t **side = range->start < at ? &low : &high;
        **side = root;
        *side = range->start < at ? &range->right : &range->left;
        root = **side;
    }
    *low = *high = 0;
}

/* All of `low` stand before all of `high`. */
static uint32_t merge_treaps(const struct mappings *mappings, uint32_t low, uint32_t high)
{
    uint32_t root, *link = &root;
    while (low && high) {
        struct mapping_range *before = mappings_range(mappings, low);
        struct mapping_range *behind = mappings_range(mappings, high);
        if (before->priority > behind->priority) {
            *link = low;
            link = &before->right;
            low = *link;
        } else {
            *link = high;
            link = &behind->left;
            high = *link;
        }
    }
    *link = low ? low : high;
    return root;
}

/* The last range; null when there is none. */
static struct mapping_range *last_of(const struct mappings *mappings, uint32_t root)
{
    struct mapping_range *last = NULL;
    for (; root; root = last->right)
        last = mappings_range(mappings, root);
    return last;
}

/* Makes a list of a treap, by turning it until nothing stands on the left. */
static uint32_t flatten_treap(struct mappings *mappings, uint32_t root)
{
    uint32_t list = root, *link = &list;
    while (*link) {
        struct mapping_range *range = mappings_range(mappings, *link);
        if (range->left) {
            uint32_t left = range->left;
            range->left = mappings_range(mappings, left)->right;
            mappings_range(mappings, left)->right = *link;
            *link = left;
        } else {
            mappings->live_ranges--;
            link = &range->right;
        }
    }
    return list;
}

/* The share that `part` bytes of `whole` have in `amount`. */
static uint64_t part_of(uint64_t amount, uint64_t part, uint64_t whole)
{
    return amount == whole ? part : (uint64_t)((double)amount / (double)whole * (double)part);
}

/* The part of the treap's last range that reaches beyond `end`, as a range of its own; 0: none. */
static uint32_t cut_last(struct mappings *mappings, uint32_t root, uint64_t end)
{
    struct mapping_range *last = last_of(mappings, root);
    if (!last || last->end <= end)
        return 0;
    struct mapping_range behind = {.start = end, .end = last->end, .mapping = last->mapping};
    behind.held = part_of(last->held, behind.end - end, last->end - last->start);
    last->held -= behind.held;
    last->end = end;
    return new_range(mappings, &behind);
}

/* Does a cut at this address make two ranges of one? */
static bool lies_inside(const struct mappings *mappings, uint64_t address)
{
    uint32_t number = mappings_beyond(mappings, address);
    return number && mappings_range(mappings, number)->start < address;
}

bool mappings_cut(struct mappings *mappings, uint64_t start, uint64_t end, uint32_t *cut)
{
    uint32_t low, middle, high, made = lies_inside(mappings, start) + lies_inside(mappings, end);
    if (made && !reserve_ranges(mappings, made))
        return false;
    split_treap(mappings, mappings->root, start, &low, &middle);
    split_treap(mappings, middle, end, &middle, &high);
    middle = merge_treaps(mappings, cut_last(mappings, low, start), middle);
    high = merge_treaps(mappings, cut_last(mappings, middle, end), high);
    mappings->root = merge_treaps(mappings, low, high);
    *cut = flatten_treap(mappings, middle);
    return true;
}

static void insert_range(struct mappings *mappings, uint32_t number)
{
    uint32_t low, high;
    split_treap(mappings, mappings->root, mappings_range(mappings, number)->start, &low, &high);
    mappings->root = merge_treaps(mappings, merge_treaps(mappings, low, number), high);
}

bool mappings_add_range(struct mappings *mappings, const struct mapping_range *added)
{
    if (!reserve_ranges(mappings, 1)) {
        if (mappings_at(mappings, added->mapping)->ranges == 0)
            free_mapping(mappings, added->mapping);
        return false;
    }
    insert_range(mappings, new_range(mappings, added));
    return true;
}

uint32_t mappings_put_back(struct mappings *mappings, uint32_t range)
{
    struct mapping_range *at = mappings_range(mappings, range);
    uint32_t next = at->right;
    at->right = 0;
    mappings->live_ranges++;
    insert_range(mappings, range);
    return next;
}

uint32_t mappings_from(const struct mappings *mappings, uint64_t from)
{
    uint32_t found = 0;
    for (uint32_t number = mappings->root; number;) {
        const struct mapping_range *range = mappings_range(mappings, number);
        bool behind = range->start >= from;
        found = behind ? number : found;
        number = behind ? range->left : range->right;
    }
    return found;
}

uint32_t mappings_beyond(const struct mappings *mappings, uint64_t from)
{
    uint32_t found = 0;
    for (uint32_t number = mappings->root; number;) {
        const struct mapping_range *range = mappings_range(mappings, number);
        bool behind = range->end > from;
        found = behind ? number : found;
        number = behind ? range->left : range->right;
    }
    return found;
}
