/*
 * The life of a traced process's state.
 */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "inheritance.h"
#include "owner.h"
#include "proc.h"
#include "root_file.h"
#include "settings.h"
#include "text.h"
#include "whereabouts.h"

/* Ends of the program's own code that are noted whatever happens between. */
#define ENDS_FREE 64u

/* Between looks at a process's title: so soon after the first, then twice as long each time. */
#define TITLE_FIRST_NS UINT64_C(20000000)
#define TITLE_LAST_NS  UINT64_C(1000000000)

/* From its clock's look to its admission, at most. */
#define HELLO_TAKES_NS UINT64_C(20000000000)

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

static bool describe(struct process *process, const struct arrival *arrival)
{
    struct whereabouts whereabouts;
    char path[64];
    bool known = whereabouts_init(&whereabouts, arrival);
    process->command = whereabouts.command;
    process->directory = whereabouts.folder;
    whereabouts.command = whereabouts.folder = NULL;
    whereabouts_deinit(&whereabouts);
    process->parent = (pid_t)arrival->hello.parent;
    if (process->local) {
        snprintf(path, sizeof path, "/proc/%d/root", (int)process->local);
        process->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (!root_set_reader(process->root, arrival->peer.user))
            return false;
        struct proc_stat stat;
        proc_read_stat(process->local, &stat);
        process->parent = stat.parent ? stat.parent : process->parent; /* 0: it is gone */
        process->arguments = stat.arguments;
        process->settings = settings_of(process->local);
    }
    return known;
}

/* --- the ring ----------------------------------------------------------------------------------
 */

/* Reserves its memory: a page of our own (owner.h), the reader's page, the writers' memory. */
static bool reserve_ring(struct process *process, unsigned log2_words)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    process->log2_words = log2_words;
    process->ring_size = 2 * page + ring_writers_bytes(log2_words);
    char *memory =
        mmap(NULL, process->ring_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    process->ring_memory = memory;
    process->reader = (struct ring_reader_page *)(void *)(memory + page);
    process->writers = (struct ring_writers_page *)(void *)(memory + 2 * page);
    process->words = ring_words(process->writers);
    return true;
}

/* Puts a memfd in the place of private memory, and seals it then: what is mapped already stays
 * writable. A peer that could shrink it would make us fault. */
static int share(void *place, size_t bytes, const char *name, int seals)
{
    int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0)
        return -1;
    if (ftruncate(descriptor, (off_t)bytes) == 0 &&
        mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, 0) !=
            MAP_FAILED &&
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | seals) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

