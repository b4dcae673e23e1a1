/*
 * A child process with a pipe for what it prints, and a second one over which it tells that it
 * could not be executed (closed by exec where it could).
 */
#include "viewer/doctor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "viewer/base/memory.h"
#include "viewer/base/null.h"

#define PATIENCE_SECONDS 60
#define LOOK_MS          250

static _Noreturn void child_become(char *const *words, bool with_errors, int output, int failure)
{
    int nothing = null_open();
    dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(with_errors ? output : nothing, STDERR_FILENO);
    execvp(words[0], words);
    int number = errno;
    if (write(failure, &number, sizeof number) < 0)
        _exit(126);
    _exit(127);
}

static int64_t now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Reads to the end of the output; kills the child when that takes too long. */
static void listen_to(struct child_end *end, pid_t pid, int output, struct progress *progress)
{
    size_t used = 0;
    int64_t last = now_seconds() + PATIENCE_SECONDS;
    for (;;) {
        struct pollfd ready = {output, POLLIN, 0};
        char thrown[512];
        bool has_room = used < sizeof end->output - 1;
        if (now_seconds() >= last) {
            kill(pid, SIGKILL);
            break;
        }
        progress_step(progress, 0);
        if (poll(&ready, 1, LOOK_MS) <= 0)
            continue;
        ssize_t length = read(output, has_room ? end->output + used : thrown,
                              has_room ? sizeof end->output - 1 - used : sizeof thrown);
        if (length <= 0)
            break;
        used += has_room ? (size_t)length : 0;
    }
    end->output[used] = '\0';
}

bool child_run(struct child_end *end, char *const *words, bool with_errors,
               struct progress *progress, const char *purpose)
{
    int output[2], failure[2], number = 0;
    *end = (struct child_end){0};
    if (pipe2(output, O_CLOEXEC))
        return false;
    if (pipe2(failure, O_CLOEXEC)) {
        close(output[0]);
        close(output[1]);
        return false;
    }
    pid_t pid = fork();
    if (pid == 0)
        child_become(words, with_errors, output[1], failure[1]);
    if (pid < 0)
        number = errno;
    close(output[1]);
    close(failure[1]);
    progress_begin(progress, purpose, 0);
    if (pid > 0 && read(failure[0], &number, sizeof number) <= 0)
        listen_to(end, pid, output[0], progress);
    progress_end(progress);
    close(output[0]);
    close(failure[0]);
    while (pid > 0 && waitpid(pid, &end->status, 0) < 0 && errno == EINTR)
        ;
    errno = number;
    return number == 0;
}

char **child_words(const char *const *before, char *const *command, const char *program)
{
    size_t count = 3;
    for (const char *const *word = before; *word; word++)
        count++;
    for (char *const *word = command; *word; word++)
        count++;
    char **words = memory_new(count, sizeof *words), **at = words;
    while (*before)
        *at++ = (char *)(uintptr_t)*before++;
    while (*command)
        *at++ = *command++;
    *at++ = (char *)(uintptr_t) "-c";
    *at = (char *)(uintptr_t)program;
    return words;
}
