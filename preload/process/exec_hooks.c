/*
 * Interposed: exec*, posix_spawn* and pidfd_spawn*. What calls them inside the C library, behind
 * our back, has files of its own: system_hook.c, popen_hooks.c.
 *
 * The new environment of an exec lies on the stack of the caller, for a vfork child shares its
 * parent's memory and must leave nothing there; that of a spawn, which returns, in memory of its
 * own, for stacks may be small. All forms come down to one that takes an environment.
 */
#include "preload/process/exec_hooks.h"

#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loadable.h"
#include "preload/base/environment.h"
#include "preload/base/readable.h"
#include "preload/base/real_functions.h"
#include "preload/base/real_mapping.h"
#include "preload/base/shim.h"
#include "preload/carrier/ring_writer.h"
#include "preload/process/exec_announcement.h"

enum call_kind {
    CALL_EXECVE,
    CALL_EXECVPE,
    CALL_FEXECVE,
    CALL_EXECVEAT,
    CALL_SPAWN,
    CALL_SPAWNP,
    CALL_PIDFD_SPAWN,
    CALL_PIDFD_SPAWNP,
};

/* A call of one of them without its environment. */
struct call {
    enum call_kind kind;
    int descriptor, flags;
    const char *path;
    char *const *arguments;
    pid_t *pid; /* or the pidfd */
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
};

static int call_real(const struct call *call, char *const *environment)
{
    switch (call->kind) {
    case CALL_EXECVE:
        return REAL(execve)(call->path, call->arguments, environment);
    case CALL_EXECVPE:
        return REAL(execvpe)(call->path, call->arguments, environment);
    case CALL_FEXECVE:
        return REAL(fexecve)(call->descriptor, call->arguments, environment);
    case CALL_EXECVEAT:
        return REAL(execveat)(call->descriptor, call->path, call->arguments, environment,
                              call->flags);
    case CALL_SPAWN:
        return REAL(posix_spawn)(call->pid, call->path, call->actions, call->attributes,
                                 call->arguments, environment);
    case CALL_SPAWNP:
        return REAL(posix_spawnp)(call->pid, call->path, call->actions, call->attributes,
                                  call->arguments, environment);
    case CALL_PIDFD_SPAWN:
        return REAL(pidfd_spawn)(call->pid, call->path, call->actions, call->attributes,
                                 call->arguments, environment);
    case CALL_PIDFD_SPAWNP:
        return REAL(pidfd_spawnp)(call->pid, call->path, call->actions, call->attributes,
                                  call->arguments, environment);
    }
    return -1;
}

/* May the shim go into what is executed? A relative path of posix_spawn is looked for in this
 * process's folder, whatever folder a file action changes to. */
static bool is_loadable(const struct call *call)
{
    switch (call->kind) {
    case CALL_EXECVPE:
    case CALL_SPAWNP:
    case CALL_PIDFD_SPAWNP:
        return loadable_command(call->path);
    case CALL_FEXECVE:
        return loadable_at(call->descriptor, "");
    case CALL_EXECVEAT:
        return loadable_at(call->descriptor, call->path);
    default:
        return loadable_at(AT_FDCWD, call->path);
    }
}

/* Takes the child's process id, which the caller may not want. */
static int spawn_python(const struct call *call, char *const *environment)
{
    pid_t pid = 0;
    struct call own = *call;
    uint64_t began_ns = ring_monotonic_ns();
    own.pid = &pid;
    int problem = call_real(&own, environment);
    if (problem)
        return problem;
    if (call->pid)
        *call->pid = pid;
    exec_announce_child(pid, began_ns);
    return 0;
}

static int execute_call(const struct call *call, char *const *environment)
{
    exec_announce_replacement();
    int result = call_real(call, environment);
    exec_announce_no_replacement();
    return result;
}

static int execute_python(const struct call *call, char *const *environment)
{
    exec_announce();
    int result = execute_call(call, environment);
    exec_announce_failure();
    return result;
}

static bool is_spawn(enum call_kind kind)
{
    return kind == CALL_SPAWN || kind == CALL_SPAWNP || kind == CALL_PIDFD_SPAWN ||
           kind == CALL_PIDFD_SPAWNP;
}

/* Calls the real function, and lets the collector know of a Python. Someone who has put the
 * variables together himself has it go elsewhere. */
static int call_announced(const struct call *call, char *const *environment, bool is_others)
{
    if (is_others || !exec_announcement_is_due(call->path))
        return is_spawn(call->kind) ? call_real(call, environment)
                                    : execute_call(call, environment);
    switch (call->kind) {
    case CALL_SPAWN:
    case CALL_SPAWNP:
        return spawn_python(call, environment);
    case CALL_PIDFD_SPAWN:
    case CALL_PIDFD_SPAWNP:
        return call_real(call, environment);
    default:
        return execute_python(call, environment);
    }
}

/* Without memory the child is not traced. */
static int spawn_with_room(const struct call *call, char *const *environment,
                           const struct environment_room *room)
{
    int saved = errno;
    size_t bytes = room->entries * sizeof(char *) + room->bytes;
    char **entries =
        real_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (entries == MAP_FAILED) {
        errno = saved;
        return call_announced(call, environment, false);
    }
    environment_fill(environment, entries, (char *)(entries + room->entries));
    int problem = call_announced(call, entries, false);
    if (problem == E2BIG)
        problem = call_announced(call, environment, false);
    saved = errno;
    real_munmap(entries, bytes);
    errno = saved;
    return problem;
}

