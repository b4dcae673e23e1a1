/*
 * A collector that is not root's greets nobody: the shim of another user's process would not speak
 * to it either.
 */
#include "collector/session/strangers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/peer/arrival.h"

#define PATIENCE_NS UINT64_C(1000000000)

static void dismiss_stranger(struct strangers *strangers, unsigned slot)
{
    struct arrival_reader *reader = strangers->slots[slot].reader;
    if (!reader)
        return;
    close(reader->arrival.connection);
    free(reader);
    strangers->slots[slot].reader = NULL;
}

/* Its hello is whole: the connection is handed on, or closed. */
static void decide_stranger(struct strangers *strangers, unsigned slot)
{
    struct arrival_reader *reader = strangers->slots[slot].reader;
    const struct arrival *arrival = &reader->arrival;
    if (arrival->hello.carrier == HELLO_RUN || !arrival_knows(arrival, "run", strangers->key)) {
        dismiss_stranger(strangers, slot);
        return;
    }
    strangers->slots[slot].reader = NULL;
    strangers->admit(strangers->context, arrival);
    free(reader);
}

static void hear_stranger(struct strangers *strangers, unsigned slot)
{
    switch (arrival_read(strangers->slots[slot].reader)) {
    case ARRIVAL_PARTIAL:
        break;
    case ARRIVAL_WHOLE:
        decide_stranger(strangers, slot);
        break;
    default:
        dismiss_stranger(strangers, slot);
    }
}

/* A free slot, made free if need be. */
static unsigned find_slot(struct strangers *strangers)
{
    unsigned oldest = 0;
    for (unsigned i = 0; i < STRANGERS_MAX; i++) {
        if (!strangers->slots[i].reader)
            return i;
        if (strangers->slots[i].since_ns < strangers->slots[oldest].since_ns)
            oldest = i;
    }
    dismiss_stranger(strangers, oldest);
    return oldest;
}

void strangers_greet(struct strangers *strangers, const struct arrival *arrival)
{
    bool is_welcome = geteuid() == 0 && strangers->key;
    struct arrival_reader *reader = is_welcome ? calloc(1, sizeof *reader) : NULL;
    if (!reader) {
        close(arrival->connection);
        return;
    }
    unsigned slot = find_slot(strangers);
    reader->arrival.connection = arrival->connection;
    reader->arrival.peer = arrival->peer;
    strangers->slots[slot].reader = reader;
    strangers->slots[slot].since_ns = clock_now();
    hear_stranger(strangers, slot);
}

void strangers_watch(const struct strangers *strangers, struct pollfd *watched)
{
    for (unsigned i = 0; i < STRANGERS_MAX; i++) {
        const struct arrival_reader *reader = strangers->slots[i].reader;
        watched[i] =
            (struct pollfd){.fd = reader ? reader->arrival.connection : -1, .events = POLLIN};
    }
}

void strangers_hear(struct strangers *strangers, const struct pollfd *watched)
{
    uint64_t now = clock_now();
    for (unsigned i = 0; i < STRANGERS_MAX; i++) {
        const struct arrival_reader *reader = strangers->slots[i].reader;
        if (!reader || reader->arrival.connection != watched[i].fd)
            continue;
        if (watched[i].revents)
            hear_stranger(strangers, i);
        else if (now - strangers->slots[i].since_ns > PATIENCE_NS)
            dismiss_stranger(strangers, i);
    }
}

void strangers_dismiss(struct strangers *strangers)
{
    for (unsigned i = 0; i < STRANGERS_MAX; i++)
        dismiss_stranger(strangers, i);
}
