/*
 * Starts the command as it would be without heapline: same process group, terminal, folder, umask,
 * signal mask and dispositions, and no descriptor more, as all of ours close on exec. Two
 * environment variables differ: LD_PRELOAD, which keeps what it had, and the collector's address;
 * none where the shim would do harm (loadable.h).
 *
 * Two pipes connect parent and child: one on which the child waits until it may begin, and whose
 * end of file means that it shall not; and one that exec closes, or that brings the errno of its
 * failure.
 */
#include "viewer/run/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handshake.h"
#include "loadable.h"
#include "viewer/run/message.h"

#define PRELOAD_ENVIRONMENT "LD_PRELOAD"
/* Whom a service manager's descriptors are for (sd_listen_fds(3)). */
#define LISTEN_ENVIRONMENT "LISTEN_PID"

static bool set_environment(const struct command_plan *plan)
{
    const char *before = getenv(PRELOAD_ENVIRONMENT);
    char *preload = NULL;
    if (asprintf(&preload, "%s%s%s", plan->shim, before && *before ? ":" : "",
                 before ? before : "") < 0)
        return false;
    bool good =
        setenv(PRELOAD_ENVIRONMENT, preload, 1) == 0 &&
        setenv(ENVIRONMENT_DAEMON, plan->address, 1) == 0 &&
        setenv(ENVIRONMENT_RUN, plan->key, 1) == 0 &&
        (plan->native ? setenv(ENVIRONMENT_NATIVE, "1", 1) : unsetenv(ENVIRONMENT_NATIVE)) == 0 &&
        (plan->session ? setenv(ENVIRONMENT_SESSION, plan->session, 1)
                       : unsetenv(ENVIRONMENT_SESSION)) == 0;
    free(preload);
    return good;
}

/* What was passed to `heapline run` is the command's. */
static bool pass_descriptors_on(void)
{
    const char *named = getenv(LISTEN_ENVIRONMENT);
    char own[16];
    snprintf(own, sizeof own, "%d", (int)getpid());
    return !named || strtol(named, NULL, 10) != (long)getppid() ||
           setenv(LISTEN_ENVIRONMENT, own, 1) == 0;
}

/* A file of Python that is there, but not as a command: it is not executable, or in no folder of
 * PATH. */
static bool is_script(const char *word)
{
    static const char suffix[] = ".py";
    size_t length = strlen(word);
    struct stat status;
    return *word != '-' && length >= sizeof suffix &&
           !strcmp(word + length - strlen(suffix), suffix) && stat(word, &status) == 0 &&
           S_ISREG(status.st_mode) && (!strchr(word, '/') || access(word, X_OK) != 0);
}

static void execute_script(char *const *words)
{
    size_t count = 0;
    while (words[count])
        count++;
    char **longer = calloc(count + 2, sizeof *longer);
    if (!longer)
        return;
    longer[0] = (char *)"python3";
    memcpy(longer + 1, words, count * sizeof *words);
    execvp(longer[0], longer);
    free(longer);
}

/* Returns when it cannot, with errno. */
static void words_execute(char *const *words)
{
    execvp(words[0], words);
    int number = errno;
    if (is_script(words[0]))
        execute_script(words);
    errno = number;
}

static _Noreturn void child_run(const struct command_plan *plan, int go, int failure)
{
    char byte;
    ssize_t got;
    do
        got = read(go, &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got != 1)
        _exit(RUN_FAILED);
    errno = ENOMEM;
    bool loadable = loadable_command(plan->words[0]);
    if (!loadable)
        run_say(
            "'%s' is not recorded: it is for another C library (musl, an older glibc) or another "
            "machine (32 bits), or changes the user",
            plan->words[0]);
    if (pass_descriptors_on() && (!loadable || set_environment(plan))) {
        signals_restore(plan->signals);
        words_execute(plan->words);
    }
    int number = errno;
    _exit(write(failure, &number, sizeof number) < 0 ? RUN_FAILED : RUN_CANNOT_EXECUTE);
}

bool command_fork(struct command *command, const struct command_plan *plan)
{
    int go[2], failure[2];
    if (pipe2(go, O_CLOEXEC) != 0 || pipe2(failure, O_CLOEXEC) != 0 ||
        (command->pid = fork()) < 0) {
        run_fail("cannot start a process: %s", strerror(errno));
        return false;
    }
    if (command->pid == 0) {
        close(go[1]);
        close(failure[0]);
        child_run(plan, go[0], failure[1]);
    }
    close(go[0]);
    close(failure[1]);
    command->go = go[1];
    command->failure = failure[0];
    return true;
}

int command_execute(struct command *command)
{
    int number = 0;
    /* A child that has been killed meanwhile is noticed like one that is killed later. */
    if (write(command->go, "", 1) == 1 &&
        read(command->failure, &number, sizeof number) != (ssize_t)sizeof number)
        number = 0;
    close(command->go);
    close(command->failure);
    if (number)
        waitpid(command->pid, NULL, 0);
    return number;
}

void command_cancel(struct command *command)
{
    close(command->go);
    close(command->failure);
    waitpid(command->pid, NULL, 0);
}
