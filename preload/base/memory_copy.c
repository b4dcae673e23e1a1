/*
 * A text's end is not known beforehand, and what lies behind it need not be there: it is copied
 * page by page.
 */
#include "preload/base/memory_copy.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload/base/shim.h"

bool memory_copy(void *to, uintptr_t from, size_t bytes)
{
    const struct iovec local = {.iov_base = to, .iov_len = bytes};
    const struct iovec remote = {.iov_base = (void *)from, .iov_len = bytes};
    if (shim_is_sealed())
        return false;
    int saved = errno;
    long copied = syscall(SYS_process_vm_readv, getpid(), &local, 1L, &remote, 1L, 0L);
    errno = saved;
    return copied == (long)bytes;
}

size_t memory_copy_text(char *to, uintptr_t from, size_t size)
{
    size_t length = 0;
    while (length < size) {
        size_t part = SHIM_PAGE_BYTES - (from + length) % SHIM_PAGE_BYTES;
        part = part < size - length ? part : size - length;
        if (!memory_copy(to + length, from + length, part))
            return 0;
        size_t more = strnlen(to + length, part);
        length += more;
        if (more < part)
            break;
    }
    return length;
}
