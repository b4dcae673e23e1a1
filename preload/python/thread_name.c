/*
 * threading._active[pthread_self()]._name. A thread puts itself there in its first steps, so it is
 * asked for when there is a stack as deep as that of the function that it was made for; a thread
 * that Python did not make never has one, and is not asked any more after some tries.
 */
#include "preload/python/thread_name.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/base/shim.h"
#include "preload/carrier/fragments.h"
#include "preload/python/python_objects.h"
#include "wire.h"

#define TRIES 32u
/* _bootstrap(), _bootstrap_inner(), run() and what that calls. */
#define DEPTH_LEAST 4u

struct thread_name {
    struct fragments fragments;
    struct python_text text;
};

uint8_t thread_name_tries(void)
{
    int saved = errno;
    bool is_main = shim_is_sealed() || syscall(SYS_gettid) == getpid();
    errno = saved;
    return is_main ? 0 : TRIES;
}

static bool is_own(uintptr_t key, void *nothing)
{
    (void)nothing;
    return python_objects_integer(key) == (uint64_t)pthread_self();
}

static bool find_name(struct python_text *text)
{
    static struct python_finding finding;
    uintptr_t active = python_objects_dictionary("threading", "_active", &finding);
    uintptr_t thread = active ? python_objects_value(active, is_own, NULL) : 0;
    return python_text_read(python_objects_name(thread), text);
}

static struct part next_part(struct fragments *fragments)
{
    const struct python_text *text = &((struct thread_name *)fragments)->text;
    return (struct part){text->data, (uint32_t)text->bytes};
}

static bool send_name(struct thread_name *name, uint32_t slot)
{
    struct python_text *text = &name->text;
    if (text->bytes > WIRE_THREAD_NAME_BYTES_MAX)
        text->bytes = WIRE_THREAD_NAME_BYTES_MAX;
    name->fragments.next_part = next_part;
    name->fragments.left = (uint32_t)text->bytes;
    return fragments_send(&name->fragments,
                          wire_first(WIRE_MARK) |
                              (uint64_t)WIRE_MARK_THREAD_NAME << WIRE_MARK_SHIFT |
                              (uint64_t)slot << WIRE_THREAD_NAME_SLOT_SHIFT |
                              (uint64_t)(text->width >> 1) << WIRE_THREAD_NAME_WIDTH_SHIFT,
                          0);
}

void thread_name_tell(struct thread_state *thread, uint32_t depth)
{
    struct thread_name name = {0};
    struct python_asking asking;
    if (depth < DEPTH_LEAST || !python_objects_begin(&asking))
        return;
    thread->name_tries--;
    if (find_name(&name.text) && send_name(&name, thread->slot))
        thread->name_tries = 0;
    python_objects_end(&asking);
}
