/*
 * The stream carrier's reader against any bytes, in pieces of any size, and the decoder behind it.
 * The first byte chooses: bytes as they are (odd), or words that are put into sound frames first,
 * so that they come through, three times over, so that they go around the ring. The second one is
 * the size of the pieces, the third that of the frames.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/stream/decode.h"
#include "driver.h"
#include "failing.h"
#include "stream.h"

#define RING_LOG2  13u
#define LAPS       2u
#define PASSES_MAX 400

struct sender {
    struct stream stream;
    int socket;
    size_t piece;
    uint64_t position;
};

static void sender_init(struct sender *sender, size_t piece)
{
    int ends[2], none[RING_PARTS];
    const struct ring_plan plan = {.log2_words = RING_LOG2};
    struct arrival arrival = {.hello = {.carrier = HELLO_STREAM, .process = 77}};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        abort();
    arrival.connection = ends[0];
    *sender = (struct sender){.socket = ends[1], .piece = piece};
    if (!run_init(&sender->stream.run))
        abort();
    sender->stream.run.ledger.keeps_history = true;
    sender->stream.process = process_new(&sender->stream.run, &arrival, &plan, none);
    if (!sender->stream.process || none[RING_READER] != -1)
        abort();
    sender->stream.process->peer.number = 1;
}

static void decode(struct stream *stream)
{
    while (ring_end_receive(&stream->process->ring, UINT64_MAX) ||
           decode_ring(&stream->run, stream->process, UINT64_MAX, DECODE_ALL))
        ;
}

static void put_bytes(struct sender *sender, const void *bytes, size_t size)
{
    for (size_t at = 0; at < size && sender->stream.process->ring.stream->connection >= 0;) {
        size_t count = sender->piece < size - at ? sender->piece : size - at;
        ssize_t sent =
            send(sender->socket, (const char *)bytes + at, count, MSG_DONTWAIT | MSG_NOSIGNAL);
        at += sent > 0 ? (size_t)sent : 0;
        decode(&sender->stream);
    }
}

static void put_frame(struct sender *sender, const uint64_t *words, uint32_t count)
{
    const struct frame frame = {.magic = FRAME_MAGIC, .words = count, .position = sender->position};
    put_bytes(sender, &frame, sizeof frame);
    put_bytes(sender, words, count * sizeof *words);
    sender->position += count;
}

/* Each frame begins with a record's beginning. */
static void put_words(struct sender *sender, const uint8_t *data, size_t size, size_t least)
{
    static uint64_t words[FRAME_WORDS_MAX];
    uint32_t count = 0;
    for (size_t at = 0; at + sizeof *words <= size; at += sizeof *words) {
        uint64_t word;
        memcpy(&word, data + at, sizeof word);
        bool begins = word & WIRE_FIRST_BIT;
        if (count && ((begins && count >= least) || count == FRAME_WORDS_MAX)) {
            put_frame(sender, words, count);
            count = 0;
        }
        if (!count && !begins)
            continue;
        words[count] = (word & ~WIRE_LAP_BIT) | wire_lap_bit(sender->position + count, RING_LOG2);
        count++;
    }
    if (count)
        put_frame(sender, words, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sender sender;
    if (size < 3)
        return 0;
    sender_init(&sender, 1 + data[1] * 16u);
    failing_begin(data, size);
    if (data[0] & 1)
        put_bytes(&sender, data + 3, size - 3);
    else
        for (int pass = 0; pass < PASSES_MAX && sender.position < LAPS << RING_LOG2; pass++)
            put_words(&sender, data + 3, size - 3, 1 + data[2]);
    struct process *process = sender.stream.process;
    bool sound = !(data[0] & 1);
    if (sound &&
        (process->ring.stream->problem || process->ring.stream->position != sender.position))
        abort();
    close(sender.socket);
    decode(&sender.stream);
    while (decode_skip_hole(process))
        decode(&sender.stream);
    failing_end();
    if (process->ring.stream->connection >= 0)
        abort();
    stream_check_sums(&sender.stream);
    stream_check_history(&sender.stream);
    stream_deinit(&sender.stream);
    return 0;
}
