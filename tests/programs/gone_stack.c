/*
 * Jumps out of mmap() and munmap() on a coroutine's stack, gives that stack back, and lets the next
 * coroutine, whose stack lies right below, allocate.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#define STACK_BYTES ((size_t)65536)

static ucontext_t main_context, coroutine;
static sigjmp_buf outside;

static void leave(int number)
{
    (void)number;
    siglongjmp(outside, 1);
}

static void map_for_ever(void)
{
    for (;;)
        munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
}

static void allocate_a_few(void)
{
    for (int i = 0; i < 10; i++) {
        void *volatile block = malloc(1003);
        free(block);
    }
}

static void run(char *stack, void (*function)(void))
{
    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = STACK_BYTES;
    coroutine.uc_link = &main_context;
    makecontext(&coroutine, function, 0);
    swapcontext(&main_context, &coroutine);
}

void abandon_stacks(int times);
void abandon_stacks(int times)
{
    signal(SIGALRM, leave);
    for (volatile int i = 0; i < times; i++) {
        const struct itimerval soon = {.it_value.tv_usec = 200 + 37 * i % 100};
        char *stacks =
            mmap(NULL, 2 * STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (!sigsetjmp(outside, 1)) {
            setitimer(ITIMER_REAL, &soon, NULL);
            run(stacks + STACK_BYTES, map_for_ever);
        }
        munmap(stacks + STACK_BYTES, STACK_BYTES);
        run(stacks, allocate_a_few);
        munmap(stacks, STACK_BYTES);
    }
}
