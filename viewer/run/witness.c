/*
 * A witness is forked from `heapline run` and does nothing but wait: for signals, all of them
 * blocked and read from a signalfd, and for questions on a socket, whose end is its own end. It
 * notes a signal as soon as it comes, so that a second one of the same number is not lost in the
 * first one that is still pending. Of what nobody asks for it keeps the latest.
 *
 * It asks the kernel for nothing that could fail later, and when it is killed all the same, its
 * socket says so: from then on there is no witness.
 */
#include "viewer/run/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "viewer/base/cleanup.h"

/* It has nothing else to do, so it is late only when the machine is very busy, or when somebody has
 * stopped it. */
#define REPLY_PATIENCE_MS 500

/* Neither `pkill heapline` nor `pkill python` means the witness, but who looks for a word of the
 * command on command lines finds heapline, collector, command and witnesses. */
#define WITNESS_NAME "signals"

/* What a witness has open. */
#define CHANNEL_DESCRIPTOR 0
#define SIGNALS_DESCRIPTOR 1

struct reply {
    uint32_t question; /* to which it replies */
    uint32_t count;
    struct witnessed heard[WITNESSED_MAX];
};

uint64_t witness_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* --- the witness's own side --- */

/* Our arguments lie one behind the other, those of the command last: they move to the front, behind
 * the name. */
static void take_appearance(char *const *words)
{
    prctl(PR_SET_NAME, WITNESS_NAME);
    char *begin = program_invocation_name, *first = words[0], *end = first;
    for (; *words && *words == end; words++)
        end += strlen(end) + 1;
    if (first <= begin || (size_t)(first - begin) < sizeof WITNESS_NAME)
        return;
    size_t bytes = (size_t)(end - first);
    memcpy(begin, WITNESS_NAME, sizeof WITNESS_NAME);
    begin += sizeof WITNESS_NAME;
    memmove(begin, first, bytes);
    memset(begin + bytes, 0, (size_t)(end - begin) - bytes);
}

/* Of what the command may wait for the end of (a pipe, a terminal) nothing stays open. */
static bool take_descriptors(int channel)
{
    sigset_t all;
    sigfillset(&all);
    if (dup2(channel, CHANNEL_DESCRIPTOR) < 0)
        return false;
    closefrom(CHANNEL_DESCRIPTOR + 1);
    return signalfd(-1, &all, SFD_NONBLOCK) == SIGNALS_DESCRIPTOR;
}

/* The time is that of before it is no longer pending: who looks at both sees one of them. */
static bool note_signal(struct reply *reply)
{
    struct signalfd_siginfo signal;
    uint64_t now = witness_now();
    if (read(SIGNALS_DESCRIPTOR, &signal, sizeof signal) != (ssize_t)sizeof signal)
        return false;
    if (reply->count == WITNESSED_MAX)
        memmove(reply->heard, reply->heard + 1, --reply->count * sizeof *reply->heard);
    reply->heard[reply->count++] = (struct witnessed){
        .time_ns = now,
        .signal = (int32_t)signal.ssi_signo,
        .code = signal.ssi_code,
        .sender = (int32_t)signal.ssi_pid,
    };
    return true;
}

static void note_signals(struct reply *reply)
{
    while (note_signal(reply))
        ;
}

/* False: there is nobody to reply to any more. */
static bool send_reply(struct reply *reply)
{
    if (recv(CHANNEL_DESCRIPTOR, &reply->question, sizeof reply->question, 0) !=
        (ssize_t)sizeof reply->question)
        return false;
    note_signals(reply);
    bool sent = send(CHANNEL_DESCRIPTOR, reply, sizeof *reply, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
    reply->count = 0;
    return sent;
}

static _Noreturn void bear_witness(enum witness_post post, char *const *words, int channel)
{
    static struct reply reply;
    struct pollfd watched[] = {{.fd = CHANNEL_DESCRIPTOR, .events = POLLIN},
                               {.fd = SIGNALS_DESCRIPTOR, .events = POLLIN}};
    if (post == WITNESS_OUTSIDE)
        setsid();
    take_appearance(words);
    bool goes_on = take_descriptors(channel);
    while (goes_on && (poll(watched, 2, -1) > 0 || errno == EINTR)) {
        note_signals(&reply);
        goes_on = !watched[0].revents || send_reply(&reply);
    }
    _exit(0);
}

/* --- the side of `heapline run` --- */

void witness_start(struct witness *witness, enum witness_post post, char *const *words)
{
    int ends[2];
    *witness = (struct witness){.channel = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return;
    witness->pid = fork();
    if (witness->pid == 0)
        bear_witness(post, words, ends[1]);
    close(ends[1]);
    if (witness->pid > 0)
        witness->channel = ends[0];
    else
        close(ends[0]);
}

uint64_t witness_pending(const struct witness *witness)
{
    static const char name[] = "\nShdPnd:";
    char path[64], text[4096];
    if (witness->channel < 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)witness->pid);
    CLEANUP(cleanup_close) int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    const char *line = strstr(text, name);
    return line ? strtoull(line + strlen(name), NULL, 16) : 0;
}

static void close_channel(struct witness *witness)
{
    cleanup_close(&witness->channel);
    witness->channel = -1;
}

static unsigned take_reply(struct witness *witness, struct witnessed *heard, unsigned count,
                           bool *is_latest)
{
    struct reply reply;
    if (recv(witness->channel, &reply, sizeof reply, MSG_DONTWAIT) != (ssize_t)sizeof reply) {
        close_channel(witness);
        return 0;
    }
    *is_latest = reply.question == witness->question;
    unsigned taken = reply.count < WITNESSED_MAX - count ? reply.count : WITNESSED_MAX - count;
    memcpy(heard, reply.heard, taken * sizeof *heard);
    return taken;
}

unsigned witness_ask(struct witness *witness, struct witnessed *heard)
{
    unsigned count = 0;
    bool is_latest = false;
    if (witness->channel < 0)
        return 0;
    witness->question++;
    send(witness->channel, &witness->question, sizeof witness->question,
         MSG_NOSIGNAL | MSG_DONTWAIT);
    /* One that was late with its last reply gives both. */
    while (!is_latest && witness->channel >= 0) {
        struct pollfd watched = {.fd = witness->channel, .events = POLLIN};
        if (poll(&watched, 1, REPLY_PATIENCE_MS) <= 0)
            break;
        count += take_reply(witness, heard + count, count, &is_latest);
    }
    return count;
}

void witness_stop(struct witness *witness)
{
    close_channel(witness);
    if (witness->pid <= 0)
        return;
    kill(witness->pid, SIGKILL); /* it may be stopped */
    waitpid(witness->pid, NULL, 0);
    witness->pid = 0;
}
