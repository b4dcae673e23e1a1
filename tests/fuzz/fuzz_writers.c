/*
 * The writers' memory as a hostile peer writes it, while the reader drains: before each value that
 * the reader loads from it (turns.h) the peer may change the head, the counts, and any words. What
 * is read of it at the end is bounded by the ring's size, what is said to be lost can be added up,
 * and the sums and the history still agree.
 *
 * The first byte chooses: one process or two, whether they are known to have ended, and how many
 * rounds they are read before their end. Then come turns, over and over: who does what, the bytes
 * for that, and how many loads to let pass afterwards.
 */
#include <stdlib.h>
#include <string.h>

#include "collector/stream/decode.h"
#include "collector/stream/drain.h"
#include "driver.h"
#include "failing.h"
#include "input.h"
#include "stream.h"

#define RING_LOG2 RING_LOG2_WORDS_MIN
#define CAPACITY  (UINT64_C(1) << RING_LOG2)
#define PROCESSES 2u
/* Longer than a hole is waited for. */
#define ROUND_NS UINT64_C(3000000000)
/* One record may begin before the end of what is to be read. */
#define RECORD_WORDS_MAX (WIRE_LEVELS_MAX + 16u)

enum action {
    HEAD_NEAR,
    HEAD_ANYWHERE,
    COUNTS,
    WAITS,
    WORDS,
    WORDS_AS_THEY_ARE,
    ALL_WORDS,
    ACTIONS
};

static struct {
    struct process *processes[PROCESSES];
    unsigned count;
    struct input input;
    unsigned pass; /* loads until the next turn */
} peer;

static void put_word(struct process *process, uint64_t position, uint64_t word, bool published)
{
    uint64_t lap = wire_lap_bit(position, process->ring.log2_words);
    atomic_store(&process->ring.words[position & (CAPACITY - 1)],
                 published ? (word & ~WIRE_LAP_BIT) | lap : word);
}

/* From somewhere near the reader on. */
static void put_words(struct process *process, bool published)
{
    uint64_t position = process->ring.position + input_take(&peer.input, 2) % CAPACITY;
    for (uint64_t left = 1 + input_take(&peer.input, 1) % 16; left && peer.input.left; left--)
        put_word(process, position++, input_take(&peer.input, 8), published);
}

/* All that the reader could come to. */
static void put_all_words(struct process *process)
{
    uint64_t word = input_take(&peer.input, 8);
    for (uint64_t i = 0; i < CAPACITY; i++)
        put_word(process, process->ring.position + i, word, true);
}

static void act(struct process *process, enum action action)
{
    struct ring_writers_page *writers = process->ring.writers;
    switch (action) {
    case HEAD_NEAR:
        atomic_store(&writers->head, process->ring.position + input_take(&peer.input, 2) - 8);
        break;
    case HEAD_ANYWHERE:
        atomic_store(&writers->head, input_take(&peer.input, 8));
        break;
    case COUNTS:
        atomic_store(&writers->dropped, input_take(&peer.input, 8));
        atomic_store(&writers->abandoned, (uint32_t)input_take(&peer.input, 4));
        break;
    case WAITS:
        atomic_store(&writers->reader_sleeps, (uint32_t)input_take(&peer.input, 4));
        atomic_store(&writers->writers_wait, (uint32_t)input_take(&peer.input, 4));
        break;
    case WORDS:
    case WORDS_AS_THEY_ARE:
        put_words(process, action == WORDS);
        break;
    default:
        put_all_words(process);
    }
}

void hostile_turn(void)
{
    if (peer.pass) {
        peer.pass--;
        return;
    }
    if (!peer.input.left)
        return;
    uint64_t choice = input_take(&peer.input, 1);
    act(peer.processes[choice / ACTIONS % peer.count], choice % ACTIONS);
    peer.pass = (unsigned)input_take(&peer.input, 1);
}

static void init(struct stream streams[PROCESSES], struct drain *drain, const uint8_t *data,
                 size_t size)
{
    stream_init(&streams[0], RING_LOG2, true);
    memset(&peer, 0, sizeof peer);
    peer.count = 1 + (data[0] & 1);
    if (peer.count == PROCESSES)
        stream_init_beside(&streams[1], &streams[0], streams[0].process->peer.pid);
    for (unsigned i = 0; i < peer.count; i++) {
        peer.processes[i] = streams[i].process;
        peer.processes[i]->peer.is_dead = data[0] & 2;
    }
    drain_init(drain, &streams[0].run);
    peer.input = (struct input){data + 1, size - 1};
}

static void finish(struct drain *drain, struct process *process)
{
    uint64_t before = process->ring.position;
    drain_to_end(drain, process, !process->peer.is_dead);
    if (process->ring.position - before > CAPACITY + RECORD_WORDS_MAX)
        abort();
    if (ring_end_dropped(&process->ring) > UINT64_C(1) << 40)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream streams[PROCESSES];
    struct drain drain = {0};
    if (size < 1)
        return 0;
    init(streams, &drain, data, size);
    uint64_t now = streams[0].process->mirror.now_ns;
    failing_begin(data, size);
    for (unsigned rounds = data[0] >> 2; rounds; rounds--)
        drain_round(&drain, peer.processes, peer.count, now += ROUND_NS);
    drain_to_now(&drain, peer.processes, peer.count);
    failing_end();
    if (peer.count == 1)
        stream_check_sums(&streams[0]);
    for (unsigned i = 0; i < peer.count; i++)
        finish(&drain, peer.processes[i]);
    for (unsigned i = peer.count; i-- > 1;)
        stream_deinit(&streams[i]);
    if (peer.count == 1)
        stream_check_history(&streams[0]);
    stream_deinit(&streams[0]);
    return 0;
}
