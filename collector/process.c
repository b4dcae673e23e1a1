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
#include "text.h"

/* Ends of the program's own code that are noted whatever happens between. */
#define ENDS_FREE 64u

bool run_init(struct run *run)
{
    *run = (struct run){0};
    return codes_init(&run->codes) && stack_tree_init(&run->tree) &&
           native_table_init(&run->native) && chunk_writer_init(&run->chunk);
}

void run_deinit(struct run *run)
{
    codes_deinit(&run->codes);
    stack_tree_deinit(&run->tree);
    native_table_deinit(&run->native);
    chunk_writer_deinit(&run->chunk);
    inheritance_free_all(run);
    run_peak_deinit(&run->peak);
    endings_deinit(&run->endings);
    absences_deinit(&run->absences);
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
    if (!peer_init(&process->peer, arrival) || !live_heap_init(&process->heap) ||
        !history_queue_init(&process->history, run->keeps_history) ||
        !ring_end_init(&process->ring, arrival, plan, parts))
        return process_free(process);
    /* Who reads strange files for us, in a process of its own, has no part in it. */
    madvise(process->ring.memory, process->ring.bytes, MADV_DONTFORK);
    process->now_ns = clock_now();
    process->peer.hello_age_ns = process->now_ns - arrival->hello.clock_ns;
    process->peer.started = process->now = run_seconds(run, process->now_ns);
    run_peak_join(run, process);
    history_writer_set_time(&process->history.writer, (uint64_t)(process->now * 1e6));
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
    process->damaged += ring_end_dropped(&process->ring);
    peer_close(&process->peer);
    ring_end_deinit(&process->ring);
    free_mirrors(process);
    vector_deinit(&process->modules.list);
    made_code_deinit(&process->made_code);
    perf_map_deinit(&process->perf_map);
    vector_deinit(&process->code_numbers);
    vector_deinit(&process->description.data);
    vector_deinit(&process->text.data);
    vector_deinit(&process->latest);
    ended_threads_deinit(&process->ended_threads);
    if (!inheritance_is_shared(process))
        live_heap_deinit(&process->heap);
}

