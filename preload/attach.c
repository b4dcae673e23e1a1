/*
 * Attaching: one connection, one message each way, one descriptor received and mapped. All waits
 * are bounded.
 */
#include "attach.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "complaint.h"
#include "handshake.h"
#include "ring_writer.h"
#include "wire.h"

/* A forked child waits no longer than a writer would that finds no room. */
#define HANDSHAKE_NS UINT64_C(10000000000)
static uint64_t handshake_ns = HANDSHAKE_NS;

static bool make_address(const char *text, struct sockaddr_un *address, socklen_t *length)
{
    size_t size = strlen(text);
    if (size == 0 || size > ATTACH_ADDRESS_MAX)
        return false;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, text, size);
    bool abstract = text[0] == '@';
    if (abstract)
        address->sun_path[0] = 0;
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + !abstract);
    return true;
}

static int connect_to(const char *text)
{
    struct sockaddr_un address;
    socklen_t length;
    if (!make_address(text, &address, &length))
        return -1;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    struct timeval limit = {.tv_sec = (time_t)(handshake_ns / 1000000000),
                            .tv_usec = (suseconds_t)(handshake_ns % 1000000000 / 1000)};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(descriptor, (struct sockaddr *)&address, length) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

/* Receives the welcome and the ring's descriptor, -1 without one. */
static bool receive_welcome(int connection, struct welcome *welcome, int *ring)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = welcome, .iov_len = sizeof *welcome};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    *ring = -1;
    ssize_t got = recvmsg(connection, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    if (got < 0)
        return false;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(ring, CMSG_DATA(header), sizeof *ring);
    return got == (ssize_t)sizeof *welcome && welcome->magic == HANDSHAKE_MAGIC;
}

static bool map_ring(int descriptor)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0 || status.st_size < (off_t)RING_CONTROL_BYTES)
        return false;
    size_t bytes = (size_t)status.st_size;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED)
        return false;
    /* A forked child gets a ring of its own. */
    madvise(memory, bytes, MADV_DONTFORK);
    if (ring_writer_init(memory, bytes)) {
        uint64_t patience = ring_writer.control->patience_ns;
        handshake_ns = patience && patience < HANDSHAKE_NS ? patience : HANDSHAKE_NS;
        return true;
    }
    munmap(memory, bytes);
    return false;
}

/* Null: attached. Empty: declined. Else what went wrong. */
static const char *shake_hands(int connection, const struct hello *hello)
{
    struct welcome welcome;
    int ring;
    if (send(connection, hello, sizeof *hello, MSG_NOSIGNAL) != (ssize_t)sizeof *hello ||
        !receive_welcome(connection, &welcome, &ring))
        return "the collector does not answer; this process runs untraced";
    if (!welcome.accepted)
        return "";
    bool mapped = welcome.wire_version == WIRE_VERSION && ring >= 0 && map_ring(ring);
    if (ring >= 0)
        close(ring);
    return mapped ? NULL : "cannot share memory with the collector; this process runs untraced";
}

bool attach(const char *address, uint32_t python_version, pid_t parent, uint32_t fork_token)
{
    const struct hello hello = {.magic = HANDSHAKE_MAGIC,
                                .wire_version = WIRE_VERSION,
                                .python_version = python_version,
                                .fork_token = fork_token,
                                .parent = (uint32_t)parent};
    int connection = connect_to(address);
    if (connection < 0) {
        complain("cannot reach the collector; this process runs untraced");
        return false;
    }
    const char *trouble = shake_hands(connection, &hello);
    close(connection);
    if (trouble && *trouble)
        complain(trouble);
    return !trouble;
}
