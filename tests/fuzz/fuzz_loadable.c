/*
 * What the shim makes of a file that is to be executed, whatever stands in it: a script of any
 * interpreter, an ELF file of any loader. It must come to an end, keep errno, and leave nothing
 * open.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"
#include "loadable.h"

/* The lowest descriptor that is free. */
static int free_descriptor(void)
{
    int lowest = dup(STDERR_FILENO);
    if (lowest < 0)
        abort();
    close(lowest);
    return lowest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    int file = memfd_create("program", MFD_CLOEXEC), lowest = free_descriptor();
    if (file < 0 || write(file, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    errno = ENOTTY;
    bool by_path = loadable_at(STDIN_FILENO, path);
    if (loadable_at(file, "") != by_path || errno != ENOTTY || free_descriptor() != lowest)
        abort();
    close(file);
    return 0;
}
