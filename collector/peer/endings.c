/*
 * Learning how processes have ended.
 *
 * While a process is a zombie its exit code stands in /proc; once it has been reaped a kernel of
 * 6.15 or newer remembers it for those who hold a pidfd. Between the two lies nothing, but in
 * between the first may become the second, so the second is asked again. An older kernel forgets
 * at the reaping, and then only the parent can say.
 *
 * A process that was killed by SIGKILL is taken to be a victim of the OOM killer when its cgroup
 * counts more of those than when the process began, each for one process.
 */
#include "collector/peer/endings.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/peer/peer.h"
#include "collector/system/own_memory.h"
#include "collector/system/proc.h"
#include "memory_cgroup.h"

/* As include/uapi/linux/pidfd.h of Linux 6.15 has it, which the C library's headers may not. */
struct pidfd_information {
    uint64_t mask; /* what is asked for; then what is told */
    uint64_t cgroup;
    uint32_t pid, thread_group, parent;
    uint32_t user_and_group_ids[8];
    int32_t exit_code; /* a wait status */
};
_Static_assert(sizeof(struct pidfd_information) == 64, "PIDFD_INFO_SIZE_VER0");
#define PIDFD_TELL_INFORMATION _IOWR(0xff, 11, struct pidfd_information)
#define PIDFD_MASK_EXIT        (UINT64_C(1) << 3)

struct watched_ending {
    uint32_t process; /* number of its row */
    uint64_t host;    /* of both, see peer.host */
    pid_t pid, parent;
    int status;        /* told by its parent */
    bool is_told;      /* status is set */
    bool is_written;   /* its row, without an ending */
    bool killed;       /* when written: its cgroup counts an OOM kill that nobody else explains */
    bool is_beside_us; /* a limit of its memory is ours, too */
    uint64_t collector_bytes; /* what we held when it was killed */
    char *oom_file;           /* where its cgroup counts; null: unknown */
    uint64_t oom_kills;       /* those from before it began, and those of other processes */
};

struct ending ending_from_status(int wait_status)
{
    struct ending ending = ENDING_UNKNOWN;
    if (WIFEXITED(wait_status)) {
        ending.exit_status = WEXITSTATUS(wait_status);
    } else if (WIFSIGNALED(wait_status)) {
        ending.signal = WTERMSIG(wait_status);
        ending.core_dumped = WCOREDUMP(wait_status);
    }
    return ending;
}

/* --- what the kernel knows ---------------------------------------------------------------------
 */

static bool status_of_reaped(int pidfd, int *status)
{
    struct pidfd_information information = {.mask = PIDFD_MASK_EXIT};
    if (ioctl(pidfd, PIDFD_TELL_INFORMATION, &information) != 0 ||
        !(information.mask & PIDFD_MASK_EXIT))
        return false;
    *status = information.exit_code;
    return true;
}

static bool status_of_zombie(pid_t pid, int *status)
{
    struct proc_stat stat;
    if (!proc_read_stat(pid, &stat) || stat.state != 'Z')
        return false;
    *status = stat.exit_code;
    return true;
}

/* As long as it has not been reaped its id is nobody else's. */
static bool is_unreaped(int pidfd)
{
    return syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0 || errno != ESRCH;
}

static bool status_of_ended(const struct peer *peer, int *status)
{
    return status_of_reaped(peer->pidfd, status) ||
           (status_of_zombie(peer->local, status) && is_unreaped(peer->pidfd)) ||
           status_of_reaped(peer->pidfd, status);
}

/* --- who is watched ----------------------------------------------------------------------------
 */

static struct watched_ending *watched_at(const struct endings *endings, uint32_t number)
{
    return (struct watched_ending *)endings->watched.data + number;
}

static bool is_late(const struct watched_ending *watched)
{
    return watched->is_written && watched->is_told;
}

/* The latest first: long-finished ones are seldom asked for. */
static struct watched_ending *find_watched(const struct endings *endings, uint64_t host, pid_t pid)
{
    for (uint32_t i = endings->count; i-- > 0;)
        if (watched_at(endings, i)->pid == pid && watched_at(endings, i)->host == host)
            return watched_at(endings, i);
    return NULL;
}

static void forget_watched(struct endings *endings, struct watched_ending *watched)
{
    endings->late -= is_late(watched);
    free(watched->oom_file);
    *watched = *watched_at(endings, --endings->count);
}

void endings_deinit(struct endings *endings)
{
    while (endings->count)
        forget_watched(endings, watched_at(endings, endings->count - 1));
    vector_deinit(&endings->watched);
}

static bool is_beside_us(const struct peer *peer)
{
    struct memory_limit limit;
    memory_limit_find(peer->local, &limit);
    bool holds = memory_limit_holds_for(&limit, getpid());
    memory_limit_deinit(&limit);
    return holds;
}

