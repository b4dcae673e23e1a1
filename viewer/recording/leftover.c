/*
 * A recording's WAL after the collector's end.
 *
 * A collector that was killed, or at whose end another program read the recording, leaves the WAL
 * beside the file; who then copies the file alone has a recording that lacks its last part. So it
 * is folded in by whoever opens the recording next. SQLite does that when the journal's mode is
 * changed, and refuses at once where another connection exists: a collector's, another reader's.
 *
 * It writes where the WAL's name leads to, so nothing is folded that another user could have put
 * there: file, WAL and shared memory must be plain files of this user's, each with one name, in a
 * folder where not everybody can put others in their place, and there must be no journal of a
 * transaction, which may name further files to be removed. SQLite itself follows no link to them.
 *
 * In a folder that cannot be written the WAL cannot even be read, for want of shared memory: then
 * the two are copied into a folder of their own, which is removed as soon as they are open.
 */
#include "viewer/recording/leftover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/recording/sqlite.h"

#define COPY_STEP_BYTES ((size_t)64 << 20)

static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
enum { SUFFIX_NONE, SUFFIX_WAL, SUFFIX_SHM, SUFFIX_JOURNAL, SUFFIXES };

static bool leftover_look(const char *path, int suffix, struct stat *status)
{
    CLEANUP(cleanup_free) char *name = memory_print("%s%s", path, suffixes[suffix]);
    return lstat(name, status) == 0;
}

bool leftover_is_there(const char *path)
{
    CLEANUP(cleanup_free) char *name = memory_print("%s-wal", path);
    struct stat status;
    return stat(name, &status) == 0 && status.st_size > 0;
}

/* Can strangers put nothing else where a file of ours stands? */
static bool is_safe_folder(const char *path)
{
    CLEANUP(cleanup_free) char *folder = memory_copy(path);
    struct stat status;
    *(strrchr(folder, '/') + 1) = 0;
    if (stat(folder, &status) != 0)
        return false;
    bool is_everybodys = status.st_mode & S_IWOTH && !(status.st_mode & S_ISVTX);
    return (status.st_uid == geteuid() || status.st_uid == 0) && !is_everybodys;
}

/* `path`: absolute, without links. */
static bool may_fold(const char *path)
{
    struct stat status[SUFFIXES];
    bool is_there[SUFFIXES];
    for (int i = 0; i < SUFFIXES; i++) {
        is_there[i] = leftover_look(path, i, &status[i]);
        if (is_there[i] && (!S_ISREG(status[i].st_mode) || status[i].st_uid != geteuid() ||
                            status[i].st_nlink != 1))
            return false;
    }
    return is_there[SUFFIX_WAL] && !is_there[SUFFIX_JOURNAL] && is_safe_folder(path);
}

void leftover_fold(const char *path)
{
    CLEANUP(cleanup_free) char *real = realpath(path, NULL);
    sqlite3 *connection = NULL;
    if (!real || !may_fold(real))
        return;
    if (sqlite3_open_v2(real, &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL) ==
        SQLITE_OK)
        sqlite3_exec(connection, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    sqlite3_close(connection);
}

/* --- a copy --- */

static bool copy_file(const char *from, const char *to)
{
    CLEANUP(cleanup_close) int source = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    CLEANUP(cleanup_close)
    int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (source < 0 || target < 0)
        return false;
    ssize_t copied;
    do
        copied = sendfile(target, source, NULL, COPY_STEP_BYTES);
    while (copied > 0 || (copied < 0 && errno == EINTR));
    return copied == 0;
}

bool leftover_make_copy(struct leftover_copy *copy, const char *path)
{
    const char *temporary = getenv("TMPDIR");
    *copy = (struct leftover_copy){NULL, NULL};
    char *folder = memory_print("%s/heapline-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) {
        free(folder);
        return false;
    }
    copy->folder = folder;
    copy->path = memory_print("%s/recording", folder);
    CLEANUP(cleanup_free) char *wal = memory_print("%s-wal", path);
    CLEANUP(cleanup_free) char *wal_copy = memory_print("%s-wal", copy->path);
    return copy_file(path, copy->path) && copy_file(wal, wal_copy);
}

void leftover_remove_copy(struct leftover_copy *copy)
{
    for (int i = 0; copy->folder && i < SUFFIXES; i++) {
        CLEANUP(cleanup_free) char *name = memory_print("%s%s", copy->path, suffixes[i]);
        unlink(name);
    }
    if (copy->folder)
        rmdir(copy->folder);
    free(copy->path);
    free(copy->folder);
    *copy = (struct leftover_copy){NULL, NULL};
}
