/*
 * Merging the streams.
 *
 * With one process there is nothing to merge: a round reads what there is. With several, a round
 * goes up to a cut, and a new cut is made when all is read up to the last one. A cut also sees what
 * the times cannot tell, because the clock has not moved: what was published before it came before
 * what will be published after it.
 *
 * Right after a cut the pidfds are asked, so that whoever lives then held its memory during all
 * that lies before the cut. Who has died has left the run's sum once its last word is read. It may
 * have held its memory for a moment longer; but those who wait for its end and then allocate do not
 * have theirs beside it.
 *
 * A stream with a hole (words reserved, not yet published) holds nobody back: its later words come
 * out of order. So does a stream whose writer lies about the time.
 */
#include "collector/stream/drain.h"

#include <poll.h>

#include "collector/base/clock.h"
#include "collector/book/run_peak.h"
#include "collector/stream/decode.h"

/* Words read from one ring before the others and the sockets have their turn. */
#define ROUND_WORDS (UINT64_C(1) << 16)
/* Words read from one of several before the clock is looked at. */
#define STEP_WORDS    (UINT64_C(1) << 14)
#define CLOCK_STEP_NS UINT64_C(1000000)
/* How long words that were reserved may stay unpublished in a process that lives. */
#define HOLE_PATIENCE_NS UINT64_C(2000000000)

/* A stream that has not been read up to the cut. */
struct source {
    struct process *process;
    uint64_t time_ns; /* of its next record */
};

struct merge {
    struct source sources[PEERS_MAX];
    unsigned count;
    uint64_t until_ns; /* later times are left alone */
};

/* Moves the writers' clocks. */
static void drain_tick(struct drain *drain, uint64_t now)
{
    if (now - drain->clock_ns < CLOCK_STEP_NS)
        return;
    drain->clock_ns = drain->run->clock_ns = now;
    for (unsigned i = 0; i < drain->count; i++)
        atomic_fetch_add_explicit(&drain->processes[i]->ring.reader->clock, 1,
                                  memory_order_relaxed);
}

/* Names of native code may take a while: what happens meanwhile has its times. */
static void tick_while_waiting(void *context)
{
    drain_tick(context, clock_now());
}

void drain_init(struct drain *drain, struct run *run)
{
    drain->run = run;
    run->stacks.while_waiting = tick_while_waiting;
    run->stacks.waiting_context = drain;
}

static void set_processes(struct drain *drain, struct process *const *processes, unsigned count)
{
    drain->processes = processes;
    drain->count = count;
}

/* Whose words have been passed over is not known; `head` is at least as far as any of them. */
static void doubt_levels(struct process *process, uint64_t head)
{
    book_damage(&process->book, DAMAGE_HOLE);
    if (process->ring.stream)
        return;
    mirror_doubt(&process->mirror, head);
    atomic_fetch_add(&process->ring.reader->skips, 1);
}

/* Passes over the words that have not been published, up to the next that has; how many. */
static uint64_t skip_hole(struct process *process, uint64_t head)
{
    uint64_t skipped = decode_skip_hole(process);
    if (skipped)
        doubt_levels(process, head);
    process->ring.stuck_since_ns = 0;
    return skipped;
}

/* Words that were reserved and are never published must not stop everything behind them. As long as
 * nobody reserves more there is no hurry, and the process may be stopped; in a ring that was full
 * when the wait began somebody waits for room who would. What was reserved before
 * the wait for one hole began has been waited for with it. Returns how many words are passed over.
 */
static uint64_t look_for_hole(struct process *process, uint64_t now)
{
    uint64_t head = atomic_load(&process->ring.writers->head);
    if (head == process->ring.position) {
        process->ring.stuck_since_ns = 0;
    } else if (process->ring.position < process->ring.waited_for) {
        return skip_hole(process, head);
    } else if (!process->ring.stuck_since_ns) {
        process->ring.stuck_since_ns = now;
        process->ring.stuck_head = head;
    } else if (now - process->ring.stuck_since_ns > HOLE_PATIENCE_NS &&
               (head != process->ring.stuck_head ||
                atomic_load(&process->ring.writers->writers_wait))) {
        process->ring.waited_for = process->ring.stuck_head;
        return skip_hole(process, head);
    }
    return 0;
}

