/*
 * Frames into a ring. A frame is taken only when it is whole and follows on what came before, and
 * its words stand as they would in the sender's ring; everything in them is the decoder's to judge.
 */
#include "collector/stream/stream_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "wire.h"

/* What is less than that waits for the session's next round. */
#define READ_FROM_BYTES (128 * 1024)

_Static_assert(offsetof(struct stream_reader, words) ==
                   offsetof(struct stream_reader, frame) + sizeof(struct frame),
               "words stand behind their header");

/* Over TCP each frame would wake the session; it comes by anyway. */
static void use_connection(struct stream_reader *reader, int connection)
{
    const int low = READ_FROM_BYTES;
    setsockopt(connection, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low);
    reader->connection = connection;
    reader->gone_ns = reader->have = 0;
}

struct stream_reader *stream_reader_new(int connection)
{
    struct stream_reader *reader = malloc(sizeof *reader);
    if (!reader)
        return NULL;
    reader->position = 0;
    reader->problem = NULL;
    use_connection(reader, connection);
    do
        if (getrandom(&reader->number, sizeof reader->number, 0) != sizeof reader->number) {
            free(reader);
            return NULL;
        }
    while (reader->number == 0);
    return reader;
}

struct stream_reader *stream_reader_free(struct stream_reader *reader, enum welcome_verdict verdict)
{
    if (reader && reader->connection >= 0) {
        const struct welcome farewell = {
            .magic = HANDSHAKE_MAGIC, .wire_version = WIRE_VERSION, .verdict = verdict};
        send(reader->connection, &farewell, sizeof farewell, MSG_NOSIGNAL | MSG_DONTWAIT);
        shutdown(reader->connection, SHUT_WR);
        close(reader->connection);
    }
    free(reader);
    return NULL;
}

static void disconnect_stream(struct stream_reader *reader)
{
    close(reader->connection);
    reader->connection = -1;
    reader->gone_ns = clock_now();
}

static void break_off(struct stream_reader *reader, const char *problem)
{
    reader->problem = problem;
    disconnect_stream(reader);
}

bool stream_reader_resume(struct stream_reader *reader, int connection, uint64_t position)
{
    if (reader->problem || position != reader->position)
        return false;
    if (reader->connection >= 0)
        close(reader->connection);
    use_connection(reader, connection);
    return true;
}

/* The frame's bytes, as far as they are known. */
static size_t frame_bytes(const struct stream_reader *reader)
{
    return sizeof reader->frame +
           (reader->have < sizeof reader->frame ? 0 : reader->frame.words * sizeof(uint64_t));
}

/* Looks at a header that is whole. */
static bool header_is_sound(struct stream_reader *reader)
{
    const struct frame *frame = &reader->frame;
    if (frame->magic != FRAME_MAGIC)
        break_off(reader, "no frame");
    else if (frame->words == 0 || frame->words > FRAME_WORDS_MAX)
        break_off(reader, "oversized frame");
    else if (frame->position != reader->position)
        break_off(reader, frame->position < reader->position ? "replayed frame" : "missing frame");
    return reader->connection >= 0;
}

/* Receives once. False when there is nothing more now. */
static bool receive_frame(struct stream_reader *reader)
{
    char *at = (char *)&reader->frame + reader->have;
    ssize_t got = recv(reader->connection, at, frame_bytes(reader) - reader->have, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        disconnect_stream(reader);
        return false;
    }
    size_t before = reader->have;
    reader->have += (size_t)got;
    return before >= sizeof reader->frame || reader->have < sizeof reader->frame ||
           header_is_sound(reader);
}

/* The words of a frame, with the lap bits of their places and a record's beginning in front. */
static bool words_are_sound(const struct stream_reader *reader, unsigned log2_words)
{
    const struct frame *frame = &reader->frame;
    for (uint32_t i = 0; i < frame->words; i++)
        if ((reader->words[i] ^ wire_lap_bit(frame->position + i, log2_words)) & WIRE_LAP_BIT)
            return false;
    return reader->words[0] & WIRE_FIRST_BIT;
}

/* Moves a whole frame into the ring. */
static void deliver_words(struct stream_reader *reader, struct ring_writers_page *writers,
                          _Atomic uint64_t *ring, unsigned log2_words)
{
    const struct frame *frame = &reader->frame;
    const uint64_t mask = ring_mask(log2_words);
    if (!words_are_sound(reader, log2_words)) {
        break_off(reader, "words out of place");
        return;
    }
    for (uint32_t i = 0; i < frame->words; i++)
        atomic_store_explicit(&ring[(frame->position + i) & mask], reader->words[i],
                              memory_order_relaxed);
    reader->position += frame->words;
    reader->have = 0;
    atomic_store(&writers->head, reader->position);
    atomic_store(&writers->dropped, frame->dropped);
}

static bool is_whole(const struct stream_reader *reader)
{
    return reader->have >= sizeof reader->frame && reader->have == frame_bytes(reader);
}

uint64_t stream_reader_fill(struct stream_reader *reader, struct ring_writers_page *writers,
                            _Atomic uint64_t *ring, unsigned log2_words, uint64_t read,
                            uint64_t most)
{
    uint64_t before = reader->position, capacity = UINT64_C(1) << log2_words;
    while (reader->connection >= 0 && reader->position - before < most) {
        if (reader->position + FRAME_WORDS_MAX - read > capacity)
            break;
        if (!receive_frame(reader))
            break;
        if (is_whole(reader))
            deliver_words(reader, writers, ring, log2_words);
    }
    return reader->position - before;
}
