/*
 * Rare records: an arena, a thread, a mapping has one.
 */
#include "preload/carrier/places.h"

#include "preload/base/memory.h"
#include "preload/base/shim.h"
#include "preload/carrier/ring_writer.h"

static void send_place(enum wire_place kind, uintptr_t address, size_t bytes, uintptr_t caller)
{
    uint64_t position;
    unsigned words = 2 + (kind == WIRE_PLACE_MAPPED);
    if (!ring_reserve(1 + words, &position))
        return;
    if (kind == WIRE_PLACE_MAPPED)
        ring_put(position + 3, caller & WIRE_ADDRESS_MASK);
    ring_put(position + 2, (uint64_t)kind << WIRE_PLACE_SHIFT | (bytes & WIRE_ADDRESS_MASK));
    ring_put(position + 1, address & WIRE_ADDRESS_MASK);
    ring_publish(position, wire_extended(WIRE_EXTENDED_PLACE, words));
}

void place_tell(enum wire_place kind, uintptr_t address, size_t bytes)
{
    send_place(kind, address, bytes, 0);
}

static void tell_own(uintptr_t address, size_t bytes)
{
    place_tell(WIRE_PLACE_SHIM, address, bytes);
}

void place_tell_own(void)
{
    memory_each(tell_own);
}

void place_tell_nested(enum wire_place kind, uintptr_t address, size_t bytes)
{
    uintptr_t guard = shim_thread.guard;
    if (!shim_gate_open() || guard == 0 || guard & SHIM_RECORDING)
        return;
    shim_guard_set(guard | SHIM_RECORDING);
    send_place(kind, address, bytes, 0);
    shim_guard_set(guard);
}

void place_tell_caller(uintptr_t address, size_t bytes, uintptr_t caller)
{
    send_place(WIRE_PLACE_MAPPED, address, bytes, caller);
}