/* What has come over sockets goes into rings. */
static void receive_streams(struct process *const *processes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ring_end_receive(&processes[i]->ring, ROUND_WORDS);
}

/* --- cuts --------------------------------------------------------------------------------------
 */

/* Cuts a stream where it stands; a head that cannot be is taken for a full ring's. */
static void cut_ring(struct process *process)
{
    uint64_t capacity = UINT64_C(1) << process->ring.log2_words;
    uint64_t head = atomic_load(&process->ring.writers->head);
    process->ring.cut = process->ring.position + capacity;
    if (head - process->ring.position <= capacity)
        process->ring.cut = head;
}

/* Notes who has died since the last cut; what they wrote until then is all there will be. Of a
 * stream more may be on its way. */
static void note_deaths(struct process *const *processes, unsigned count)
{
    struct pollfd watched[PEERS_MAX];
    for (unsigned i = 0; i < count; i++)
        watched[i] = (struct pollfd){.fd = processes[i]->peer.is_dead || processes[i]->ring.stream
                                               ? -1
                                               : processes[i]->peer.pidfd,
                                     .events = POLLIN};
    if (poll(watched, count, 0) <= 0)
        return;
    for (unsigned i = 0; i < count; i++)
        if (watched[i].revents) {
            processes[i]->peer.is_dead = true;
            cut_ring(processes[i]);
        }
}

static void make_cut(struct process *const *processes, unsigned count)
{
    bool is_news = false;
    for (unsigned i = 0; i < count; i++) {
        cut_ring(processes[i]);
        is_news |= processes[i]->ring.cut != processes[i]->ring.position;
    }
    if (is_news)
        note_deaths(processes, count);
}

/* --- merging -----------------------------------------------------------------------------------
 */

/* Looks at a source's next record; false when there is none before the cut. */
static bool source_look(struct source *source)
{
    struct process *process = source->process;
    while (process->ring.position < process->ring.cut) {
        if (decode_next_time(process, &source->time_ns))
            return true;
        if (!process->peer.is_dead || !decode_skip_hole(process))
            break;
    }
    return false;
}

/* Adds a process to the sources when there is something to read; takes a dead one out of the sum
 * when there is not. */
static void merge_add(struct merge *merge, struct run *run, struct process *process)
{
    struct source *source = &merge->sources[merge->count];
    *source = (struct source){.process = process};
    if (source_look(source))
        merge->count += source->time_ns <= merge->until_ns;
    else if (process->peer.is_dead)
        run_peak_leave(&run->ledger, &process->book);
}

static void merge_init(struct merge *merge, struct run *run, struct process *const *processes,
                       unsigned count, uint64_t until_ns)
{
    merge->count = 0;
    merge->until_ns = until_ns;
    for (unsigned i = 0; i < count; i++)
        merge_add(merge, run, processes[i]);
}

/* Takes out the source whose time is the earliest; *next_ns: the earliest of the others, or where
 * all end. */
static struct process *merge_take(struct merge *merge, uint64_t *next_ns)
{
    unsigned first = 0;
    *next_ns = merge->until_ns;
    for (unsigned i = 1; i < merge->count; i++) {
        uint64_t time_ns = merge->sources[i].time_ns, earliest = merge->sources[first].time_ns;
        uint64_t later = time_ns < earliest ? earliest : time_ns;
        *next_ns = later < *next_ns ? later : *next_ns;
        first = time_ns < earliest ? i : first;
    }
    struct process *process = merge->sources[first].process;
    merge->sources[first] = merge->sources[--merge->count];
    return process;
}

/* Reads the earliest source up to where another one is earlier. */
static uint64_t merge_step(struct merge *merge, struct run *run)
{
    uint64_t next_ns;
    struct process *process = merge_take(merge, &next_ns);
    uint64_t left = process->ring.cut - process->ring.position;
    uint64_t words = decode_ring(run, process, left < STEP_WORDS ? left : STEP_WORDS, next_ns);
    /* A writer that takes back or changes what was looked at has had its turn. */
    if (words) {
        process->ring.stuck_since_ns = 0;
        merge_add(merge, run, process);
    }
    return words;
}

