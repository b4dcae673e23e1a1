/*
 * Words for endings. That the kernel killed for want of memory is said only where it is known; a
 * SIGKILL may come from anywhere.
 */
#include "viewer/format/ending_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/utf8.h"
#include "viewer/format/names.h"
#include "viewer/recording/command_line.h"
#include "viewer/recording/endings.h"

/* For a place within a sentence. */
#define PLACE_COLUMNS 100u

/* "SIGTERM", "signal 64" */
static struct size_text signal_name(int64_t number)
{
    struct size_text text;
    const char *name = sigabbrev_np((int)number);
    if (name)
        snprintf(text.text, sizeof text.text, "SIG%s", name);
    else
        snprintf(text.text, sizeof text.text, "signal %" PRId64, number);
    return text;
}

static char *killed_text(const struct process *process)
{
    if (process->ending.out_of_memory)
        return memory_copy("was killed by the kernel for want of memory (OOM)");
    return memory_print("was killed by %s%s", signal_name(process->signal).text,
                        process->ending.core_dumped ? " (core dumped)" : "");
}

char *ending_text(const struct recording *recording, const struct process *process)
{
    switch (process->ending.kind) {
    case ENDING_EXITED:
        return memory_print("ended with status %" PRId64, process->exit_status);
    case ENDING_KILLED:
        return killed_text(process);
    case ENDING_EXECUTED:
        return memory_copy("replaced itself (exec)");
    case ENDING_RUNNING:
        return memory_copy(isnan(recording->run.seconds)
                               ? "was still running when last recorded"
                               : "was still running when the recording ended");
    default:
        return memory_copy("ended in an unknown way");
    }
}

struct size_text ending_word(const struct process *process)
{
    switch (process->ending.kind) {
    case ENDING_EXITED:
        return count_format((uint64_t)process->exit_status);
    case ENDING_KILLED:
        return signal_name(process->signal);
    default: {
        struct size_text text;
        snprintf(text.text, sizeof text.text, "%s", ending_names[process->ending.kind]);
        return text;
    }
    }
}

char *ending_held_text(const struct process *process)
{
    if (process->ending.kind != ENDING_KILLED)
        return NULL;
    CLEANUP(cleanup_free)
    char *held = memory_print(
        "when it held %s in %" PRIu64 " block%s", size_format(process->sums.leaked_bytes).text,
        process->sums.leaked_blocks, process->sums.leaked_blocks == 1 ? "" : "s");
    uint64_t ours = process->ending.collector_bytes;
    if (!ours)
        return memory_copy(held);
    return memory_print("%s, and heapline's collector, of the same limit, %s", held,
                        size_format(ours).text);
}

char *refusals_text(const struct recording *recording, const struct process *process)
{
    const struct ending *ending = &process->ending;
    if (!ending->refused)
        return NULL;
    struct size_text most = size_format(ending->most_refused);
    const struct frame *frame = ending_refused_at(recording, process);
    CLEANUP(cleanup_free)
    char *place = frame ? name_of_frame(recording, frame, GROUP_BY_LINE, PLACE_COLUMNS) : NULL;
    const char *at = place ? " at " : "";
    if (ending->refused == 1)
        return memory_print("an allocation of %s failed%s%s", most.text, at, place ? place : "");
    return memory_print("%" PRIu64 " allocations failed, the largest of %s%s%s", ending->refused,
                        most.text, at, place ? place : "");
}

char *ending_note(const struct recording *recording, const struct process *process,
                  const char *subject)
{
    CLEANUP(cleanup_free) char *refusals = refusals_text(recording, process);
    if (!ending_is_remarkable(process))
        return refusals ? memory_print("%s %" PRId64 ": %s", subject, process->pid, refusals)
                        : NULL;
    CLEANUP(cleanup_free) char *ending = ending_text(recording, process);
    CLEANUP(cleanup_free) char *held = ending_held_text(process);
    return memory_print("%s %" PRId64 " %s%s%s%s%s", subject, process->pid, ending, held ? " " : "",
                        held ? held : "", refusals ? "; " : "", refusals ? refusals : "");
}

char *ending_command(const struct recording *recording, const struct process *process)
{
    if (process->ending.kind != ENDING_KILLED || !process->sums.leaked_blocks)
        return NULL;
    CLEANUP(cleanup_free)
    char *path = utf8_clean(recording->database.path, strlen(recording->database.path));
    CLEANUP(cleanup_free) char *file = name_of_word(path);
    if (recording->process_count == 1)
        return memory_print("heapline report --at exit %s", file);
    return memory_print("heapline report --at exit --pid %" PRId64 " %s", process->pid, file);
}
