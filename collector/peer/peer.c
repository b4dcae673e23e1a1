/*
 * Finding out who it is that has arrived, and whether it is still there.
 */
#include "collector/peer/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collector/peer/settings.h"
#include "collector/peer/whereabouts.h"
#include "collector/system/proc.h"
#include "collector/system/root_file.h"

/* Between looks at a process's title: so soon after the first, then twice as long each time. */
#define TITLE_FIRST_NS UINT64_C(20000000)
#define TITLE_LAST_NS  UINT64_C(1000000000)

/* Nobody waits for an answer for so short a time. */
#define ANSWER_AWAITED_NS UINT64_C(250000000)

static void identify_peer(struct peer *peer, const struct arrival *arrival)
{
    *peer = (struct peer){.pidfd = -1, .root = ROOT_NONE, .ending = ENDING_UNKNOWN};
    peer->host = arrival_host(arrival);
    peer->local = arrival->peer.pid;
    peer->pid = peer->local ? peer->local : (pid_t)arrival->hello.process;
    peer->parent = (pid_t)arrival->hello.parent;
}

/* Of a process whose parent has waited for it already: one that says, as others do, that it has
 * ended. */
static void open_pidfd(struct peer *peer)
{
    peer->pidfd = (int)syscall(SYS_pidfd_open, peer->local, 0);
    peer->was_gone = peer->pidfd < 0 && errno == ESRCH;
    if (peer->was_gone)
        peer->pidfd = eventfd(1, EFD_CLOEXEC);
}

/* What the kernel says of one that it shows us. */
static bool look_up(struct peer *peer, uid_t user)
{
    char path[64];
    struct proc_stat stat;
    snprintf(path, sizeof path, "/proc/%d/root", (int)peer->local);
    peer->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!root_set_reader(peer->root, user))
        return false;
    proc_read_stat(peer->local, &stat);
    peer->parent = stat.parent ? stat.parent : peer->parent; /* 0: it is gone */
    peer->arguments = stat.arguments;
    peer->settings = settings_of(peer->local);
    return true;
}

bool peer_init(struct peer *peer, const struct arrival *arrival)
{
    struct whereabouts whereabouts;
    identify_peer(peer, arrival);
    if (peer->local)
        open_pidfd(peer);
    if (peer->local && peer->pidfd < 0)
        return false;
    bool known = whereabouts_init(&whereabouts, arrival);
    peer->command = whereabouts.command;
    peer->directory = whereabouts.folder;
    whereabouts.command = whereabouts.folder = NULL;
    whereabouts_deinit(&whereabouts);
    return (!peer->local || look_up(peer, arrival->peer.user)) && known;
}

static void close_descriptor(int *descriptor, int none)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = none;
}

void peer_close(struct peer *peer)
{
    close_descriptor(&peer->pidfd, -1);
    close_descriptor(&peer->root, ROOT_NONE);
}

void peer_deinit(struct peer *peer)
{
    peer_close(peer);
    free(peer->command);
    free(peer->directory);
    free(peer->settings);
    peer->command = peer->directory = peer->settings = NULL;
}

bool peer_has_ended(const struct peer *peer)
{
    struct pollfd watched = {.fd = peer->pidfd, .events = POLLIN};
    return peer->pidfd >= 0 && poll(&watched, 1, 0) > 0;
}

/* The kernel knows where the arguments lie; another program's lie elsewhere. */
bool peer_runs_another_program(const struct peer *peer)
{
    struct proc_stat stat;
    return peer->local && peer->arguments && proc_read_stat(peer->local, &stat) &&
           stat.arguments != peer->arguments;
}

bool peer_went_on_alone(const struct peer *peer)
{
    if (!peer->was_gone || peer->ending.signal)
        return false;
    return peer->ending.exit_status >= 0 || peer->hello_age_ns > ANSWER_AWAITED_NS;
}

bool peer_may_look(struct peer *peer, unsigned looks)
{
    return allowance_take(&peer->looks, looks);
}

static void postpone_title(struct title_watch *title, uint64_t now_ns)
{
    uint64_t pause = 2 * title->pause_ns;
    title->pause_ns = !pause ? TITLE_FIRST_NS : pause > TITLE_LAST_NS ? TITLE_LAST_NS : pause;
    title->next_ns = now_ns + title->pause_ns;
}

void peer_look_at_title(struct peer *peer, uint64_t now_ns)
{
    if (!peer->local || now_ns < peer->title.next_ns)
        return;
    postpone_title(&peer->title, now_ns);
    struct proc_stat stat;
    char *title = whereabouts_read_title(peer->local);
    /* Looked at afterwards: the title may be that of a program that has taken its place. */
    proc_read_stat(peer->local, &stat);
    if (!title || stat.arguments != peer->arguments) {
        free(title);
        return;
    }
    free(peer->command);
    peer->command = title;
}
