/*
 * The list is one way, and short: as many links as there are processes.
 */
#include "collector/system/owner.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct robust_list_head owned = {.list = {&owned.list}};

static struct robust_list *link_of(_Atomic uint32_t *word)
{
    return (struct robust_list *)(void *)((char *)word - owned.futex_offset);
}

/* A forked process has no list, a thread one of its own: it is told anew each time. */
static bool tell_kernel(void)
{
    owned.futex_offset = sysconf(_SC_PAGESIZE);
    return syscall(SYS_set_robust_list, &owned, sizeof owned) == 0;
}

bool owner_hold(_Atomic uint32_t *word)
{
    if (!tell_kernel())
        return false;
    struct robust_list *link = link_of(word);
    atomic_store(word, (uint32_t)gettid());
    link->next = owned.list.next;
    /* A signal may end us at any instruction. */
    atomic_signal_fence(memory_order_seq_cst);
    owned.list.next = link;
    return true;
}

void owner_release(_Atomic uint32_t *word)
{
    struct robust_list *at = &owned.list;
    while (at->next != &owned.list && at->next != link_of(word))
        at = at->next;
    if (at->next == &owned.list)
        return;
    at->next = at->next->next;
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store(word, 0);
}
