/*
 * A message is a packet of a private collector's socket, or so many bytes of a daemon's connection;
 * one that has not come as a whole is none.
 */
#include "viewer/run/control_channel.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "handshake.h"

bool control_send(int control, enum control_kind kind, int value, const char *text)
{
    struct control_message message = {.kind = kind, .value = value};
    snprintf(message.text, sizeof message.text, "%s", text);
    return send(control, &message, sizeof message, MSG_NOSIGNAL) == (ssize_t)sizeof message;
}

/* A daemon of another version answers as it would a process. */
static bool is_welcome(const struct control_message *message, ssize_t size)
{
    struct welcome welcome;
    memcpy(&welcome, message, sizeof welcome);
    return size == (ssize_t)sizeof welcome && welcome.magic == HANDSHAKE_MAGIC;
}

enum reception control_receive(int control, int timeout_ms, struct control_message *message)
{
    struct pollfd watched = {.fd = control, .events = POLLIN};
    if (poll(&watched, 1, timeout_ms) <= 0)
        return RECEIVED_NOTHING;
    ssize_t got = recv(control, message, sizeof *message, MSG_WAITALL);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return RECEIVED_NOTHING;
    if (is_welcome(message, got))
        *message = (struct control_message){.kind = CONTROL_FAILED,
                                            .text = "the daemon is of another version of heapline"};
    else if (got != (ssize_t)sizeof *message)
        return RECEIVED_END;
    message->text[CONTROL_TEXT_MAX - 1] = '\0';
    return RECEIVED;
}
