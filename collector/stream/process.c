/*
 * The life of a traced process's state.
 */
#include "collector/stream/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "collector/base/clock.h"
#include "collector/book/inheritance.h"
#include "collector/book/run_peak.h"
#include "collector/system/proc.h"

struct process *process_new(struct run *run, const struct arrival *arrival,
                            const struct ring_plan *plan, int parts[RING_PARTS])
{
    struct process *process = calloc(1, sizeof *process);
    if (!process)
        return NULL;
    process->mirror.native.peer = &process->peer;
    if (!peer_init(&process->peer, arrival) ||
        !book_init(&process->book, &process->peer, run->ledger.keeps_history) ||
        !ring_end_init(&process->ring, arrival, plan, parts))
        return process_free(process);
    /* Who reads strange files for us, in a process of its own, has no part in it. */
    madvise(process->ring.memory, process->ring.bytes, MADV_DONTFORK);
    process->mirror.now_ns = clock_now();
    process->peer.hello_age_ns = process->mirror.now_ns - arrival->hello.clock_ns;
    process->peer.started = process->book.now = run_seconds(run, process->mirror.now_ns);
    run_peak_join(&run->ledger, &process->book);
    history_writer_set_time(&process->book.history.writer, (uint64_t)(process->book.now * 1e6));
    return process;
}

bool process_has_ended(const struct process *process)
{
    return process->peer.pidfd >= 0 ? peer_has_ended(&process->peer)
                                    : ring_end_is_gone(&process->ring);
}

/* A stream's socket goes with the program. */
bool process_is_replaced(const struct process *process)
{
    const struct ring_end *ring = &process->ring;
    if (!process->mirror.executes || atomic_load(&ring->writers->head) != ring->position)
        return false;
    return process_has_ended(process) || ring_end_is_gone(ring) ||
           peer_runs_another_program(&process->peer);
}

uint64_t process_damage(const struct process *process, enum damage reason)
{
    return process->book.damaged[reason] +
           (reason == DAMAGE_DROPPED ? ring_end_dropped(&process->ring) : 0) +
           (reason == DAMAGE_LOOKS ? process->peer.looks.refused : 0);
}

uint64_t process_lost(const struct process *process)
{
    uint64_t lost = 0;
    for (int reason = 0; reason < DAMAGE_COUNT; reason++)
        lost += process_damage(process, (enum damage)reason);
    return lost;
}

void process_retire(struct process *process)
{
    process->book.damaged[DAMAGE_DROPPED] += ring_end_dropped(&process->ring);
    peer_close(&process->peer);
    ring_end_deinit(&process->ring);
    mirror_deinit(&process->mirror);
    book_close(&process->book, inheritance_is_shared(&process->book));
}

struct process *process_free(struct process *process)
{
    if (!process)
        return NULL;
    process_retire(process);
    inheritance_leave(&process->book);
    book_deinit(&process->book);
    peer_deinit(&process->peer);
    free(process);
    return NULL;
}

/* What the thread is called now; tid 0: those that share a slot. */
static void read_thread_name(struct process *process, uint32_t tid, char name[THREAD_NAME_BYTES])
{
    char text[32] = "", file[48];
    snprintf(file, sizeof file, "task/%u/comm", tid);
    if (tid && peer_may_look(&process->peer, 1))
        proc_read(process->peer.local, file, text, sizeof text);
    text[strcspn(text, "\n")] = 0;
    snprintf(name, THREAD_NAME_BYTES, "%.15s", tid ? text : "other threads");
}

void process_thread_begin(struct run *run, struct process *process, uint32_t slot, uint32_t tid)
{
    struct thread_mirror *thread = process->mirror.slots[slot];
    if (!thread)
        thread = process->mirror.slots[slot] = calloc(1, sizeof *thread);
    if (!thread) {
        NOTE_HERE(&run->ledger.memory_short);
        return;
    }
    thread_mirror_restart(thread);
    /* The same thread announces itself again when it has to start over. */
    if (thread->who.number && thread->who.tid == tid)
        return;
    if (thread->who.number)
        thread_rows_end(&process->book.threads, &process->book.counters, &thread->who);
    thread->who.tid = tid;
    char name[THREAD_NAME_BYTES] = {0};
    read_thread_name(process, tid, name);
    thread_rows_begin(&process->book.threads, &run->ledger.thread_count, &thread->who, name);
}

void process_name_thread(struct run *run, struct process *process, uint32_t slot, const char *text)
{
    struct book *book = &process->book;
    if (process->mirror.slots[slot])
        thread_rows_rename(&book->threads, &book->counters, &run->ledger.thread_count,
                           &process->mirror.slots[slot]->who, text);
}

struct thread_mirror *process_thread(struct run *run, struct process *process, uint32_t slot)
{
    if (!process->mirror.slots[slot])
        process_thread_begin(run, process, slot, 0);
    return process->mirror.slots[slot];
}

/* POOL_SIZE of Objects/obmalloc.c: what arenas of 1 MiB have (3.10 and later), or a page. */
#define POOL_BYTES     UINT64_C(16384)
#define POOL_BYTES_OLD UINT64_C(4096)
#define POOLS_GREW     0x030a0000u

struct survey_subject process_subject(struct run *run, struct process *process)
{
    bool is_old = process->mirror.python_version && process->mirror.python_version < POOLS_GREW;
    return (struct survey_subject){.book = &process->book,
                                   .pid = process->ring.stream ? 0 : process->peer.local,
                                   .root = process->peer.root,
                                   .tree = &run->stacks.tree,
                                   .run_ns = &run->surveys_ns,
                                   .pool_bytes = is_old ? POOL_BYTES_OLD : POOL_BYTES};
}
