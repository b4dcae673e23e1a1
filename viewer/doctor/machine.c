/*
 * What heapline needs of the machine, tried and not guessed.
 *
 * A kernel may lack a call and a seccomp filter may refuse it, or kill whoever asks: so every call
 * is tried in a child process, whose end tells which of them it was.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/version.h"
#include "viewer/doctor/doctor.h"
#include "viewer/run/locate.h"

#define KERNEL_MAJOR_LEAST 5
#define KERNEL_MINOR_LEAST 8
#define PAGE_BYTES         4096

/* Each returns 0 or an errno; it runs in a child and need not tidy up. */
typedef int attempt(void);

/* The ring: memory that the collector makes, seals and maps. */
static int attempt_memory(void)
{
    int descriptor = memfd_create("heapline doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0 || ftruncate(descriptor, PAGE_BYTES) ||
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK) ||
        mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0) == MAP_FAILED)
        return errno;
    return 0;
}

/* The gate: a page that fork wipes. */
static int attempt_wipe(void)
{
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED || madvise(page, PAGE_BYTES, MADV_WIPEONFORK) ? errno : 0;
}

static int attempt_pidfd(void)
{
    return syscall(SYS_pidfd_open, getpid(), 0) < 0 ? errno : 0;
}

/* How the ring comes to the program. */
static int attempt_passing(void)
{
    int ends[2], passed = STDIN_FILENO;
    char byte = 0;
    union {
        char bytes[CMSG_SPACE(sizeof passed)];
        struct cmsghdr aligned;
    } control = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return errno;
    passed = ends[0];
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){CMSG_LEN(sizeof passed), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &passed, sizeof passed);
    if (sendmsg(ends[0], &message, 0) < 0 || recvmsg(ends[1], &message, 0) < 0)
        return errno;
    return CMSG_FIRSTHDR(&message) ? 0 : EPERM;
}

static const struct call {
    const char *subject;
    attempt *try;
    enum finding_kind otherwise;
    const char *advice;
} calls[] = {
    {"shared memory", attempt_memory, FINDING_PROBLEM,
     "allow memfd_create, fcntl and mmap in the seccomp profile of the container or service"},
    {"fork", attempt_wipe, FINDING_PROBLEM,
     "allow madvise in the seccomp profile; sandboxes that imitate Linux may lack MADV_WIPEONFORK"},
    {"pidfd", attempt_pidfd, FINDING_PROBLEM,
     "allow pidfd_open in the seccomp profile; Docker does so from 20.10 on"},
    {"descriptors over sockets", attempt_passing, FINDING_NOTE,
     "record with heapline run --carrier=stream, or over TCP to a daemon"},
};

static void try_call(struct findings *findings, const struct call *call)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(call->try() & 0xff);
    if (child < 0 || waitpid(child, &status, 0) < 0)
        findings_add(findings, call->otherwise, call->subject, call->advice, "not tried: %s",
                     strerror(errno));
    else if (WIFSIGNALED(status))
        findings_add(findings, call->otherwise, call->subject, call->advice,
                     "whoever asks is killed: %s", strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        findings_add(findings, call->otherwise, call->subject, call->advice, "refused: %s",
                     strerror(WEXITSTATUS(status)));
    else
        findings_add(findings, FINDING_OK, call->subject, NULL, "works");
}

static void examine_files(struct findings *findings)
{
    struct locations locations;
    if (!locations_find(&locations)) {
        findings_add(findings, FINDING_PROBLEM, "heapline",
                     "install heapline completely, in a folder without a space or a colon",
                     "its files are not complete or cannot be used, see the message above");
        return;
    }
    findings_add(findings, FINDING_OK, "collector", NULL, "%s", locations.collector);
    findings_add(findings, FINDING_OK, "shim", NULL, "%s", locations.shim);
}

