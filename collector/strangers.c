/*
 * A collector that is not root's greets nobody: the shim of another user's process would not speak
 * to it either.
 */
#include "strangers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "arrival.h"
#include "clock.h"
#include "session_state.h"

#define PATIENCE_NS UINT64_C(1000000000)

static void dismiss(struct session *session, unsigned place)
{
    struct arrival_reader *reader = session->strangers.places[place].reader;
    if (!reader)
        return;
    close(reader->arrival.connection);
    free(reader);
    session->strangers.places[place].reader = NULL;
}

/* Its hello is whole: the connection is the session's, or closed. */
static void decide(struct session *session, unsigned place)
{
    struct arrival_reader *reader = session->strangers.places[place].reader;
    const struct arrival *arrival = &reader->arrival;
    if (arrival->hello.carrier == HELLO_RUN ||
        !arrival_knows(arrival, "run", session->options->key)) {
        dismiss(session, place);
        return;
    }
    session->strangers.places[place].reader = NULL;
    session_admit(session, arrival);
    free(reader);
}

static void hear(struct session *session, unsigned place)
{
    switch (arrival_read(session->strangers.places[place].reader)) {
    case ARRIVAL_PARTIAL:
        break;
    case ARRIVAL_WHOLE:
        decide(session, place);
        break;
    default:
        dismiss(session, place);
    }
}

/* A free place, made free if need be. */
static unsigned find_place(struct session *session)
{
    unsigned oldest = 0;
    for (unsigned i = 0; i < STRANGERS_MAX; i++) {
        if (!session->strangers.places[i].reader)
            return i;
        if (session->strangers.places[i].since_ns < session->strangers.places[oldest].since_ns)
            oldest = i;
    }
    dismiss(session, oldest);
    return oldest;
}

void strangers_greet(struct session *session, const struct arrival *arrival)
{
    bool is_welcome = geteuid() == 0 && session->options->key;
    struct arrival_reader *reader = is_welcome ? calloc(1, sizeof *reader) : NULL;
    if (!reader) {
        close(arrival->connection);
        return;
    }
    unsigned place = find_place(session);
    reader->arrival.connection = arrival->connection;
    reader->arrival.peer = arrival->peer;
    session->strangers.places[place].reader = reader;
    session->strangers.places[place].since_ns = clock_now();
    hear(session, place);
}

void strangers_watch(const struct session *session, struct pollfd *watched)
{
    for (unsigned i = 0; i < STRANGERS_MAX; i++) {
        const struct arrival_reader *reader = session->strangers.places[i].reader;
        watched[i] =
            (struct pollfd){.fd = reader ? reader->arrival.connection : -1, .events = POLLIN};
    }
}

void strangers_hear(struct session *session, const struct pollfd *watched)
{
    uint64_t now = clock_now();
    for (unsigned i = 0; i < STRANGERS_MAX; i++) {
        const struct arrival_reader *reader = session->strangers.places[i].reader;
        if (!reader || reader->arrival.connection != watched[i].fd)
            continue;
        if (watched[i].revents)
            hear(session, i);
        else if (now - session->strangers.places[i].since_ns > PATIENCE_NS)
            dismiss(session, i);
    }
}

void strangers_dismiss(struct session *session)
{
    for (unsigned i = 0; i < STRANGERS_MAX; i++)
        dismiss(session, i);
}
