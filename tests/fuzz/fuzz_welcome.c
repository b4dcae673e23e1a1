/*
 * What the shim reads of a collector on a stream: any bytes as the welcome, and what is left of
 * them as the farewell. A process that is let in sends what it has to say, in sound frames.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver.h"
#include "preload/base/environment.h"
#include "preload/base/shim.h"
#include "preload/carrier/greeting.h"
#include "preload/carrier/ring_writer.h"
#include "preload/carrier/stream_writer.h"

#define RECORDS             40u
#define FAREWELLS_BYTES_MAX 4096u
/* What is read of a process at once: its hello, or frames. */
#define HEARD_BYTES_MAX 65536u

/* Nothing is known of an environment. */
void environment_forget(void)
{
}
const char *environment_value(const char *name)
{
    (void)name;
    return NULL;
}
const char *environment_ancestor(void)
{
    return NULL;
}
void complain(const char *reason);
void complain(const char *reason)
{
    if (!reason || !*reason)
        abort();
}

/* The frames that have been sent, on from the first: one follows on another. */
static void check_frames(int collector)
{
    static uint8_t heard[HEARD_BYTES_MAX];
    ssize_t got = recv(collector, heard, sizeof heard, MSG_DONTWAIT);
    uint64_t position = 0;
    for (ssize_t at = 0; at < got;) {
        struct frame frame;
        memcpy(&frame, heard + at, sizeof frame);
        if (got - at < (ssize_t)sizeof frame || frame.magic != FRAME_MAGIC || !frame.words ||
            frame.words > FRAME_WORDS_MAX || frame.position != position)
            abort();
        position += frame.words;
        at += (ssize_t)(sizeof frame + frame.words * sizeof(uint64_t));
        if (at > got)
            abort();
    }
}

static void write_records(void)
{
    for (unsigned i = 0; i < RECORDS; i++) {
        ring_tick();
        ring_send_word(wire_first(WIRE_FREE) | i);
        if (i == RECORDS / 2)
            ring_flush();
    }
    ring_flush();
}

/* All that it will ever say. */
static void send_as_collector(int collector, const uint8_t *data, size_t size)
{
    if (send(collector, data, size, MSG_DONTWAIT) != (ssize_t)size ||
        shutdown(collector, SHUT_WR) != 0)
        abort();
}

/* Takes the connection over. */
static void use_stream(int connection, int collector, const struct welcome *welcome)
{
    atomic_store(&shim_gate.open, SHIM_GATE_OPEN);
    if (!stream_writer_init(connection, welcome))
        return;
    write_records();
    check_frames(collector);
    ring_forget_connection();
    ring_writer_leave(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct welcome welcome;
    int ends[2], parts[RING_PARTS];
    char hello[HEARD_BYTES_MAX];
    if (size > FAREWELLS_BYTES_MAX)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        abort();
    send_as_collector(ends[1], data, size);
    greeting_compose(&(struct greeting_sender){0}, HELLO_STREAM);
    const char *trouble = greeting_exchange(ends[0], &welcome, parts);
    if (recv(ends[1], hello, sizeof hello, MSG_DONTWAIT) < (ssize_t)sizeof(struct hello))
        abort();
    if (parts[RING_READER] >= 0 || parts[RING_WRITERS] >= 0)
        abort();
    if (trouble)
        close(ends[0]);
    else
        use_stream(ends[0], ends[1], &welcome);
    close(ends[1]);
    return 0;
}
