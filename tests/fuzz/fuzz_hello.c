/*
 * The reader of hellos against any bytes. They come over a socket, once in one piece and once in
 * pieces whose sizes the first two bytes choose; what is made of them must be the same. Then all
 * that is ever asked of a hello is asked.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/peer/arrival.h"
#include "collector/peer/whereabouts.h"
#include "driver.h"
#include "failing.h"
#include "wire.h"

static enum arrival_state read_in_pieces(struct arrival_reader *reader, const uint8_t *data,
                                         size_t size, size_t piece, size_t growth)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        abort();
    reader->have = 0;
    memset(&reader->arrival, 0x5a, sizeof reader->arrival);
    reader->arrival.connection = ends[0];
    reader->arrival.peer = (struct arrival_peer){0};
    enum arrival_state state = ARRIVAL_PARTIAL;
    for (size_t at = 0; at < size && state == ARRIVAL_PARTIAL; piece += growth) {
        size_t count = piece < size - at ? piece : size - at;
        if (send(ends[1], data + at, count, MSG_DONTWAIT) != (ssize_t)count)
            abort();
        at += count;
        state = arrival_read(reader);
    }
    shutdown(ends[1], SHUT_WR);
    if (state == ARRIVAL_PARTIAL)
        state = arrival_read(reader);
    close(ends[0]);
    close(ends[1]);
    return state;
}

static void check_value(const struct arrival *arrival, const char *name)
{
    const char *value = arrival_detail(arrival, name), *end = arrival->details;
    end += arrival->hello.details;
    if (value && (value <= arrival->details || value > end || value + strlen(value) > end))
        abort();
}

static void ask_all(struct arrival *arrival, bool fails)
{
    static const char *const names[] = {"token",   "session",  "run",     "machine",
                                        "folder",  "name",     "frames",  "none",
                                        "history", "children", "overflow"};
    struct whereabouts whereabouts;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_value(arrival, names[i]);
    if (arrival_host(arrival) == 0)
        abort();
    bool is_made = whereabouts_init(&whereabouts, arrival);
    if (is_made ? whereabouts.bytes > arrival->hello.details + 1 : !fails)
        abort();
    whereabouts_deinit(&whereabouts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arrival_reader whole, pieces;
    if (size < 2 || size > 60000)
        return 0;
    enum arrival_state state = read_in_pieces(&whole, data + 2, size - 2, size, 0);
    if (state == ARRIVAL_PARTIAL ||
        read_in_pieces(&pieces, data + 2, size - 2, 1 + data[0] % 64, data[1] % 64) != state)
        abort();
    if (state != ARRIVAL_WHOLE)
        return 0;
    const struct hello *hello = &whole.arrival.hello;
    if (hello->magic != HANDSHAKE_MAGIC || hello->wire_version != WIRE_VERSION ||
        hello->details > HELLO_DETAILS_MAX || whole.have != pieces.have ||
        memcmp(hello, &pieces.arrival.hello, whole.have) != 0)
        abort();
    ask_all(&whole.arrival, failing_begin(data, size));
    failing_end();
    return 0;
}
