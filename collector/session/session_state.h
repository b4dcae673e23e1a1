/*
 * What the files of a session share: session.c (its loop, beginning and end) and admission.c (who
 * comes in).
 */
#ifndef HEAPLINE_COLLECTOR_SESSION_STATE_H
#define HEAPLINE_COLLECTOR_SESSION_STATE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "collector/session/handover.h"
#include "collector/session/session_options.h"
#include "collector/session/strangers.h"
#include "collector/store/recording_writer.h"
#include "collector/stream/drain.h"
#include "collector/stream/process.h"
#include "collector/system/own_memory.h"
#include "control.h"

#define PROCESSES_MAX PEERS_MAX
/* So many may wait to be written, if the file can be. */
#define ENDED_MAX 256u

/* The command that `heapline run` has started, and what it says of it. */
struct session_command {
    int control; /* the connection to it; -1 once closed */
    struct control_message heard;
    size_t heard_bytes;
    enum control_told told; /* who has told the user what is missing */
    int wait_status;
    bool has_wait_status;
    uint64_t ended_ns;           /* when it was told */
    uint64_t others_patience_ns; /* for those that go on then */
    bool members;                /* there were some when they were last looked for */
    uint64_t next_members_ns;
};

/* The daemon that the session is of. */
struct session_daemon {
    bool leaving;   /* it has been asked to send nobody more, */
    bool left;      /* and has said goodbye, */
    bool is_closed; /* or is gone */
};

/* What is not in the recording of the processes that are. */
struct session_loss {
    uint64_t events;
    bool locked_out;    /* history was dropped because another program had locked the file */
    bool abandoned;     /* a process went on untraced because nobody read its ring */
    const char *broken; /* what was wrong with a stream that made no sense */
};

/* Processes that have ended and been read to the end; their rows are written with the next
 * snapshot, with those of the processes that they descend from. */
struct session_ended {
    struct vector list; /* struct process * */
    unsigned count;
};

struct session {
    const struct session_options *options;
    struct run run;
    struct drain drain;
    struct recording_writer writer;
    struct recorded_run about;
    struct process *processes[PROCESSES_MAX];
    unsigned process_count;
    struct session_ended ended;
    unsigned sampled_last; /* index of the process that was looked at last */
    uint32_t processes_seen;
    uint32_t settled; /* arrivals that the daemon has handed over and that are dealt with */
    struct session_command command;
    struct session_daemon daemon;
    struct strangers strangers;
    bool finishing;
    bool undone;                     /* nothing has been executed: there is to be no file */
    char stopped[HANDOVER_TEXT_MAX]; /* why the session ends early, else empty */
    struct own_share share;
    bool forgotten; /* `run` has been given back */
    struct session_loss loss;
    sigset_t unblocked; /* while it waits */
    uint64_t last_work_ns;
    bool rests; /* there has been no work for some time */
    uint64_t next_snapshot_ns;
};

/* What processes are told when the session wants no more of them. Of a private one's limit the
 * collector itself tells the user. */
static inline uint32_t session_farewell(const struct session *session)
{
    return session->stopped[0] && session->options->handover >= 0 ? WELCOME_LIMIT
                                                                  : WELCOME_DECLINED;
}

/* Reads a process's ring to its very end; its rows are written soon. `lives_on`: the recording ends
 * before it. */
void session_finish_process(struct session *session, unsigned at, bool lives_on);

/* Tells the daemon how many there are. */
void session_count_processes(const struct session *session);

void session_log_process(const struct session *session, const struct process *process,
                         const char *event);

/* Takes in a process that has said hello, or answers it otherwise; closes its connection unless
 * that has become a stream. A connection of -1 could not be taken over. */
void session_admit(struct session *session, const struct arrival *arrival);

/* A process that has said hello, or would have, is not in the recording. */
void session_count_absent(struct session *session, const struct arrival *arrival,
                          enum absence reason);

/* Somebody connects to a listening socket of the session's own. */
void session_accept(struct session *session, int listener);

#endif
