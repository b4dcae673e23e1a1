/*
 * Calls of the kernel that go wrong: preloaded into heaplined, or into a program behind the shim.
 * What goes wrong is said in the variable FAULTS:
 *
 *   short   stream sockets take and give a few bytes at a time
 *   eintr   every third call of a socket is interrupted, without having done anything
 *   ring    there is no memory for what is as large as a ring: a power of two and 1 to 3 pages
 *   seal    memory cannot be sealed against writing in the future
 *   clock   CLOCK_MONOTONIC jumps by an hour, there and back, with every 50th look
 *   late    once there is the file FAULTS_FILE, who has given a ring away makes FAULTS_FILE.waits
 * and does nothing more until something comes; who has given the next one away goes on when there
 * is FAULTS_FILE.done
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PIECE    97u
#define PAGE     4096u
#define RING_MIN 32768u
#define JUMP     3600
#define LOOKS    50u
#define PARTS    8

enum fault { NONE, SHORT, EINTR_OFTEN, RING, SEAL, CLOCK, LATE };

static enum fault fault_of(const char *text)
{
    static const char *const names[] = {"", "short", "eintr", "ring", "seal", "clock", "late"};
    for (int i = 1; text && i <= LATE; i++)
        if (strcmp(text, names[i]) == 0)
            return (enum fault)i;
    return NONE;
}

static enum fault chosen;
static char file[200], file_waits[sizeof file + 8], file_done[sizeof file + 8];

/* Programs that these programs start are to be sound. */
__attribute__((constructor)) static void choose(void)
{
    chosen = fault_of(getenv("FAULTS"));
    unsetenv("FAULTS");
    if (chosen == LATE) {
        snprintf(file, sizeof file, "%s", getenv("FAULTS_FILE"));
        snprintf(file_waits, sizeof file_waits, "%s.waits", file);
        snprintf(file_done, sizeof file_done, "%s.done", file);
    }
}

static bool is_stream(int descriptor)
{
    int type = 0;
    socklen_t size = sizeof type;
    return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

static bool is_interrupted(void)
{
    static _Atomic unsigned calls;
    if (chosen != EINTR_OFTEN || atomic_fetch_add(&calls, 1) % 3)
        return false;
    errno = EINTR;
    return true;
}

static size_t shorter(int descriptor, size_t size)
{
    return chosen == SHORT && size > PIECE && is_stream(descriptor) ? PIECE : size;
}

/* The message with no more than PIECE bytes. */
static struct msghdr cut(int descriptor, const struct msghdr *message, struct iovec parts[PARTS])
{
    struct msghdr less = *message;
    size_t room = PIECE;
    if (chosen != SHORT || message->msg_iovlen > PARTS || !is_stream(descriptor))
        return less;
    less.msg_iov = parts;
    for (less.msg_iovlen = 0; less.msg_iovlen < message->msg_iovlen && room; less.msg_iovlen++) {
        struct iovec *part = &parts[less.msg_iovlen];
        *part = message->msg_iov[less.msg_iovlen];
        part->iov_len = part->iov_len < room ? part->iov_len : room;
        room -= part->iov_len;
    }
    return less;
}

ssize_t send(int descriptor, const void *bytes, size_t size, int flags)
{
    if (is_interrupted())
        return -1;
    size = shorter(descriptor, size);
    return syscall(SYS_sendto, descriptor, bytes, size, flags, NULL, 0);
}

ssize_t recv(int descriptor, void *bytes, size_t size, int flags)
{
    if (is_interrupted())
        return -1;
    size = shorter(descriptor, size);
    return syscall(SYS_recvfrom, descriptor, bytes, size, flags, NULL, NULL);
}

#define RING_PARTS 2

static unsigned rings; /* that have been given away */

static void count_ring(const struct msghdr *message)
{
    const struct cmsghdr *control = message->msg_controllen ? CMSG_FIRSTHDR(message) : NULL;
    if (!control || control->cmsg_len != CMSG_LEN(RING_PARTS * sizeof(int)))
        return;
    rings++;
    while (rings == 2 && access(file_done, F_OK) != 0)
        syscall(SYS_poll, NULL, 0, 1);
}

int ppoll(struct pollfd *watched, nfds_t count, const struct timespec *timeout,
          const sigset_t *signals)
{
    if (chosen == LATE && rings == 1 && access(file, F_OK) == 0) {
        close(creat(file_waits, 0600));
        timeout = NULL;
    }
    struct timespec own = timeout ? *timeout : (struct timespec){0};
    return (int)syscall(SYS_ppoll, watched, count, timeout ? &own : NULL, signals, _NSIG / 8);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    struct iovec parts[PARTS];
    if (is_interrupted())
        return -1;
    struct msghdr less = cut(descriptor, message, parts);
    ssize_t sent = syscall(SYS_sendmsg, descriptor, &less, flags);
    if (chosen == LATE)
        count_ring(message);
    return sent;
}

ssize_t recvmsg(int descriptor, struct msghdr *message, int flags)
{
    if (is_interrupted())
        return -1;
    return syscall(SYS_recvmsg, descriptor, message, flags);
}

int connect(int descriptor, const struct sockaddr *address, socklen_t length)
{
    return is_interrupted() ? -1 : (int)syscall(SYS_connect, descriptor, address, length);
}

static bool is_ring(size_t length)
{
    for (size_t pages = PAGE; pages <= 3 * PAGE; pages += PAGE) {
        size_t words = length - pages;
        if (length >= pages + RING_MIN && (words & (words - 1)) == 0)
            return true;
    }
    return false;
}

void *mmap(void *at, size_t length, int protection, int flags, int descriptor, off_t offset)
{
    if (chosen == RING && is_ring(length)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, length, protection, flags, descriptor, offset);
}

/* The name where offsets have 64 bits by request. */
void *mmap64(void *at, size_t length, int protection, int flags, int descriptor, off_t offset)
{
    return mmap(at, length, protection, flags, descriptor, offset);
}

static int control(int descriptor, int command, long argument)
{
    if (chosen == SEAL && command == F_ADD_SEALS && argument & F_SEAL_FUTURE_WRITE) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_fcntl, descriptor, command, argument);
}

int fcntl(int descriptor, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    return control(descriptor, command, argument);
}

int fcntl64(int descriptor, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    return control(descriptor, command, argument);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static _Atomic unsigned looks;
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    bool monotonic = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE;
    if (chosen == CLOCK && monotonic && atomic_fetch_add(&looks, 1) / LOOKS % 2)
        now->tv_sec += JUMP;
    return result;
}
