/*
 * The OOM killer takes who is the largest, with a correction that anybody may raise for himself:
 * with the most there is it takes the collector, whatever the program holds. Nothing is gained by
 * that where the kernel, or systemd, ends all processes of a cgroup together. There the collector
 * keeps to a quarter of the limit, and goes when there is less than a sixteenth of it left, which
 * is looked at between rounds: no round brings more than the rings hold.
 */
#include "collector/system/own_memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/system/proc.h"

#define OWN_SHARE     4u
#define ROOM_SHARE    16u
#define LOOK_EVERY_NS UINT64_C(5000000)

/* Of our processes: a session, the keeper of its symbols, a worker. */
#define DEPTH_MAX 4u

#define MIB (1024.0 * 1024.0)

void own_memory_go_first(void)
{
    static const char most[] = "1000";
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return;
    ssize_t written = write(file, most, strlen(most));
    (void)written; /* then it is as likely as any other */
    close(file);
}

/* "NAME:   NUMBER kB" in /proc/PID/status. */
static uint64_t bytes_of_line(const char *status, const char *name)
{
    const char *line = strstr(status, name);
    return line ? strtoull(line + strlen(name), NULL, 10) * 1024 : 0;
}

static uint64_t bytes_of_process(pid_t pid, unsigned depth)
{
    char text[4096], name[64], *rest;
    proc_read(pid, "status", text, sizeof text);
    uint64_t bytes = bytes_of_line(text, "\nRssAnon:") + bytes_of_line(text, "\nRssShmem:");
    snprintf(name, sizeof name, "task/%d/children", (int)pid);
    proc_read(pid, name, text, sizeof text);
    for (char *word = strtok_r(text, " ", &rest); word && depth < DEPTH_MAX;
         word = strtok_r(NULL, " ", &rest))
        bytes += bytes_of_process((pid_t)strtol(word, NULL, 10), depth + 1);
    return bytes;
}

uint64_t own_memory_bytes(void)
{
    return bytes_of_process(getpid(), 0);
}

void own_share_init(struct own_share *share)
{
    *share = (struct own_share){0};
    memory_limit_find(getpid(), &share->limit);
}

void own_share_deinit(struct own_share *share)
{
    memory_limit_deinit(&share->limit);
}

bool own_share_is_exceeded(const struct memory_limit *limit, uint64_t bytes, char *text,
                           size_t size)
{
    uint64_t room;
    const char *why = NULL;
    if (bytes > limit->bytes / OWN_SHARE)
        why = "the collector has come to hold a quarter of";
    else if (memory_limit_room(limit, &room) && room < limit->bytes / ROOM_SHARE)
        why = "there is hardly anything left of";
    if (why)
        snprintf(text, size,
                 "%s the %.1f MiB that its cgroup may have, beyond which all in it would be killed "
                 "(the collector held %.1f MiB)",
                 why, (double)limit->bytes / MIB, (double)bytes / MIB);
    return why;
}

bool own_share_is_used_up(struct own_share *share, uint64_t now_ns, char *text, size_t size)
{
    share->next_look_ns = now_ns + LOOK_EVERY_NS;
    return own_share_is_exceeded(&share->limit, own_memory_bytes(), text, size);
}
