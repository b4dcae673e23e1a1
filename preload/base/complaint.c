/*
 * Complaints: one write(2) of one line, only to the descriptor that was stderr at start.
 */
#include "preload/base/complaint.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload/base/shim.h"

static struct stat stderr_then;
static bool stderr_known;

void complaint_init(void)
{
    int saved = errno;
    stderr_known = fstat(STDERR_FILENO, &stderr_then) == 0;
    errno = saved;
}

static bool stderr_is_same(void)
{
    struct stat now;
    return stderr_known && fstat(STDERR_FILENO, &now) == 0 && now.st_dev == stderr_then.st_dev &&
           now.st_ino == stderr_then.st_ino;
}

void complain(const char *reason)
{
    int saved = errno, cancellation;
    if (shim_is_sealed())
        return;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation); /* writev() is a point of it */
    if (stderr_is_same()) {
        struct iovec parts[] = {{.iov_base = (void *)"heapline: ", .iov_len = 10},
                                {.iov_base = (void *)reason, .iov_len = strlen(reason)},
                                {.iov_base = (void *)"\n", .iov_len = 1}};
        ssize_t written = writev(STDERR_FILENO, parts, 3);
        (void)written; /* nobody is left to tell */
    }
    pthread_setcancelstate(cancellation, NULL);
    errno = saved;
}
