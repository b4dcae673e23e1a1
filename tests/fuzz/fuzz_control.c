/*
 * What heapline run reads of its collector against any bytes. They come as packets, as a private
 * collector sends them, or as a stream, as a daemon does; the first byte says which, the second how
 * many bytes there are in each piece. A stream is read once more in pieces of another size: what is
 * made of it must be the same. Then the end of a run is waited for in them.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver.h"
#include "viewer/run/collector.h"
#include "viewer/run/control_channel.h"

#define MESSAGES_MAX 256u
#define BYTES_MAX    60000u

/* An end to read from, after whose bytes there is nothing more; -1: they are too many. */
static int open_channel(int type, const uint8_t *data, size_t size, size_t piece, int *other)
{
    int ends[2];
    if (socketpair(AF_UNIX, type, 0, ends) != 0)
        abort();
    bool sent = true;
    for (size_t at = 0, count; sent && at < size; at += count) {
        count = piece < size - at ? piece : size - at;
        sent = send(ends[1], data + at, count, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)count;
    }
    shutdown(ends[1], SHUT_WR);
    *other = ends[1];
    if (sent)
        return ends[0];
    close(ends[0]);
    close(ends[1]);
    return -1;
}

/* Reads to the end; how many messages there were, or MESSAGES_MAX + 1 when not all were sent. */
static unsigned read_all(int type, const uint8_t *data, size_t size, size_t piece,
                         struct control_message *messages)
{
    int other, control = open_channel(type, data, size, piece, &other);
    unsigned count = 0;
    if (control < 0)
        return MESSAGES_MAX + 1;
    while (count < MESSAGES_MAX && control_receive(control, 0, &messages[count]) == RECEIVED)
        if (!memchr(messages[count++].text, '\0', CONTROL_TEXT_MAX))
            abort();
    close(control);
    close(other);
    return count;
}

static void check_pieces(const uint8_t *data, size_t size, size_t piece)
{
    static struct control_message once[MESSAGES_MAX], again[MESSAGES_MAX];
    unsigned count = read_all(SOCK_STREAM, data, size, size, once);
    unsigned count_again = read_all(SOCK_STREAM, data, size, piece, again);
    if (count > MESSAGES_MAX || count_again > MESSAGES_MAX)
        return;
    if (count != count_again || memcmp(once, again, count * sizeof *once) != 0)
        abort();
}

/* Nobody is impatient, and the collector is a daemon's. */
static void check_end(int type, const uint8_t *data, size_t size, size_t piece)
{
    static struct signals signals = {.descriptor = -1};
    char trouble[CONTROL_TEXT_MAX];
    int other;
    sigset_t none;
    sigemptyset(&none);
    if (signals.descriptor < 0)
        signals.descriptor = signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK);
    struct collector collector = {
        .control = open_channel(type, data, size, piece, &other),
        .waits = size % 2,
    };
    if (collector.control < 0)
        return;
    enum collector_end end = collector_finish(&collector, &signals, 0, trouble, NULL);
    bool says_why = end == COLLECTOR_DONE || end == COLLECTOR_GONE;
    if (!memchr(trouble, '\0', sizeof trouble) ||
        (!says_why && (end != COLLECTOR_DIED || *trouble)))
        abort();
    close(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > BYTES_MAX)
        return 0;
    int type = data[0] & 1 ? SOCK_STREAM : SOCK_SEQPACKET;
    size_t piece = 1u + data[1];
    if (type == SOCK_SEQPACKET) /* mostly whole messages */
        piece = sizeof(struct control_message) - data[1] % 3;
    check_pieces(data + 2, size - 2, 64 + piece);
    check_end(type, data + 2, size - 2, piece);
    return 0;
}
