/*
 * Functions that allocate at known lines, by known ways: the library of tests/integration/
 * test_native.py. Each marked line is known to it by the name behind the mark.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

#define EXPORT     __attribute__((visibility("default")))
#define NOT_INLINE __attribute__((noinline, noclone))

/* The compiler must neither leave an allocation out nor make a call a jump. */
static void *volatile kept;
static volatile int calls;

static inline __attribute__((always_inline)) void *inlined(size_t size)
{
    return malloc(size); /*: inlined */
}

static NOT_INLINE void *leaf(size_t size)
{
    void *block = inlined(size); /*: leaf */
    calls++;
    return block;
}

static NOT_INLINE void *middle(size_t size)
{
    void *block = leaf(size); /*: middle */
    calls++;
    return block;
}

EXPORT NOT_INLINE void *outer(size_t size)
{
    kept = middle(size); /*: outer */
    return kept;
}

EXPORT NOT_INLINE void *recurse(size_t size, int depth)
{
    void *block = depth ? recurse(size, depth - 1) : malloc(size); /*: recurse */
    calls++;
    return block;
}

/* A frame whose size is known only at run time: it goes by the frame pointer. */
EXPORT NOT_INLINE void *with_array(size_t size, int count)
{
    volatile char array[count];
    array[count - 1] = 1;
    void *block = malloc(size + array[count - 1] - 1); /*: array */
    calls += array[count - 1];
    return block;
}

/* One whose stack is aligned anew. */
EXPORT NOT_INLINE void *aligned(size_t size)
{
    volatile _Alignas(64) char array[64];
    array[0] = 0;
    void *block = malloc(size + array[0]); /*: aligned */
    calls += array[0];
    return block;
}

EXPORT NOT_INLINE void call_back(void (*function)(void))
{
    function(); /*: back */
    calls++;
}

/* Leaves many frames at once. */
static jmp_buf landing;

static NOT_INLINE void leap(size_t size, int depth)
{
    if (depth > 0) {
        leap(size, depth - 1); /*: leap */
    } else {
        kept = malloc(size); /*: leaping */
        if (kept)
            longjmp(landing, 1);
    }
    calls++;
}

EXPORT NOT_INLINE void jump(size_t size, int depth)
{
    if (setjmp(landing) == 0)
        leap(size, depth); /*: jump */
    else
        recurse(size + 1, depth ^ 5); /*: landed */
    calls++;
}

static void *run_thread(void *size)
{
    void *block = outer((size_t)size); /*: thread */
    calls++;
    return block;
}

EXPORT void in_a_thread(size_t size)
{
    pthread_t thread;
    pthread_create(&thread, NULL, run_thread, (void *)size);
    pthread_join(thread, NULL);
}

static void handle(int number)
{
    (void)number;
    kept = malloc(70001);
}

/* Allocates in a handler on a stack of its own, and afterwards. */
EXPORT void in_a_handler(void)
{
    stack_t stack = {.ss_size = 256 * 1024, .ss_sp = malloc(256 * 1024)};
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    outer(70002); /*: after */
    calls++;
}

/* Loads a library, calls its `allocate`, unloads it. */
EXPORT void load(const char *path, size_t size)
{
    void *library = dlopen(path, RTLD_NOW);
    void *(*allocate)(size_t) = (void *(*)(size_t))dlsym(library, "allocate");
    kept = allocate(size); /*: load */
    dlclose(library);
}
