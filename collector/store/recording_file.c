/*
 * The lock is one byte far behind what SQLite locks and what a file can hold. It belongs to the
 * open file: SQLite's way to give up its own locks would take one of the process's along, and the
 * kernel drops it however the process ends, whose children close what they do not need. Who
 * replaces a file takes the lock first, and who has made one looks, once it has the lock, whether
 * the name is still its own: of two that begin at once one fails.
 *
 * A recording whose file has been deleted goes on in the files beside it, which every connection of
 * SQLite holds a lock on (of a byte in the index, the -shm): nothing is made under that name then.
 * Where nobody holds one they are left of a writer that died, and are removed.
 */
#include "collector/store/recording_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SHOWN_MAX 160u
#define LOCKED_BYTE    (INT64_MAX - 1)

enum claim {
    CLAIM_DONE,
    CLAIM_NO_FILE, /* or none that could be a recording */
    CLAIM_TAKEN,   /* somebody writes it */
};

static const char *const beside[] = {"-wal", "-shm", "-journal"};
#define BESIDE_COUNT (sizeof beside / sizeof *beside)

const char *recording_path_end(const char *path)
{
    size_t length = strlen(path);
    return length > PATH_SHOWN_MAX ? path + length - PATH_SHOWN_MAX : path;
}

struct creation {
    const char *path;
    char *trouble;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static bool file_fail(const struct creation *creation,
                                                            const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(creation->trouble, creation->size, format, arguments);
    va_end(arguments);
    return false;
}

static bool fail_as_taken(const struct creation *creation)
{
    return file_fail(creation,
                     "%s is being written by another run; choose another name with -o, or wait "
                     "for that run's end",
                     recording_path_end(creation->path));
}

static bool path_beside(char name[PATH_MAX], const char *path, const char *suffix)
{
    return snprintf(name, PATH_MAX, "%s%s", path, suffix) < PATH_MAX;
}

/* Takes the lock for as long as the descriptor is open. Where the file system knows no locks nobody
 * can write a recording. */
static bool lock_file(int descriptor, short type)
{
    struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = LOCKED_BYTE, .l_len = 1};
    return fcntl(descriptor, F_OFD_SETLK, &range) == 0 || (errno != EACCES && errno != EAGAIN);
}

static bool is_at(int descriptor, const char *path)
{
    struct stat own, there;
    return fstat(descriptor, &own) == 0 && lstat(path, &there) == 0 && own.st_dev == there.st_dev &&
           own.st_ino == there.st_ino;
}

/* The file that is there now. One that may only be read is locked together with others. */
static enum claim claim_existing(const char *path, int *descriptor)
{
    const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    short type = F_WRLCK;
    *descriptor = open(path, O_RDWR | flags);
    if (*descriptor < 0 && (errno == EACCES || errno == EROFS)) {
        type = F_RDLCK;
        *descriptor = open(path, O_RDONLY | flags);
    }
    if (*descriptor < 0)
        return CLAIM_NO_FILE;
    return lock_file(*descriptor, type) ? CLAIM_DONE : CLAIM_TAKEN;
}

/* Has a connection of SQLite the files open that stand beside this name? */
static bool is_used_beside(const char *path)
{
    char name[PATH_MAX];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (!path_beside(name, path, "-shm"))
        return false;
    int descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool is_used =
        descriptor >= 0 && fcntl(descriptor, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    if (descriptor >= 0)
        close(descriptor);
    return is_used;
}

static void remove_beside(const char *path)
{
    char name[PATH_MAX];
    for (size_t i = 0; i < BESIDE_COUNT; i++)
        if (path_beside(name, path, beside[i]))
            unlink(name);
}

/* Makes room for a new file of this name. */
static bool clear_way(const struct creation *creation, bool force)
{
    int existing = -1;
    enum claim claim = force ? claim_existing(creation->path, &existing) : CLAIM_NO_FILE;
    bool is_clear = true;
    if (claim == CLAIM_TAKEN || (claim == CLAIM_DONE && !is_at(existing, creation->path)))
        is_clear = fail_as_taken(creation);
    else if (is_used_beside(creation->path) && (force || access(creation->path, F_OK) != 0))
        is_clear =
            file_fail(creation,
                      "a recording that was called %s is still written or read; choose another "
                      "name with -o, or wait for its end",
                      recording_path_end(creation->path));
    else if (force && unlink(creation->path) != 0 && errno != ENOENT)
        is_clear = file_fail(creation, "cannot replace %s: %s", recording_path_end(creation->path),
                             strerror(errno));
    if (existing >= 0)
        close(existing);
    return is_clear;
}

bool recording_file_create(struct recording_file *file, const char *path, bool force, char *trouble,
                           size_t size)
{
    const struct creation creation = {path, trouble, size};
    *file = (struct recording_file){.descriptor = -1};
    if (!clear_way(&creation, force))
        return false;
    file->descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->descriptor < 0 && errno == EEXIST)
        return file_fail(&creation, "%s exists; choose another name with -o or replace it with -f",
                         recording_path_end(path));
    if (file->descriptor < 0)
        return file_fail(&creation, "cannot create %s: %s", recording_path_end(path),
                         strerror(errno));
    if (lock_file(file->descriptor, F_WRLCK) && is_at(file->descriptor, path)) {
        remove_beside(path);
        return true;
    }
    recording_file_close(file);
    return fail_as_taken(&creation);
}

static bool find_wal(const char *path, struct stat *wal)
{
    char name[PATH_MAX];
    return path_beside(name, path, "-wal") && lstat(name, wal) == 0;
}

void recording_file_note_wal(struct recording_file *file, const char *path)
{
    struct stat wal;
    if (!find_wal(path, &wal))
        return;
    file->device = wal.st_dev;
    file->wal = wal.st_ino;
}

bool recording_file_is_in_place(const struct recording_file *file, const char *path)
{
    return is_at(file->descriptor, path);
}

bool recording_file_owns_wal(const struct recording_file *file, const char *path)
{
    struct stat wal;
    return find_wal(path, &wal) ? wal.st_dev == file->device && wal.st_ino == file->wal
                                : recording_file_is_in_place(file, path);
}

void recording_file_describe_move(const struct recording_file *file, char *text, size_t size)
{
    struct stat status;
    char link[64], now[PATH_MAX];
    if (fstat(file->descriptor, &status) != 0 || status.st_nlink == 0) {
        snprintf(text, size, "it was deleted while it was written, and is lost");
        return;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", file->descriptor);
    ssize_t length = readlink(link, now, sizeof now - 1);
    now[length > 0 ? length : 0] = 0;
    struct stat there;
    bool is_known = length > 0 && lstat(now, &there) == 0 && there.st_ino == status.st_ino;
    snprintf(text, size, "it was renamed while it was written%s%s", is_known ? ", and is now " : "",
             is_known ? recording_path_end(now) : "");
}

void recording_file_close(struct recording_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    file->descriptor = -1;
}