struct process *process_free(struct process *process)
{
    if (!process)
        return NULL;
    process_retire(process);
    inheritance_leave(process);
    live_heap_deinit(&process->heap);
    mappings_deinit(&process->mappings);
    counters_deinit(&process->counters);
    vector_deinit(&process->threads);
    vector_deinit(&process->end);
    history_queue_deinit(&process->history);
    samples_deinit(&process->samples);
    slices_deinit(&process->slices);
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

/* The row's index; that of the last one where memory is short. */
static uint32_t add_thread_row(struct process *process, uint32_t number, uint32_t tid,
                               const char *name)
{
    uint32_t count = process->threads_count;
    if (!vector_reserve(&process->threads, (size_t)count + 1, sizeof(struct thread_row)))
        return count ? count - 1 : 0;
    struct thread_row *row = (struct thread_row *)process->threads.data + count;
    *row = (struct thread_row){.number = number, .tid = tid};
    snprintf(row->name, sizeof row->name, "%s", name);
    return process->threads_count++;
}

/* The slot's thread has ended. */
static void end_thread(struct process *process, const struct thread_mirror *thread)
{
    struct ended_thread ended = {.number = thread->number, .row = thread->row};
    if (thread->row >= process->threads_count)
        return;
    const struct thread_row *row = (const struct thread_row *)process->threads.data + thread->row;
    memcpy(ended.name, row->name, sizeof ended.name);
    ended_threads_add(&process->ended_threads, &process->counters, &ended);
}

static void call_row(struct process *process, uint32_t row, const char name[THREAD_NAME_BYTES])
{
    struct thread_row *called = (struct thread_row *)process->threads.data + row;
    if (strcmp(called->name, name) == 0)
        return;
    memcpy(called->name, name, sizeof called->name);
    if (process->threads_written > row)
        process->threads_written = row;
}

/* Takes the number of one that has ended. False: there is none. */
static bool take_number(struct process *process, struct thread_mirror *thread,
                        const char name[THREAD_NAME_BYTES])
{
    struct ended_thread ended;
    if (!ended_threads_take(&process->ended_threads, name, &ended))
        return false;
    thread->number = ended.number;
    thread->row = ended.row;
    ((struct thread_row *)process->threads.data + ended.row)->is_shared = true;
    if (strcmp(ended.name, name) != 0)
        ended_threads_common_name(ended.name);
    call_row(process, ended.row, ended.name);
    return true;
}

/* The number of one that has ended, or a new one. */
static void number_thread(struct run *run, struct process *process, struct thread_mirror *thread,
                          const char name[THREAD_NAME_BYTES])
{
    if (take_number(process, thread, name))
        return;
    thread->number = ++run->thread_count;
    thread->row = add_thread_row(process, thread->number, thread->tid, name);
}

void process_name_thread(struct run *run, struct process *process, uint32_t slot, const char *text)
{
    struct thread_mirror *thread = process->mirrors[slot];
    char name[THREAD_NAME_BYTES] = {0}, common[THREAD_NAME_BYTES];
    text_cut(name, sizeof name, text);
    memcpy(common, name, sizeof common);
    ended_threads_common_name(common);
    if (!thread || thread->row >= process->threads_count || !name[0])
        return;
    const struct thread_row *row = (const struct thread_row *)process->threads.data + thread->row;
    if (strcmp(row->name, name) == 0 || strcmp(row->name, common) == 0)
        return;
    /* What it leaves is the name that it had, and what it has done under that. */
    struct thread_mirror before = *thread;
    bool is_shared = row->is_shared;
    if (take_number(process, thread, name))
        end_thread(process, &before);
    else if (!is_shared)
        call_row(process, thread->row, name);
    else {
        end_thread(process, &before);
        number_thread(run, process, thread, name);
    }
}

void process_thread_begin(struct run *run, struct process *process, uint32_t slot, uint32_t tid)
{
    struct thread_mirror *thread = process->mirrors[slot];
    if (!thread)
        thread = process->mirrors[slot] = calloc(1, sizeof *thread);
    if (!thread) {
        run->memory_short = true;
        return;
    }
    thread->depth = thread->valid = thread->known = 0;
    thread->native.depth = thread->native.valid = 0;
    thread->native.top = NULL;
    /* The same thread announces itself again when it has to start over. */
    if (thread->number && thread->tid == tid)
        return;
    if (thread->number)
        end_thread(process, thread);
    thread->tid = tid;
    char name[THREAD_NAME_BYTES] = {0};
    read_thread_name(process, tid, name);
    number_thread(run, process, thread, name);
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

/* May the end be noted once more? */
static bool may_end(struct process *process)
{
    uint64_t since = process->sums.events - process->end_events;
    if (process->ends_noted >= ENDS_FREE && since < process->counters.count)
        return false;
    process->ends_noted += process->ends_noted < ENDS_FREE;
    return true;
}

void process_note_end(struct run *run, struct process *process)
{
    if (!may_end(process)) {
        process->damaged++;
        return;
    }
    process->end_seen = true;
    process->end_time = process->now;
    process->end_bytes = process->sums.bytes;
    process->end_blocks = process->sums.blocks;
    process->end_events = process->sums.events;
    process->end_count = 0;
    for (uint32_t i = 1; i < process->counters.count; i++) {
        const struct counter *counter = counters_at(&process->counters, i);
        if (!counter->blocks)
            continue;
        size_t count = process->end_count;
        if (!vector_reserve(&process->end, count + 1, sizeof(struct end_entry))) {
            run->memory_short = true;
            return;
        }
        ((struct end_entry *)process->end.data)[count] =
            (struct end_entry){i, counter->blocks, counter->bytes};
        process->end_count++;
    }
    slices_end(run, process);
}