static void examine_kernel(struct findings *findings)
{
    struct utsname system;
    unsigned int major = 0, minor = 0;
    if (uname(&system) || sscanf(system.release, "%u.%u", &major, &minor) != 2) {
        findings_add(findings, FINDING_NOTE, "kernel", NULL, "it does not tell its version");
        return;
    }
    bool is_new =
        major > KERNEL_MAJOR_LEAST || (major == KERNEL_MAJOR_LEAST && minor >= KERNEL_MINOR_LEAST);
    findings_add(findings, is_new ? FINDING_OK : FINDING_PROBLEM, "kernel",
                 is_new ? NULL : "Linux 5.8 or newer is needed", "%s %s on %s", system.sysname,
                 system.release, system.machine);
}

static void examine_proc(struct findings *findings)
{
    if (access("/proc/self/maps", R_OK) == 0)
        findings_add(findings, FINDING_OK, "/proc", NULL, "mounted");
    else
        findings_add(findings, FINDING_PROBLEM, "/proc",
                     "mount it: mount -t proc proc /proc, or --proc /proc of a sandbox",
                     "not there: %s", strerror(errno));
}

/* The value of a line of /proc/self/status; -1 when there is none. */
static long status_number(const char *name)
{
    FILE *stream = fopen("/proc/self/status", "re");
    char *line = NULL;
    size_t size = 0, length = strlen(name);
    long number = -1;
    while (stream && getline(&line, &size, stream) > 0)
        if (!strncmp(line, name, length) && line[length] == ':')
            number = strtol(line + length + 1, NULL, 10);
    free(line);
    if (stream)
        fclose(stream);
    return number;
}

static void examine_seccomp(struct findings *findings)
{
    static const char advice[] = "what it forbids may end a program that is recorded; the trial "
                                 "below tells whether what is usual passes";
    if (status_number("Seccomp") > 0)
        findings_add(findings, FINDING_NOTE, "seccomp", advice,
                     "a filter looks at the system calls here");
    else
        findings_add(findings, FINDING_OK, "seccomp", NULL, "no filter");
}

/* --- what native stacks need beyond that --- */

static bool can_open_mapped_files(void)
{
    DIR *folder = opendir("/proc/self/map_files");
    bool can = false;
    for (struct dirent *entry; folder && !can && (entry = readdir(folder));) {
        int descriptor = openat(dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC);
        can = *entry->d_name != '.' && descriptor >= 0;
        cleanup_close(&descriptor);
    }
    if (folder)
        closedir(folder);
    return can;
}

static void examine_native(struct findings *findings)
{
    if (version_has_library(VERSION_LIBUNWIND))
        findings_add(findings, FINDING_OK, "libunwind", NULL, "found, for heapline run --native");
    else
        findings_add(findings, FINDING_NOTE, "libunwind",
                     "for frames of C, C++ and Rust install libunwind 8 (Debian: libunwind8)",
                     VERSION_LIBUNWIND " is not there: no heapline run --native");
    if (can_open_mapped_files())
        findings_add(findings, FINDING_OK, "map_files", NULL, "can be read");
    else
        findings_add(findings, FINDING_NOTE, "map_files",
                     "only for --native and files that are replaced while a program runs: give "
                     "heaplined CAP_CHECKPOINT_RESTORE",
                     "native functions of files that are gone have no names");
    const char *servers = getenv("DEBUGINFOD_URLS");
    if (!servers || !*servers)
        findings_add(findings, FINDING_OK, "debuginfod", NULL,
                     "not asked, for DEBUGINFOD_URLS names no server");
    else if (version_has_library("libdebuginfod.so.1"))
        findings_add(findings, FINDING_OK, "debuginfod", NULL, "asked: %s", servers);
    else
        findings_add(findings, FINDING_NOTE, "debuginfod", "Debian: install libdebuginfod1",
                     "DEBUGINFOD_URLS is set, but libdebuginfod.so.1 is not there");
}

void doctor_examine_machine(struct findings *findings)
{
    examine_files(findings);
    examine_kernel(findings);
    examine_proc(findings);
    examine_seccomp(findings);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        try_call(findings, &calls[i]);
    examine_native(findings);
}
