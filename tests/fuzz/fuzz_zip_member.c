/*
 * The reader of ZIP archives against any bytes. What it gives is a text of no more bytes than were
 * asked for, whatever the archive says. The first byte chooses how many.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector/system/zip_member.h"
#include "driver.h"
#include "failing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t bytes = 0, most = (size_t)data[0] << (data[0] & 15);
    int file = memfd_create("archive", MFD_CLOEXEC);
    if (file < 0 || write(file, data + 1, size - 1) != (ssize_t)size - 1)
        abort();
    failing_begin(data, size);
    char *text = zip_member_read(file, "a/b.py", most, &bytes);
    failing_end();
    if (text && (bytes > most || text[bytes] != 0))
        abort();
    free(text);
    close(file);
    return 0;
}
