/*
 * Names of threads, processes, allocators, packages and classes of sizes.
 */
#include "viewer/question/key_name.h"

#include <inttypes.h>

#include "viewer/base/cleanup.h"
#include "viewer/base/memory.h"
#include "viewer/base/size.h"
#include "viewer/base/utf8.h"
#include "viewer/recording/command_line.h"

/* Below this size, bytes are the natural unit. */
#define SMALL_SIZE_MAX 8192u

static char *name_of_size_class(unsigned size_class)
{
    uint64_t least = size_class_least(size_class), most = size_class_most(size_class);
    if (least == most)
        return memory_print("%" PRIu64 " B", least);
    if (most <= SMALL_SIZE_MAX)
        return memory_print("%" PRIu64 " to %" PRIu64 " B", least, most);
    return memory_print("over %s, to %s", size_format(least - 1).text, size_format(most).text);
}

static char *name_of_process(const struct process *process)
{
    CLEANUP(cleanup_free) char *command = name_of_command(process->command);
    return memory_print("%" PRId64 " %s", process->pid, command);
}

static char *name_of_thread(const struct thread *thread)
{
    CLEANUP(cleanup_free) char *name = utf8_escape(thread->name);
    return memory_print("%s (%" PRId64 ")", *name ? name : "thread", thread->tid);
}

static char *name_of_package(const struct frame *frame)
{
    return frame->package ? utf8_escape(frame->package) : memory_copy(NAME_OF_NO_FRAME);
}

char *name_of_key(const struct grouping *grouping, uint32_t key)
{
    uint32_t member = grouping->members[key];
    switch (grouping->by) {
    case GROUP_BY_THREAD:
        return name_of_thread(&grouping->recording->symbols.threads[member]);
    case GROUP_BY_ALLOCATOR:
        return memory_copy(allocator_names[member]);
    case GROUP_BY_PACKAGE:
        return name_of_package(&grouping->recording->symbols.frames[member]);
    case GROUP_BY_SIZE:
        return name_of_size_class(member);
    default:
        return name_of_process(&grouping->recording->processes[member]);
    }
}