bool process_can_share_ring(void)
{
    static enum { UNKNOWN, NO, YES } answer;
    int trial = answer == UNKNOWN ? memfd_create("heapline", MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1;
    if (trial >= 0) {
        answer = fcntl(trial, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0 ? YES : NO;
        close(trial);
    }
    return answer != NO;
}

static bool share_ring(const struct process *process, int parts[RING_PARTS])
{
    parts[RING_READER] =
        share(process->reader, RING_PAGE_BYTES, "heapline reader", F_SEAL_FUTURE_WRITE);
    parts[RING_WRITERS] =
        share(process->writers, ring_writers_bytes(process->log2_words), "heapline ring", 0);
    return parts[RING_READER] >= 0 && parts[RING_WRITERS] >= 0;
}

/* What its writers are to know; those of a stream are told with the welcome. */
static void prepare_ring(const struct process *process, const struct process_plan *plan)
{
    process->reader->magic = RING_MAGIC;
    process->reader->log2_words = plan->log2_words;
    process->reader->overflow = plan->overflow;
    process->reader->patience_ns = plan->patience_ns;
}

static bool open_ring(const struct process *process, const struct process_plan *plan,
                      int parts[RING_PARTS])
{
    if (share_ring(process, parts)) {
        prepare_ring(process, plan);
        if (owner_hold(&process->reader->owner))
            return true;
    }
    process_close_parts(parts);
    return false;
}

/* The kernel tells the writers of our death, but not of this end. */
static void close_ring(const struct process *process)
{
    if (process->reader) {
        uint32_t open = RING_OPEN;
        atomic_compare_exchange_strong(&process->reader->state, &open, RING_CLOSED);
        owner_release(&process->reader->owner);
        munmap(process->ring_memory, process->ring_size);
    }
}

void process_close_parts(int parts[RING_PARTS])
{
    for (int i = 0; i < RING_PARTS; i++) {
        if (parts[i] >= 0)
            close(parts[i]);
        parts[i] = -1;
    }
}

/* A process on this host usually has our clock. Who says hello from the future, or from longer ago
 * than a hello may take, has another one: a time namespace's, or a made-up one. */
static void set_clock_offset(struct process *process, const struct arrival *arrival)
{
    uint64_t offset = clock_now() - arrival->hello.clock_ns;
    bool same = arrival->hello.clock_ns == 0 || offset <= HELLO_TAKES_NS;
    if (arrival->hello.carrier != HELLO_RING || !same)
        process->clock_offset = offset;
}

static bool open_carrier(struct process *process, const struct arrival *arrival,
                         const struct process_plan *plan, int parts[RING_PARTS])
{
    parts[RING_READER] = parts[RING_WRITERS] = -1;
    set_clock_offset(process, arrival);
    if (!reserve_ring(process, plan->log2_words))
        return false;
    if (arrival->hello.carrier == HELLO_RING)
        return open_ring(process, plan, parts);
    prepare_ring(process, plan);
    return (process->stream = stream_reader_new(arrival->connection)) != NULL;
}

static void identify(struct process *process, const struct arrival *arrival)
{
    process->place = arrival_place(arrival);
    process->local = arrival->peer.pid;
    process->pid = process->local ? process->local : (pid_t)arrival->hello.process;
    process->python_version = arrival->hello.python_version;
}

/* Of a process whose parent has waited for it already: one that says, as others do, that it has
 * ended. */
static void open_pidfd(struct process *process)
{
    process->pidfd = (int)syscall(SYS_pidfd_open, process->local, 0);
    process->was_gone = process->pidfd < 0 && errno == ESRCH;
    if (process->was_gone)
        process->pidfd = eventfd(1, EFD_CLOEXEC);
}

/* Nobody waits for an answer for so short a time. */
#define ANSWER_AWAITED_NS UINT64_C(250000000)

bool process_went_on_alone(const struct process *process)
{
    if (!process->was_gone || process->ending.signal)
        return false;
    return process->ending.exit_status >= 0 || process->hello_age_ns > ANSWER_AWAITED_NS;
}

struct process *process_new(struct run *run, const struct arrival *arrival,
                            const struct process_plan *plan, int parts[RING_PARTS])
{
    struct process *process = calloc(1, sizeof *process);
    if (!process)
        return NULL;
    identify(process, arrival);
    process->pidfd = -1;
    process->root = ROOT_NONE;
    process->ending = ENDING_UNKNOWN;
    if (process->local)
        open_pidfd(process);
    if ((process->local && process->pidfd < 0) || !live_heap_init(&process->heap) ||
        !history_queue_init(&process->history, run->keeps_history) || !describe(process, arrival) ||
        !open_carrier(process, arrival, plan, parts))
        return process_free(process);
    /* Who reads strange files for us, in a process of its own, has no part in it. */
    madvise(process->ring_memory, process->ring_size, MADV_DONTFORK);
    process->now_ns = clock_now();
    process->hello_age_ns = process->now_ns - arrival->hello.clock_ns;
    process->started = process->now = run_seconds(run, process->now_ns);
    run_peak_join(run, process);
    history_writer_set_time(&process->history.writer, (uint64_t)(process->started * 1e6));
    return process;
}

void process_look_at_title(struct process *process, uint64_t now_ns)
{
    if (!process->local || now_ns < process->next_title_ns)
        return;
    uint64_t pause = 2 * process->title_pause_ns;
    process->title_pause_ns = !pause                  ? TITLE_FIRST_NS
                              : pause > TITLE_LAST_NS ? TITLE_LAST_NS
                                                      : pause;
    process->next_title_ns = now_ns + process->title_pause_ns;
    struct proc_stat stat;
    char *title = whereabouts_read_title(process->local);
    /* Looked at afterwards: the title may be that of a program that has taken its place. */
    proc_read_stat(process->local, &stat);
    if (!title || stat.arguments != process->arguments) {
        free(title);
        return;
    }
    free(process->command);
    process->command = title;
}

bool process_has_ended(const struct process *process)
{
    struct pollfd watched = {.fd = process->pidfd, .events = POLLIN};
    if (process->pidfd >= 0)
        return poll(&watched, 1, 0) > 0;
    return process->stream && process->stream->gone_ns;
}

/* The kernel knows where the arguments lie; another program's lie elsewhere. A stream's socket goes
 * with the program. */
bool process_is_replaced(const struct process *process)
{
    struct proc_stat stat;
    if (!process->executes || atomic_load(&process->writers->head) != process->position)
        return false;
    if (process_has_ended(process) || (process->stream && process->stream->gone_ns))
        return true;
    return process->local && process->arguments && proc_read_stat(process->local, &stat) &&
           stat.arguments != process->arguments;
}

uint64_t process_receive(struct process *process, uint64_t words)
{
    return process->stream ? stream_reader_fill(process->stream, process->writers, process->words,
                                                process->log2_words, process->position, words)
                           : 0;
}

static void close_descriptor(int *descriptor, int none)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = none;
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
    process->damaged = process_lost(process);
    close_descriptor(&process->pidfd, -1);
    close_descriptor(&process->root, ROOT_NONE);
    close_ring(process);
    stream_reader_free(process->stream, process->farewell);
    process->reader = NULL;
    process->writers = NULL;
    process->stream = NULL;
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
    free(process->command);
    free(process->directory);
    free(process->settings);
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

bool process_may_look(struct process *process, unsigned looks)
{
    bool may = allowance_take(&process->looks, process->now - process->started, looks);
    process->damaged += !may;
    return may;
}

/* What the thread is called now; tid 0: those that share a slot. */
static void read_thread_name(struct process *process, uint32_t tid, char name[THREAD_NAME_BYTES])
{
    char text[32] = "", file[48];
    snprintf(file, sizeof file, "task/%u/comm", tid);
    if (tid && process_may_look(process, 1))
        proc_read(process->local, file, text, sizeof text);
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
