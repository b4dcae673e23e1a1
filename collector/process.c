/*
 * The life of a traced process's state.
 */
#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "inheritance.h"
#include "proc.h"
#include "run_peak.h"

bool run_init(struct run *run)
{
    *run = (struct run){0};
    return codes_init(&run->codes) && stack_tree_init(&run->tree) &&
           native_table_init(&run->native) && ledger_init(&run->ledger);
}

void run_deinit(struct run *run)
{
    codes_deinit(&run->codes);
    stack_tree_deinit(&run->tree);
    native_table_deinit(&run->native);
    inheritance_free_all(&run->ledger);
    ledger_deinit(&run->ledger);
    endings_deinit(&run->endings);
    lineages_deinit(&run->lineages);
}

double run_seconds(const struct run *run, uint64_t monotonic_ns)
{
    return monotonic_ns > run->started_ns ? (double)(monotonic_ns - run->started_ns) / 1e9 : 0;
}

struct process *process_new(struct run *run, const struct arrival *arrival,
                            const struct ring_plan *plan, int parts[RING_PARTS])
{
    struct process *process = calloc(1, sizeof *process);
    if (!process)
        return NULL;
    if (!peer_init(&process->peer, arrival) ||
        !book_init(&process->book, &process->peer, run->ledger.keeps_history) ||
        !ring_end_init(&process->ring, arrival, plan, parts))
        return process_free(process);
    /* Who reads strange files for us, in a process of its own, has no part in it. */
    madvise(process->ring.memory, process->ring.bytes, MADV_DONTFORK);
    process->now_ns = clock_now();
    process->peer.hello_age_ns = process->now_ns - arrival->hello.clock_ns;
    process->peer.started = process->book.now = run_seconds(run, process->now_ns);
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
    if (!process->executes || atomic_load(&ring->writers->head) != ring->position)
        return false;
    return process_has_ended(process) || ring_end_is_gone(ring) ||
           peer_runs_another_program(&process->peer);
}

static void free_mirrors(struct process *process)
{
    for (unsigned i = 0; i < WIRE_THREAD_SLOTS; i++)
        if (process->mirrors[i]) {
            free(process->mirrors[i]->levels);
            native_mirror_deinit(&process->mirrors[i]->native);
            free(process->mirrors[i]);
            process->mirrors[i] = NULL;
        }
}

void process_retire(struct process *process)
{
    process->book.damaged += ring_end_dropped(&process->ring);
    peer_close(&process->peer);
    ring_end_deinit(&process->ring);
    free_mirrors(process);
    vector_deinit(&process->modules.list);
    made_code_deinit(&process->made_code);
    perf_map_deinit(&process->perf_map);
    vector_deinit(&process->code_numbers);
    vector_deinit(&process->description.data);
    vector_deinit(&process->text.data);
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

bool thread_mirror_reserve(struct thread_mirror *thread, uint32_t levels)
{
    if (levels <= thread->capacity)
        return true;
    uint32_t capacity = thread->capacity ? thread->capacity : 64;
    while (capacity < levels)
        capacity *= 2;
    struct mirror_level *grown = realloc(thread->levels, capacity * sizeof *grown);
    if (!grown)
        return false;
    memset(grown + thread->capacity, 0, (capacity - thread->capacity) * sizeof *grown);
    thread->levels = grown;
    thread->capacity = capacity;
    return true;
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
    struct thread_mirror *thread = process->mirrors[slot];
    if (!thread)
        thread = process->mirrors[slot] = calloc(1, sizeof *thread);
    if (!thread) {
        run->ledger.memory_short = true;
        return;
    }
    thread->depth = thread->valid = thread->known = 0;
    thread->native.depth = thread->native.valid = 0;
    thread->native.top = NULL;
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
    if (process->mirrors[slot])
        thread_rows_rename(&book->threads, &book->counters, &run->ledger.thread_count,
                           &process->mirrors[slot]->who, text);
}

/* What is on its way has lost a part, or all. */
static void doubt_arriving(struct process *process)
{
    if (process->description.code < process->code_numbers_count)
        ((uint32_t *)process->code_numbers.data)[process->description.code] = 0;
    process->description.code = WIRE_CODE_NONE;
    process->text.code = WIRE_CODE_NONE;
}

void process_doubt_stacks(struct process *process, uint64_t until)
{
    doubt_arriving(process);
    process->doubted_until = until;
    for (unsigned i = 0; i < WIRE_THREAD_SLOTS; i++) {
        struct thread_mirror *thread = process->mirrors[i];
        if (!thread || thread->depth == MIRROR_DOUBTED)
            continue;
        thread->doubted_depth = thread->depth;
        thread->depth = MIRROR_DOUBTED;
    }
}

struct thread_mirror *process_thread(struct run *run, struct process *process, uint32_t slot)
{
    if (!process->mirrors[slot])
        process_thread_begin(run, process, slot, 0);
    return process->mirrors[slot];
}