static bool is_readable(const struct call *call, char *const *environment)
{
    return (call->kind == CALL_FEXECVE || readable_text(call->path)) && readable_texts(environment);
}

/* Who has no room for the variables beside what he gives to the program goes without them. */
static int call_with(const struct call *call, char *const *environment)
{
    ring_flush();
    if (!is_readable(call, environment))
        return call_real(call, environment);
    struct environment_room room = environment_measure(environment);
    if (!room.entries || !environment_shim_in_reach() || !is_loadable(call))
        return call_announced(call, environment, room.is_others);
    if (is_spawn(call->kind))
        return spawn_with_room(call, environment, &room);
    char **entries = alloca(room.entries * sizeof *entries);
    char *text = alloca(room.bytes);
    environment_fill(environment, entries, text);
    int result = call_announced(call, entries, false);
    return errno == E2BIG ? call_announced(call, environment, false) : result;
}

/* --- with an array of arguments --- */

int execve_hook(const char *path, char *const arguments[], char *const environment[])
{
    return call_with(&(struct call){.kind = CALL_EXECVE, .path = path, .arguments = arguments},
                     environment);
}
SHIM_HOOK(execve);

int execv_hook(const char *path, char *const arguments[])
{
    return execve_hook(path, arguments, environ);
}
SHIM_HOOK(execv);

int execvpe_hook(const char *file, char *const arguments[], char *const environment[])
{
    return call_with(&(struct call){.kind = CALL_EXECVPE, .path = file, .arguments = arguments},
                     environment);
}
SHIM_HOOK(execvpe);

int execvp_hook(const char *file, char *const arguments[])
{
    return execvpe_hook(file, arguments, environ);
}
SHIM_HOOK(execvp);

int fexecve_hook(int descriptor, char *const arguments[], char *const environment[])
{
    return call_with(
        &(struct call){.kind = CALL_FEXECVE, .descriptor = descriptor, .arguments = arguments},
        environment);
}
SHIM_HOOK(fexecve);

int execveat_hook(int descriptor, const char *path, char *const arguments[],
                  char *const environment[], int flags)
{
    return call_with(&(struct call){.kind = CALL_EXECVEAT,
                                    .descriptor = descriptor,
                                    .flags = flags,
                                    .path = path,
                                    .arguments = arguments},
                     environment);
}
SHIM_HOOK(execveat);

static int spawn_with(enum call_kind kind, int *pid, const char *path,
                      const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const arguments[],
                      char *const environment[])
{
    return call_with(&(struct call){.kind = kind,
                                    .path = path,
                                    .arguments = arguments,
                                    .pid = pid,
                                    .actions = actions,
                                    .attributes = attributes},
                     environment);
}

int posix_spawn_hook(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                     const posix_spawnattr_t *attributes, char *const arguments[],
                     char *const environment[])
{
    return spawn_with(CALL_SPAWN, pid, path, actions, attributes, arguments, environment);
}
SHIM_HOOK(posix_spawn);

int posix_spawnp_hook(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const arguments[],
                      char *const environment[])
{
    return spawn_with(CALL_SPAWNP, pid, file, actions, attributes, arguments, environment);
}
SHIM_HOOK(posix_spawnp);

/* Who finds these in an older C library gets the answer that is for kernels without them. */
int pidfd_spawn_hook(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
                     const posix_spawnattr_t *attributes, char *const arguments[],
                     char *const environment[])
{
    if (!REAL(pidfd_spawn))
        return ENOSYS;
    return spawn_with(CALL_PIDFD_SPAWN, pidfd, path, actions, attributes, arguments, environment);
}
SHIM_HOOK(pidfd_spawn);

int pidfd_spawnp_hook(int *pidfd, const char *file, const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const arguments[],
                      char *const environment[])
{
    if (!REAL(pidfd_spawnp))
        return ENOSYS;
    return spawn_with(CALL_PIDFD_SPAWNP, pidfd, file, actions, attributes, arguments, environment);
}
SHIM_HOOK(pidfd_spawnp);

/* --- with a list of arguments --- */

/* Counts a list's arguments behind the first one, without the null at its end. */
static size_t count_list(va_list *list)
{
    size_t count = 0;
    while (va_arg(*list, char *))
        count++;
    return count;
}

static void fill_list(char **arguments, const char *first, va_list *list)
{
    *arguments++ = (char *)(uintptr_t)first;
    while ((*arguments++ = va_arg(*list, char *)))
        ;
}

/* Behind it va_arg() gives what follows the list's null. */
#define LIST_TO_ARRAY(first, array)                                                                \
    va_list list;                                                                                  \
    va_start(list, first);                                                                         \
    char **array = alloca((count_list(&list) + 2) * sizeof *array);                                \
    va_end(list);                                                                                  \
    va_start(list, first);                                                                         \
    fill_list(array, first, &list)

int execl_hook(const char *path, const char *first, ...)
{
    LIST_TO_ARRAY(first, arguments);
    va_end(list);
    return execve_hook(path, arguments, environ);
}
SHIM_HOOK(execl);

int execlp_hook(const char *file, const char *first, ...)
{
    LIST_TO_ARRAY(first, arguments);
    va_end(list);
    return execvpe_hook(file, arguments, environ);
}
SHIM_HOOK(execlp);

int execle_hook(const char *path, const char *first, ...)
{
    LIST_TO_ARRAY(first, arguments);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return execve_hook(path, arguments, environment);
}
SHIM_HOOK(execle);
