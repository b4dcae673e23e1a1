/*
 * One file is looked at after the other, as each names the next: a script its interpreter, a file
 * that is neither a script nor ELF the shell, which execvp() would try. At most as many as the
 * kernel follows.
 */
#include "loadable.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HEAD_BYTES  256 /* what the kernel reads of a file, an interpreter's name included */
#define FILES_MAX   6
#define HEADERS_MAX 64
#define LOADER_HEAD 16384
#define SHELL       "/bin/sh"
#define USUAL_PATH  "/bin:/usr/bin"

/* Our own, for which machine it is. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

enum verdict { VERDICT_NO, VERDICT_YES, VERDICT_NEXT };

/* open() and pread() would be points of cancellation. */
static int open_file(int folder, const char *path)
{
    return (int)syscall(SYS_openat, folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static size_t read_at(int file, void *bytes, size_t size, uint64_t offset)
{
    long got = syscall(SYS_pread64, file, bytes, size, (off_t)offset);
    return got > 0 ? (size_t)got : 0;
}

/* --- loaders --- */

static bool begins_with(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Known by name, for a symbolic link tells no less: ld-linux-x86-64.so.2, ld-2.31.so, that of the
 * Linux Standard Base, and of other machines. */
static bool is_glibc_loader(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return begins_with(name, "ld-linux") || begins_with(name, "ld-2.") ||
           begins_with(name, "ld-lsb") || begins_with(name, "ld64.so") ||
           begins_with(name, "ld.so");
}

/* A loader that is executed as a program has none itself. */
static bool is_other_loader(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return begins_with(name, "ld-") && !is_glibc_loader(path);
}

/* A name that only loaders have in them which know _dl_find_object(): the versions of their symbols
 * stand near their beginning. */
#define LOADER_VERSION "GLIBC_2.35"

static bool is_new_enough(int file)
{
    char bytes[1024];
    const size_t overlap = sizeof LOADER_VERSION - 1;
    for (uint64_t offset = 0; offset < LOADER_HEAD; offset += sizeof bytes - overlap) {
        size_t size = read_at(file, bytes, sizeof bytes, offset);
        if (memmem(bytes, size, LOADER_VERSION, overlap))
            return true;
    }
    return false;
}

/* Can this loader take the shim? */
static bool takes_shim(const char *path)
{
    if (!is_glibc_loader(path))
        return false;
    int file = open_file(AT_FDCWD, path);
    bool takes = file < 0 || is_new_enough(file);
    if (file >= 0)
        syscall(SYS_close, file);
    return takes;
}

/* --- ELF --- */

static bool changes_user(int file)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return false;
    bool group = (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
    return (status.st_mode & S_ISUID && status.st_uid != getuid()) ||
           (group && status.st_gid != getgid());
}

/* Where the name of the loader stands, without bytes when there is none. */
static ElfW(Phdr) find_interpreter(int file, const ElfW(Ehdr) * header)
{
    ElfW(Phdr) found = {0};
    unsigned count = header->e_phnum < HEADERS_MAX ? header->e_phnum : HEADERS_MAX;
    for (unsigned i = 0; i < count && header->e_phentsize == sizeof found; i++)
        if (read_at(file, &found, sizeof found, header->e_phoff + i * sizeof found) !=
                sizeof found ||
            found.p_type == PT_INTERP)
            return found;
    return (ElfW(Phdr)){0};
}

static enum verdict look_at_elf(int file, const char *path, const ElfW(Ehdr) * header)
{
    char name[HEAD_BYTES];
    if (header->e_ident[EI_CLASS] != __ehdr_start.e_ident[EI_CLASS] ||
        header->e_ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA] ||
        header->e_machine != __ehdr_start.e_machine || changes_user(file))
        return VERDICT_NO;
    ElfW(Phdr) interpreter = find_interpreter(file, header);
    if (interpreter.p_type != PT_INTERP)
        return is_other_loader(path) ? VERDICT_NO : VERDICT_YES;
    size_t size = interpreter.p_filesz < sizeof name ? interpreter.p_filesz : sizeof name - 1;
    name[read_at(file, name, size, interpreter.p_offset)] = 0;
    return !*name || takes_shim(name) ? VERDICT_YES : VERDICT_NO;
}

/* --- one file after the other --- */

/* Takes the interpreter's name out of a head that begins with "#!". */
static void read_script(char *head)
{
    char *name = head + strlen("#!");
    name += strspn(name, " \t");
    size_t length = strcspn(name, " \t\n");
    memmove(head, name, length);
    head[length] = 0;
}

/* Whose path is `path`; VERDICT_NEXT leaves that of the next one in `head`. */
static enum verdict look_at(int file, const char *path, char head[HEAD_BYTES])
{
    ElfW(Ehdr) header;
    char bytes[HEAD_BYTES];
    size_t size = read_at(file, bytes, sizeof bytes - 1, 0);
    bytes[size] = 0;
    if (size == 0)
        return VERDICT_YES;
    if (size >= sizeof header && memcmp(bytes, ELFMAG, SELFMAG) == 0) {
        memcpy(&header, bytes, sizeof header);
        return look_at_elf(file, path, &header);
    }
    if (memcmp(bytes, ELFMAG, SELFMAG) == 0)
        return VERDICT_NO;
    memcpy(head, bytes, sizeof bytes);
    if (begins_with(head, "#!"))
        read_script(head);
    else
        strcpy(head, SHELL);
    return VERDICT_NEXT;
}

/* Closes the file. */
static bool follow_script(int file, const char *path)
{
    char head[HEAD_BYTES];
    enum verdict verdict = VERDICT_YES;
    for (int files = 0; file >= 0 && files < FILES_MAX; files++) {
        verdict = look_at(file, path, head);
        syscall(SYS_close, file);
        if (verdict != VERDICT_NEXT)
            return verdict == VERDICT_YES;
        path = head;
        file = open_file(AT_FDCWD, head);
    }
    if (file >= 0)
        syscall(SYS_close, file);
    return true;
}

bool loadable_at(int folder, const char *path)
{
    char head[HEAD_BYTES];
    int saved = errno;
    enum verdict verdict = VERDICT_NEXT;
    if (!*path)
        verdict = look_at(folder, path, head);
    bool loadable = verdict == VERDICT_YES;
    if (verdict == VERDICT_NEXT)
        loadable = *path ? follow_script(open_file(folder, path), path)
                         : follow_script(open_file(AT_FDCWD, head), head);
    errno = saved;
    return loadable;
}

/* --- along PATH --- */

/* Writes folder and file into the path; the folder ends at a colon. False: too long. */
static bool join_path(char path[PATH_MAX], const char *folder, const char *file)
{
    size_t length = strcspn(folder, ":"), rest = strlen(file) + 1;
    if (length + 1 + rest > PATH_MAX)
        return false;
    memcpy(path, folder, length);
    if (length)
        path[length++] = '/';
    memcpy(path + length, file, rest);
    return true;
}

/* Opens the first that may be executed, as execvp() takes it; -1 without one that can be read. */
static int search_path(const char *file, char path[PATH_MAX])
{
    const char *folder = getenv("PATH");
    for (folder = folder ? folder : USUAL_PATH;; folder++) {
        if (join_path(path, folder, file) && syscall(SYS_faccessat, AT_FDCWD, path, X_OK) == 0) {
            struct stat status;
            int found = open_file(AT_FDCWD, path);
            if (found < 0 || (fstat(found, &status) == 0 && S_ISREG(status.st_mode)))
                return found;
            syscall(SYS_close, found);
        }
        folder += strcspn(folder, ":");
        if (!*folder)
            return -1;
    }
}

bool loadable_command(const char *file)
{
    char path[PATH_MAX];
    if (!*file || strchr(file, '/'))
        return !*file || loadable_at(AT_FDCWD, file);
    int saved = errno;
    bool loadable = follow_script(search_path(file, path), path);
    errno = saved;
    return loadable;
}
