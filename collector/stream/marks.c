/*
 * Each mark is told to those whom it concerns: the mirror, the book, the run's lists of who is
 * expected and who has ended.
 */
#include "collector/stream/marks.h"

#include "collector/book/inheritance.h"
#include "collector/book/program_end.h"
#include "collector/stream/descriptions.h"
#include "collector/stream/stack_records.h"

/* Applies what REFUSED says of the stack; returns the innermost location, 0 when there is none. */
static uint32_t refused_at(struct cursor *cursor, uint64_t second)
{
    struct process *process = cursor->process;
    uint64_t change = second >> WIRE_SIZE_SHIFT & WIRE_DEPTH_CHANGE_MASK;
    if (second & WIRE_NO_STACK_BIT)
        return 0;
    struct thread_mirror *thread =
        process_thread(cursor->run, process, second >> WIRE_THREAD_SHIFT & WIRE_THREAD_MASK);
    change <<= WIRE_DEPTH_CHANGE_SHIFT;
    if (!thread || (!stack_apply_change(cursor, thread, change, second) &&
                    !stack_apply_doubted(cursor, thread, change, second))) {
        book_damage(&process->book, DAMAGE_STACK);
        return 0;
    }
    for (uint32_t level = thread->depth; level-- > 0;)
        if (thread->levels[level].location)
            return thread->levels[level].location;
    return 0;
}

/* A child that was spawned may have said hello before its parent could tell. */
#define SPAWN_SLACK_NS UINT64_C(1000000000)

static void on_executed(struct cursor *cursor, uint64_t value)
{
    const struct process *process = cursor->process;
    uint64_t ago = (value & WIRE_EXECUTED_MS_MASK) * 1000000u;
    if (!cursor->run->has_no_children)
        absences_expect(&cursor->run->ledger.absences, process->peer.host,
                        (pid_t)(value >> WIRE_EXECUTED_PID_SHIFT),
                        process->mirror.now_ns - (ago ? ago + SPAWN_SLACK_NS : 0));
}

static void on_child_ended(struct cursor *cursor, uint64_t value)
{
    const struct process *process = cursor->process;
    pid_t pid = (pid_t)(value >> WIRE_CHILD_PID_SHIFT);
    int status = (int)(value & WIRE_CHILD_STATUS_MASK);
    endings_tell(&cursor->run->endings, &process->peer, pid, status);
    absences_child_ended(&cursor->run->ledger.absences, process->peer.host, pid, status,
                         process->mirror.now_ns);
}

static unsigned on_refused(struct cursor *cursor, uint64_t bytes)
{
    struct process *process = cursor->process;
    uint64_t second;
    bool has_place = read_continuation(process, cursor->position + 1, &second);
    uint32_t location = has_place ? refused_at(cursor, second) : 0;
    process->book.refusals.count++;
    if (bytes > process->book.refusals.most) {
        process->book.refusals.most = bytes;
        process->book.refusals.location = location;
    }
    return 1 + has_place;
}

/* Words of other threads that do not matter: a thousand blocks. */
#define WORDS_BESIDE 4096u

/* Has it taken itself apart already, as it does not wait for long? */
static bool has_gone_on(const struct cursor *cursor)
{
    return atomic_load(&cursor->process->ring.writers->head) - cursor->position > WORDS_BESIDE;
}

/* Ends are looked at for a part of the run's time, and so much is free: a hundred workers that end
 * together each have all that their parent had. */
#define ENDS_SHARE   20u
#define ENDS_FREE_NS UINT64_C(300000000)

static bool may_survey(const struct cursor *cursor)
{
    const struct run *run = cursor->run;
    uint64_t now = cursor->process->mirror.now_ns;
    uint64_t passed = now > run->started_ns ? now - run->started_ns : 0;
    return run->surveys_ns < ENDS_FREE_NS + passed / ENDS_SHARE;
}

/* The process waits until this has been read: what stands behind it is left until it is. */
static void on_program_end(struct cursor *cursor)
{
    const struct survey_subject subject = process_subject(cursor->run, cursor->process);
    if (!program_end_note(&cursor->run->ledger, &cursor->process->book) || !may_survey(cursor) ||
        !survey_begin(&subject, RESIDENT_AT_END, cursor->process->book.now))
        return;
    if (has_gone_on(cursor))
        survey_forget(&subject);
    else
        cursor->end = cursor->position + 1;
}

unsigned on_mark(struct cursor *cursor, uint64_t first)
{
    struct process *process = cursor->process;
    uint64_t whole = first & WIRE_MARK_VALUE_MASK;
    uint32_t value = (uint32_t)whole;
    switch (first >> WIRE_MARK_SHIFT & WIRE_MARK_MASK) {
    case WIRE_MARK_PYTHON:
        process->mirror.python_version = value;
        break;
    case WIRE_MARK_UNKNOWN_PYTHON:
        process->mirror.python_version = value;
        process->mirror.stacks_unreadable = true;
        break;
    case WIRE_MARK_PROGRAM_END:
        on_program_end(cursor);
        break;
    case WIRE_MARK_FORK:
        if (!cursor->run->has_no_children)
            inheritance_note(&cursor->run->ledger, &process->book, value);
        break;
    case WIRE_MARK_CHILD_ENDED:
        on_child_ended(cursor, whole);
        break;
    case WIRE_MARK_REFUSED:
        return on_refused(cursor, whole);
    case WIRE_MARK_EXECUTED:
        on_executed(cursor, whole);
        break;
    case WIRE_MARK_NOT_EXECUTED:
        absences_take_back(&cursor->run->ledger.absences, process->peer.host,
                           (pid_t)(whole >> WIRE_EXECUTED_PID_SHIFT));
        break;
    case WIRE_MARK_REPLACED:
    case WIRE_MARK_NOT_REPLACED:
        process->mirror.executes =
            (first >> WIRE_MARK_SHIFT & WIRE_MARK_MASK) == WIRE_MARK_REPLACED;
        break;
    case WIRE_MARK_NOT_FORKED:
        inheritance_free(
            inheritance_take(&cursor->run->ledger, process->peer.host, process->peer.pid, value));
        break;
    case WIRE_MARK_ABANDONED:
        break;
    case WIRE_MARK_TEXT:
        return on_text(cursor, whole);
    case WIRE_MARK_THREAD_NAME:
        return on_thread_name(cursor, whole);
    case WIRE_MARK_MADE_CODE:
        return on_made_code(cursor, whole);
    default:
        book_damage(&process->book, DAMAGE_UNKNOWN);
    }
    return 1;
}
