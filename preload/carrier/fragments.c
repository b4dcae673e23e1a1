/*
 * The parts are read byte by byte across their borders.
 */
#include "preload/carrier/fragments.h"

#include "assertion.h"
#include "preload/carrier/ring_writer.h"
#include "wire.h"

static unsigned char next_byte(struct fragments *fragments)
{
    while (fragments->at == fragments->part.bytes) {
        fragments->part = fragments->next_part(fragments);
        fragments->at = 0;
    }
    fragments->left--;
    return fragments->part.data[fragments->at++];
}

static uint64_t next_word(struct fragments *fragments)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < WIRE_BYTES_PER_WORD && fragments->left; i++)
        word |= (uint64_t)next_byte(fragments) << 8 * i;
    return word;
}

static bool send_one(struct fragments *fragments, uint64_t first)
{
    uint32_t bytes = fragments->left < WIRE_FRAGMENT_MAX ? fragments->left : WIRE_FRAGMENT_MAX;
    unsigned words = (bytes + WIRE_BYTES_PER_WORD - 1) / WIRE_BYTES_PER_WORD;
    uint64_t position;
    if (!ring_reserve(1 + words, &position))
        return false;
    for (unsigned i = 0; i < words; i++)
        ring_put(position + 1 + i, next_word(fragments));
    ring_publish(position, first | bytes);
    return true;
}

bool fragments_send(struct fragments *fragments, uint64_t first, uint64_t begin)
{
    for (uint64_t also = begin; fragments->left; also = 0)
        if (!send_one(fragments, first | also))
            return false;
    ASSERT(fragments->at <= fragments->part.bytes);
    return true;
}