/* Takes what was told of one before it was watched. */
static bool take_early(struct endings *endings, const struct peer *peer, int *status)
{
    for (uint32_t i = 0; i < ENDINGS_TOLD_EARLY; i++) {
        struct told_ending *told = &endings->early[i];
        if (told->pid != peer->pid || told->parent != peer->parent || told->host != peer->host)
            continue;
        *status = told->status;
        *told = (struct told_ending){0};
        return true;
    }
    return false;
}

void endings_watch(struct endings *endings, const struct peer *peer)
{
    struct watched_ending *before = find_watched(endings, peer->host, peer->pid);
    if (before)
        forget_watched(endings, before);
    if (!vector_reserve(&endings->watched, (size_t)endings->count + 1, sizeof *before))
        return;
    struct watched_ending watched = {
        .process = peer->number,
        .host = peer->host,
        .pid = peer->pid,
        .parent = peer->parent,
        .is_beside_us = is_beside_us(peer),
        .oom_file = oom_kills_file(peer->local),
    };
    oom_kills_read(watched.oom_file, &watched.oom_kills);
    watched.is_told = peer->was_gone && take_early(endings, peer, &watched.status);
    *watched_at(endings, endings->count++) = watched;
}

void endings_tell(struct endings *endings, const struct peer *parent, pid_t pid, int wait_status)
{
    struct watched_ending *watched = find_watched(endings, parent->host, pid);
    struct ending ending = ending_from_status(wait_status);
    if (!ending_is_known(&ending))
        return;
    if (!watched) {
        endings->early[endings->early_next++ % ENDINGS_TOLD_EARLY] =
            (struct told_ending){parent->host, pid, parent->pid, wait_status};
        return;
    }
    if (watched->parent != parent->pid || watched->is_told)
        return;
    watched->is_told = true;
    watched->status = wait_status;
    endings->late += watched->is_written;
}

/* --- the end -----------------------------------------------------------------------------------
 */

/* Has its cgroup counted an OOM kill that may be this one's? */
static bool was_oom_kill(const struct watched_ending *watched)
{
    uint64_t kills;
    return oom_kills_read(watched->oom_file, &kills) && kills > watched->oom_kills;
}

/* One kill is the reason of one end. */
static void explain_oom_kill(struct endings *endings, const char *oom_file)
{
    for (uint32_t i = 0; i < endings->count; i++) {
        struct watched_ending *other = watched_at(endings, i);
        other->oom_kills += other->oom_file && strcmp(other->oom_file, oom_file) == 0;
    }
}

/* The best that is known of the status; false: nothing. */
static bool learn_status(const struct peer *peer, const struct watched_ending *watched, int *status)
{
    if (status_of_ended(peer, status))
        return true;
    if (watched && watched->is_told)
        *status = watched->status;
    return watched && watched->is_told;
}

/* Whoever has been waited for longest is given up when there are too many. */
static void bound_awaited(struct endings *endings)
{
    struct watched_ending *oldest = NULL;
    uint32_t awaited = 0;
    for (uint32_t i = 0; i < endings->count; i++) {
        struct watched_ending *watched = watched_at(endings, i);
        if (!watched->is_written || watched->is_told)
            continue;
        awaited++;
        if (!oldest || watched->process < oldest->process)
            oldest = watched;
    }
    if (awaited > ENDINGS_AWAITED_MAX)
        forget_watched(endings, oldest);
}

void endings_settle(struct endings *endings, struct peer *peer, bool ended, const int *wait_status)
{
    struct watched_ending *watched = find_watched(endings, peer->host, peer->pid);
    struct ending *ending = &peer->ending;
    int status = wait_status ? *wait_status : 0;
    *ending = ENDING_UNKNOWN;
    if ((wait_status && !peer->is_replaced) || (ended && learn_status(peer, watched, &status)))
        *ending = ending_from_status(status);
    if (!watched)
        return;
    bool may_be_killed = ending->signal == SIGKILL || !ending_is_known(ending);
    bool killed = ended && may_be_killed && was_oom_kill(watched);
    ending->out_of_memory = killed && ending->signal == SIGKILL;
    watched->collector_bytes = killed && watched->is_beside_us ? own_memory_bytes() : 0;
    ending->collector_bytes = ending->out_of_memory ? watched->collector_bytes : 0;
    if (ending->out_of_memory)
        explain_oom_kill(endings, watched->oom_file);
    if (!ended || ending_is_known(ending)) {
        forget_watched(endings, watched);
        return;
    }
    watched->is_written = true;
    watched->killed = killed;
    bound_awaited(endings);
}

bool endings_take_late(struct endings *endings, uint32_t *process, struct ending *ending)
{
    for (uint32_t i = endings->count; endings->late && i-- > 0;) {
        struct watched_ending *watched = watched_at(endings, i);
        if (!is_late(watched))
            continue;
        *process = watched->process;
        *ending = ending_from_status(watched->status);
        ending->out_of_memory = watched->killed && ending->signal == SIGKILL;
        ending->collector_bytes = ending->out_of_memory ? watched->collector_bytes : 0;
        forget_watched(endings, watched);
        return true;
    }
    return false;
}
