/*
 * A full disk may show only when the file is closed.
 */
#include "viewer/cli/output.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "viewer/base/printable.h"
#include "viewer/base/say.h"
#include "viewer/cli/subcommand.h"

static int output_fail(const char *command, const char *path, const char *why)
{
    say(command, "%s: %s", path, why);
    return STATUS_FAILED;
}

static int write_to(const char *command, const char *path, FILE *stream, output_writer *writer,
                    void *context)
{
    if (!writer(context, stream))
        return STATUS_FAILED;
    if (fflush(stream) == 0 && !ferror(stream))
        return STATUS_GOOD;
    return output_fail(command, path, "not written completely; is the disk full?");
}

bool output_is(const char *command, const char *path, const char *recording)
{
    struct stat one, other;
    if (!strcmp(path, "-") || stat(path, &one) != 0 || stat(recording, &other) != 0 ||
        one.st_dev != other.st_dev || one.st_ino != other.st_ino)
        return false;
    output_fail(command, path, "this is the recording itself");
    return true;
}

int output_write(const char *command, const char *path, output_writer *writer, void *context)
{
    if (!strcmp(path, "-")) {
        printable_stdout();
        return write_to(command, path, stdout, writer, context);
    }
    FILE *stream = fopen(path, "we");
    if (!stream)
        return output_fail(command, path, strerror(errno));
    struct stat opened;
    bool is_file = fstat(fileno(stream), &opened) == 0 && S_ISREG(opened.st_mode);
    int status = write_to(command, path, stream, writer, context);
    if (fclose(stream) != 0 && status == STATUS_GOOD)
        status = output_fail(command, path, strerror(errno));
    if (status != STATUS_GOOD && is_file) /* not a device, not a pipe */
        remove(path);
    return status;
}
