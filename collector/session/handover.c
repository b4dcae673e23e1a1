/*
 * One packet, one message; an arrival's descriptor goes beside it. Only as much of the details is
 * sent as there is.
 */
#include "collector/session/handover.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union descriptor_space {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

bool handover_send(int channel, enum handover_kind kind, const char *text)
{
    struct handover handover = {.kind = kind};
    snprintf(handover.text, sizeof handover.text, "%s", text ? text : "");
    size_t size = offsetof(struct handover, arrival);
    return TEMP_FAILURE_RETRY(send(channel, &handover, size, MSG_NOSIGNAL | MSG_DONTWAIT)) ==
           (ssize_t)size;
}

bool handover_send_arrival(int channel, enum handover_kind kind, const struct arrival *arrival)
{
    union descriptor_space control = {.header = {.cmsg_len = CMSG_LEN(sizeof arrival->connection),
                                                 .cmsg_level = SOL_SOCKET,
                                                 .cmsg_type = SCM_RIGHTS}};
    struct handover head = {.kind = kind};
    struct iovec parts[] = {
        {.iov_base = &head, .iov_len = offsetof(struct handover, arrival)},
        {.iov_base = (void *)(uintptr_t)arrival,
         .iov_len = offsetof(struct arrival, details) + arrival->hello.details + 1}};
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = 2,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    memcpy(CMSG_DATA(&control.header), &arrival->connection, sizeof arrival->connection);
    return TEMP_FAILURE_RETRY(sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0;
}

enum handover_kind handover_receive(int channel, struct handover *handover)
{
    union descriptor_space control;
    struct iovec part = {.iov_base = handover, .iov_len = sizeof *handover};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t got = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return HANDOVER_NOTHING;
    if (got < (ssize_t)offsetof(struct handover, arrival))
        return HANDOVER_END;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    handover->arrival.connection = -1;
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(&handover->arrival.connection, CMSG_DATA(header), sizeof(int));
    return (enum handover_kind)handover->kind;
}