/* Reads up to the cut, but not much more than `words` words; returns how many. */
static uint64_t read_to_cut(struct drain *drain, struct merge *merge, uint64_t words)
{
    uint64_t read = 0;
    while (merge->count && read < words) {
        read += merge_step(merge, drain->run);
        drain_tick(drain, clock_now());
    }
    return read;
}

/* --- what the session asks for -----------------------------------------------------------------
 */

static uint64_t round_of_one(struct drain *drain, struct process *process, uint64_t now)
{
    uint64_t read = decode_ring(drain->run, process, ROUND_WORDS, DECODE_ALL);
    if (!read)
        return look_for_hole(process, now);
    process->ring.stuck_since_ns = 0;
    return read;
}

static uint64_t round_of_several(struct drain *drain, struct process *const *processes,
                                 unsigned count, uint64_t now)
{
    struct merge merge;
    merge_init(&merge, drain->run, processes, count, DECODE_ALL);
    if (!merge.count) {
        make_cut(processes, count);
        merge_init(&merge, drain->run, processes, count, DECODE_ALL);
    }
    uint64_t read = read_to_cut(drain, &merge, ROUND_WORDS * count);
    for (unsigned i = 0; i < count; i++)
        read += look_for_hole(processes[i], now);
    return read;
}

uint64_t drain_round(struct drain *drain, struct process *const *processes, unsigned count,
                     uint64_t now)
{
    uint64_t read = 0;
    set_processes(drain, processes, count);
    drain_tick(drain, now);
    receive_streams(processes, count);
    if (count)
        read = count == 1 ? round_of_one(drain, processes[0], now)
                          : round_of_several(drain, processes, count, now);
    set_processes(drain, NULL, 0);
    return read;
}

/* Up to the cut, which is not moved: others may have the memory still, and go on writing. */
static void read_alone(struct run *run, struct process *process, bool skips_holes)
{
    while (process->ring.position < process->ring.cut &&
           (decode_ring(run, process, process->ring.cut - process->ring.position, DECODE_ALL) ||
            (skips_holes && decode_skip_hole(process))))
        ;
}

static void drain_until(struct drain *drain, struct process *const *processes, unsigned count,
                        uint64_t until_ns)
{
    struct merge merge;
    merge_init(&merge, drain->run, processes, count, until_ns);
    read_to_cut(drain, &merge, UINT64_MAX);
}

void drain_to_now(struct drain *drain, struct process *const *processes, unsigned count)
{
    set_processes(drain, processes, count);
    receive_streams(processes, count);
    make_cut(processes, count);
    drain_until(drain, processes, count, DECODE_ALL);
    set_processes(drain, NULL, 0);
}

uint64_t drain_make_cut(struct process *const *processes, unsigned count)
{
    make_cut(processes, count);
    return clock_now();
}

void drain_to_cut(struct drain *drain, struct process *const *processes, unsigned count,
                  uint64_t cut_ns)
{
    set_processes(drain, processes, count);
    receive_streams(processes, count);
    for (unsigned i = 0; i < count; i++)
        if (processes[i]->ring.stream)
            cut_ring(processes[i]);
    drain_until(drain, processes, count, cut_ns);
    set_processes(drain, NULL, 0);
}

void drain_to_end(struct drain *drain, struct process *process, bool lives_on)
{
    uint64_t left = STREAM_REST_WORDS, received;
    do {
        received = ring_end_receive(&process->ring, left < ROUND_WORDS ? left : ROUND_WORDS);
        left -= received < left ? received : left;
        cut_ring(process);
        read_alone(drain->run, process, !lives_on);
    } while (received);
    /* A head that cannot be. */
    if (!lives_on && atomic_load(&process->ring.writers->head) != process->ring.position)
        book_damage(&process->book, DAMAGE_HOLE);
    run_peak_leave(&drain->run->ledger, &process->book);
}
