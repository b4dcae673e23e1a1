/*
 * Interposed: popen, pclose and fclose.
 *
 * The C library starts popen's shell itself, with the program's environment, which has not the
 * variables; to change that for the time of the call would change it for all threads, and a command
 * put before the caller's would show in the list of processes. So the pipe and the process are made
 * here, in the steps of the C library (libio/iopopen.c), and the stream is one of fdopen()'s. Which
 * process belongs to it stands in a list of ours: pclose() waits for that, and so does fclose(), as
 * it does with the C library's own. The one thing that does not is freopen() on such a stream.
 *
 * A command must not have the streams of earlier calls, or their readers would never see their
 * ends. So the list does not change while a process is being started, and a stream that leaves it
 * closes on exec from before that on.
 *
 * The list is written in single steps: who is forked meanwhile finds it whole (process_lock.h).
 */
#include "preload/process/popen_hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "preload/base/memory.h"
#include "preload/base/process_lock.h"
#include "preload/base/real_functions.h"
#include "preload/base/shim.h"
#include "preload/process/shell.h"
#include "preload/process/wait_hooks.h"

struct stream {
    FILE *file;
    int descriptor;
    pid_t pid;
    struct stream *next;
};

static struct process_lock lock;
static struct stream *_Atomic streams; /* open; written under the lock */
static struct stream *spare;           /* under the lock */

/* --- the list, under the lock --- */

static struct stream *take_spare(void)
{
    struct stream *stream = spare;
    if (!stream)
        return memory_carve(sizeof *stream);
    spare = stream->next;
    return stream;
}

static void give_back(struct stream *stream)
{
    stream->next = spare;
    spare = stream;
}

/* Takes the stream of a file out; null when it has none. */
static struct stream *take_out(const FILE *file)
{
    struct stream *stream = streams, *before = NULL;
    for (; stream && stream->file != file; stream = stream->next)
        before = stream;
    if (stream && before)
        before->next = stream->next;
    else if (stream)
        streams = stream->next;
    return stream;
}

/* --- opening --- */

struct opening {
    bool reads, writes, closes_on_exec;
    int own, child; /* ends of the pipe */
    FILE *file;
};

static bool read_mode(const char *mode, struct opening *opening)
{
    for (; *mode; mode++)
        if (*mode == 'r')
            opening->reads = true;
        else if (*mode == 'w')
            opening->writes = true;
        else if (*mode == 'e')
            opening->closes_on_exec = true;
        else
            return false;
    return opening->reads != opening->writes;
}

/* Makes the pipe and the stream, both closing on exec. */
static bool make_stream(struct opening *opening)
{
    int ends[2], standard = opening->reads ? STDOUT_FILENO : STDIN_FILENO;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    opening->own = ends[opening->reads ? 0 : 1];
    opening->child = ends[opening->reads ? 1 : 0];
    /* One that lies already where the child wants it would close when it executes the shell. */
    if (opening->child == standard) {
        opening->child = fcntl(standard, F_DUPFD_CLOEXEC, 0);
        close(standard);
    }
    if (opening->child >= 0)
        opening->file = fdopen(opening->own, opening->reads ? "r" : "w");
    if (opening->file) {
        fwide(opening->file, -1); /* bytes, as popen's are */
        return true;
    }
    int saved = errno;
    close(opening->own);
    if (opening->child >= 0)
        close(opening->child);
    errno = saved;
    return false;
}

/* Starts the shell, with `mask` as its mask, without the streams of earlier calls. Under the lock.
 * Returns 0 or what went wrong. */
static int start_shell(const struct opening *opening, const char *command, const sigset_t *mask,
                       pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int standard = opening->reads ? STDOUT_FILENO : STDIN_FILENO;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, mask);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int problem = posix_spawn_file_actions_adddup2(&actions, opening->child, standard);
    for (struct stream *stream = streams; stream && !problem; stream = stream->next)
        if (stream->descriptor != standard)
            problem = posix_spawn_file_actions_addclose(&actions, stream->descriptor);
    if (!problem)
        problem = shell_spawn(pid, command, &actions, &attributes);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return problem;
}

/* Returns 0 or what went wrong. */
static int start_and_remember(const struct opening *opening, const char *command)
{
    sigset_t mask;
    process_lock_take(&lock, &mask);
    struct stream *stream = take_out(opening->file); /* of one closed behind our back */
    if (!stream)
        stream = take_spare();
    int problem = stream ? start_shell(opening, command, &mask, &stream->pid) : ENOMEM;
    if (!problem) {
        if (!opening->closes_on_exec)
            fcntl(opening->own, F_SETFD, 0);
        stream->file = opening->file;
        stream->descriptor = opening->own;
        stream->next = streams;
        streams = stream;
    } else if (stream) {
        give_back(stream);
    }
    process_lock_release(&lock, &mask);
    return problem;
}

static FILE *open_stream(const char *command, const char *mode)
{
    struct opening opening = {0};
    if (!read_mode(mode, &opening)) {
        errno = EINVAL;
        return NULL;
    }
    if (!make_stream(&opening))
        return NULL;
    int problem = start_and_remember(&opening, command);
    close(opening.child);
    if (!problem)
        return opening.file;
    REAL(fclose)(opening.file);
    errno = shell_library_is(38) ? problem : ENOMEM;
    return NULL;
}

FILE *popen_hook(const char *command, const char *mode)
{
    int cancellation;
    /* No variables are handed on then, and the program may have forbidden what the lock needs. */
    if (shim_is_sealed())
        return REAL(popen)(command, mode);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation); /* it is no point of it */
    FILE *file = open_stream(command, mode);
    pthread_setcancelstate(cancellation, NULL);
    return file;
}
SHIM_HOOK(popen);

/* --- closing --- */

/* Takes the stream out of the list. Returns its process, 0 when it is none of popen's, -1 when its
 * descriptor is closed already: then nobody is waited for. */
static pid_t forget_stream(FILE *file)
{
    sigset_t mask;
    pid_t pid = 0;
    if (!streams)
        return 0;
    process_lock_take(&lock, &mask);
    struct stream *stream = take_out(file);
    if (stream) {
        bool open = fcntl(fileno(file), F_SETFD, FD_CLOEXEC) == 0;
        pid = open ? stream->pid : -1;
        give_back(stream);
    }
    process_lock_release(&lock, &mask);
    return pid;
}

/* By the interposed waitpid(), which tells how it ended. */
static int wait_for(pid_t pid)
{
    int status, cancellation;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
    pid_t waited;
    do
        waited = waitpid_hook(pid, &status, 0);
    while (waited < 0 && errno == EINTR);
    pthread_setcancelstate(cancellation, NULL);
    return waited < 0 ? -1 : status;
}

static int close_stream(FILE *file, int (*close_other)(FILE *))
{
    pid_t pid = forget_stream(file);
    if (!pid)
        return close_other(file);
    int closed = REAL(fclose)(file);
    int status = pid > 0 ? wait_for(pid) : -1;
    return status ? status : closed;
}

int pclose_hook(FILE *file)
{
    return close_stream(file, REAL(pclose));
}
SHIM_HOOK(pclose);

int fclose_hook(FILE *file)
{
    return close_stream(file, REAL(fclose));
}
SHIM_HOOK(fclose);
