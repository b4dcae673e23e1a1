/*
 * Opening inside another root: openat2() resolves the whole path there, links too, and only names
 * what it finds (O_PATH). What is of the right type is then opened through /proc.
 */
#include "collector/system/root_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collector/base/vector.h"

int root_own(void)
{
    static int own = ROOT_NONE;
    if (own == ROOT_NONE)
        own = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return own;
}

bool root_is_own(int root)
{
    struct stat own, other;
    return root != ROOT_NONE && fstat(root_own(), &own) == 0 && fstat(root, &other) == 0 &&
           own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

static int find_in_root(int root, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    if (*path != '/' || root == ROOT_NONE)
        return -1;
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

/* By descriptor of a root: the user for whom is read there; 0: root, who may read everything. */
static struct vector readers; /* uid_t */

bool root_set_reader(int root, uid_t user)
{
    if (root == ROOT_NONE)
        return true;
    if (!vector_reserve(&readers, (size_t)root + 1, sizeof user))
        return false;
    ((uid_t *)readers.data)[root] = user;
    return true;
}

/* Is the file its user's, or everybody's to read? */
static bool may_read(int root, const struct stat *status)
{
    bool has = root >= 0 && ((size_t)root + 1) * sizeof(uid_t) <= readers.bytes;
    uid_t user = has ? ((uid_t *)readers.data)[root] : 0;
    return !user || geteuid() != 0 || status->st_uid == user || status->st_mode & S_IROTH;
}

/* Opens what was found, when it is of that type: S_IFREG or S_IFDIR. */
static int open_found(int root, int found, mode_t type, struct stat *status)
{
    char name[32];
    int file = -1;
    if (found < 0)
        return -1;
    snprintf(name, sizeof name, "/proc/self/fd/%d", found);
    if (fstat(found, status) == 0 && (status->st_mode & S_IFMT) == type && may_read(root, status))
        file = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a lease is not waited for */
    close(found);
    return file;
}

int root_file_open(int root, const char *path, struct stat *status)
{
    return open_found(root, find_in_root(root, path), S_IFREG, status);
}

int root_file_open_link(const char *link, struct stat *status)
{
    return open_found(ROOT_NONE, open(link, O_PATH | O_CLOEXEC), S_IFREG, status);
}

bool root_file_exists(int root, const char *path)
{
    int found = find_in_root(root, path);
    if (found >= 0)
        close(found);
    return found >= 0;
}

static size_t read_all(int file, char *text, size_t size)
{
    size_t have = 0;
    ssize_t got;
    while (have < size && (got = read(file, text + have, size - have)) > 0)
        have += (size_t)got;
    return have;
}

char *root_file_read(int root, const char *path, size_t most, size_t *bytes)
{
    struct stat status;
    int file = root_file_open(root, path, &status);
    if (file < 0)
        return NULL;
    char *text = NULL;
    if (status.st_size >= 0 && (size_t)status.st_size <= most)
        text = malloc((size_t)status.st_size + 1);
    if (text) {
        *bytes = read_all(file, text, (size_t)status.st_size);
        text[*bytes] = 0;
    }
    close(file);
    return text;
}

DIR *root_folder_open(int root, const char *path)
{
    struct stat status;
    int folder = open_found(root, find_in_root(root, path), S_IFDIR, &status);
    DIR *stream = folder < 0 ? NULL : fdopendir(folder);
    if (!stream && folder >= 0)
        close(folder);
    return stream;
}
