/*
 * Open addressing with linear probing; a dead entry leaves a tombstone until the table is rebuilt.
 * A rebuilt table is published as a whole and the old one stays mapped, for a reader may still be
 * in it: altogether no more than the newest one's size.
 */
#include "preload/python/code_table.h"

#include "assertion.h"
#include "preload/base/lock.h"
#include "preload/base/memory.h"
#include "preload/base/shim.h"
#include "preload/python/code_announcement.h"
#include "preload/python/python_frame.h"
#include "preload/python/source_text.h"
#include "wire.h"

#define SLOTS_AT_FIRST 1024u
#define TOMBSTONE      ((uintptr_t)1)

struct slot {
    _Atomic uintptr_t code;
    _Atomic uint32_t number;
};

struct table {
    uint32_t mask;
    uint32_t filled; /* live and tombstones */
    uint32_t live;
    struct slot slots[];
};

_Atomic uint32_t code_epoch;
_Atomic bool code_is_compiled_somewhere;
static _Atomic(struct table *) current;
static struct lock table_lock;

/* Numbers: those given back first, the last of them before the others, then fresh ones. */
static uint32_t numbers_used = WIRE_CODE_FIRST;
static uint32_t *free_numbers;
static uint32_t free_count, free_capacity;

static uint32_t hash_code(uintptr_t code)
{
    return (uint32_t)((code >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static struct table *table_new(uint32_t slots)
{
    struct table *table = memory_map(sizeof *table + (size_t)slots * sizeof(struct slot));
    if (table)
        table->mask = slots - 1;
    return table;
}

bool code_table_init(void)
{
    atomic_store(&current, table_new(SLOTS_AT_FIRST));
    return atomic_load(&current) != NULL;
}

static uint32_t table_find(struct table *table, uintptr_t code)
{
    for (uint32_t i = hash_code(code);; i++) {
        struct slot *slot = &table->slots[i & table->mask];
        uintptr_t seen = atomic_load_explicit(&slot->code, memory_order_acquire);
        if (seen == code)
            return atomic_load_explicit(&slot->number, memory_order_relaxed);
        if (seen == 0)
            return WIRE_CODE_NONE;
    }
}

static uint32_t count_live(const struct table *table)
{
    uint32_t live = 0;
    for (uint32_t i = 0; i <= table->mask; i++)
        live += atomic_load_explicit(&table->slots[i].code, memory_order_relaxed) > TOMBSTONE;
    return live;
}

static void table_insert(struct table *table, uintptr_t code, uint32_t number)
{
    for (uint32_t i = hash_code(code);; i++) {
        struct slot *slot = &table->slots[i & table->mask];
        uintptr_t seen = atomic_load_explicit(&slot->code, memory_order_relaxed);
        if (seen > TOMBSTONE)
            continue;
        atomic_store_explicit(&slot->number, number, memory_order_relaxed);
        atomic_store_explicit(&slot->code, code, memory_order_release);
        table->filled += seen == 0;
        table->live++;
        ASSERT(table->live <= table->filled && table->filled <= table->mask);
        ASSERT_SLOWLY(count_live(table) == table->live);
        return;
    }
}

/* A table with room for one more; null when memory is short. */
static struct table *table_with_room(void)
{
    struct table *table = atomic_load_explicit(&current, memory_order_relaxed);
    uint32_t slots = table->mask + 1;
    if (table->filled + 1 <= slots / 4 * 3)
        return table;
    struct table *bigger = table_new(table->live > slots / 8 * 3 ? slots * 2 : slots);
    if (!bigger)
        return NULL;
    for (uint32_t i = 0; i < slots; i++) {
        uintptr_t code = atomic_load_explicit(&table->slots[i].code, memory_order_relaxed);
        if (code > TOMBSTONE)
            table_insert(bigger, code, table->slots[i].number);
    }
    atomic_store_explicit(&current, bigger, memory_order_release);
    return bigger;
}

static uint32_t number_take(void)
{
    if (free_count)
        return free_numbers[--free_count];
    return numbers_used <= WIRE_CODE_MASK ? numbers_used++ : WIRE_CODE_NONE;
}

static void number_give_back(uint32_t number)
{
    ASSERT(number >= WIRE_CODE_FIRST && number < numbers_used);
    ASSERT(free_count <= free_capacity && free_count < numbers_used - WIRE_CODE_FIRST);
    if (free_count == free_capacity) {
        uint32_t capacity = free_capacity ? free_capacity * 2 : 1024;
        uint32_t *numbers = memory_map(capacity * sizeof *numbers);
        if (!numbers)
            return;
        for (uint32_t i = 0; i < free_count; i++)
            numbers[i] = free_numbers[i];
        if (free_numbers)
            memory_unmap(free_numbers, free_capacity * sizeof *free_numbers);
        free_numbers = numbers;
        free_capacity = capacity;
    }
    free_numbers[free_count++] = number;
}

static enum wire_line_table lines_of(uintptr_t frame)
{
    if (!frame_is_compiled(frame))
        return (enum wire_line_table)python_layout.rules.line_table;
    atomic_store_explicit(&code_is_compiled_somewhere, true, memory_order_relaxed);
    return WIRE_LINES_TOLD;
}

static uint32_t announce_new(uintptr_t frame, uintptr_t code)
{
    struct table *table = table_with_room();
    uint32_t number = table ? number_take() : WIRE_CODE_NONE;
    if (number == WIRE_CODE_NONE)
        return WIRE_CODE_NONE;
    if (!code_announce(code, number, lines_of(frame))) {
        number_give_back(number);
        return WIRE_CODE_NONE;
    }
    table_insert(table, code, number);
    return number;
}

uint32_t code_table_number(uintptr_t frame, uintptr_t code)
{
    uint32_t number = table_find(atomic_load_explicit(&current, memory_order_acquire), code);
    if (SHIM_LIKELY(number != WIRE_CODE_NONE))
        return number;
    lock_take(&table_lock);
    number = table_find(atomic_load_explicit(&current, memory_order_relaxed), code);
    bool is_new = number == WIRE_CODE_NONE;
    if (is_new)
        number = announce_new(frame, code);
    lock_release(&table_lock);
    if (is_new && number != WIRE_CODE_NONE)
        source_text_tell(code);
    return number;
}

void code_table_forget(uintptr_t code)
{
    if (table_find(atomic_load_explicit(&current, memory_order_acquire), code) == WIRE_CODE_NONE)
        return;
    lock_take(&table_lock);
    struct table *table = atomic_load_explicit(&current, memory_order_relaxed);
    for (uint32_t i = hash_code(code);; i++) {
        struct slot *slot = &table->slots[i & table->mask];
        uintptr_t seen = atomic_load_explicit(&slot->code, memory_order_relaxed);
        if (seen == 0)
            break;
        if (seen != code)
            continue;
        atomic_store_explicit(&slot->code, TOMBSTONE, memory_order_relaxed);
        table->live--;
        number_give_back(atomic_load_explicit(&slot->number, memory_order_relaxed));
        atomic_fetch_add_explicit(&code_epoch, 1, memory_order_relaxed);
        break;
    }
    lock_release(&table_lock);
}

/* Old numbers are not used again, for they may be on their way. */
void code_table_forget_all(void)
{
    lock_take(&table_lock);
    struct table *empty = table_new(SLOTS_AT_FIRST);
    if (empty)
        atomic_store_explicit(&current, empty, memory_order_release);
    atomic_fetch_add_explicit(&code_epoch, 1, memory_order_relaxed);
    source_text_forget();
    lock_release(&table_lock);
}

void code_table_lock(void)
{
    lock_take(&table_lock);
    source_text_lock();
}

void code_table_unlock(void)
{
    source_text_unlock();
    lock_release(&table_lock);
}

/* The parent's table stays mapped: its pages are shared until somebody writes. */
bool code_table_reset(void)
{
    numbers_used = WIRE_CODE_FIRST;
    free_count = 0;
    atomic_fetch_add_explicit(&code_epoch, 1, memory_order_relaxed);
    source_text_forget();
    return code_table_init();
}
