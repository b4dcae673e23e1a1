/*
 * A stretch of work that a signal interrupts at a chosen instruction (stepper.c), and whose handler
 * then leaves it in one of many ways. leaving.py loads it with ctypes and calls what is here as
 * CPython calls the functions of a module, so that nothing but the work itself allocates on the
 * way.
 *
 * After each stretch blocks of known sizes are allocated on frames above and below those that were
 * left: what is recorded of them is what the tests look at. Sizes are SIZES_OF(kind) plus the
 * number of the pass, so that each lost one is known by name.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/* --- CPython, whose headers are not at hand for each version --- */

typedef struct object PyObject;
extern PyObject *PyLong_FromLong(long value);
extern long PyLong_AsLong(PyObject *number);
extern PyObject *PyObject_CallObject(PyObject *callable, PyObject *arguments);
extern void *PyObject_Malloc(size_t size);
extern void *PyObject_Realloc(void *block, size_t size);
extern void PyObject_Free(void *block);
extern void *PyMem_RawMalloc(size_t size);
extern void PyMem_RawFree(void *block);

/* --- what is allocated afterwards --- */

#define SIZES_OF(kind) ((size_t)(kind)*5000)
#define PAGE           ((size_t)4096)

enum { DEEP = 4, HERE, FREED, MAPPED };

static size_t passes; /* that are over */

/* The compiler may drop a malloc whose result nobody uses. */
static void *used(void *block)
{
    __asm__ volatile("" : "+r"(block) : : "memory");
    return block;
}

/* Calls `function` on frames below, which are written: a call that was left can be told from one
 * that goes on by what stands in its frame now. */
static __attribute__((noinline)) void *far_below(void *(*function)(void *), void *value, int frames)
{
    char room[1024];
    memset(room, 0x5a, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
    void *result = frames ? far_below(function, value, frames - 1) : function(value);
    __asm__ volatile("" : : "r"(room) : "memory");
    return result;
}

static void *allocate(void *kind)
{
    return used(malloc(SIZES_OF((uintptr_t)kind) + passes));
}

static void *release(void *block)
{
    free(block);
    return NULL;
}

static void *map(void *unused)
{
    (void)unused;
    return mmap(NULL, (SIZES_OF(MAPPED) + passes) * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
}

static void *unmap(void *memory)
{
    munmap(memory, (SIZES_OF(MAPPED) + passes) * PAGE);
    return NULL;
}

static void allocate_afterwards(void)
{
    if (passes % 2) {
        far_below(allocate, (void *)DEEP, 2);
        allocate((void *)HERE);
    } else {
        allocate((void *)HERE);
        far_below(allocate, (void *)DEEP, 2);
    }
    far_below(release, allocate((void *)FREED), 2);
    far_below(unmap, far_below(map, NULL, 2), 2);
}

/* --- as many places that call malloc as there are passes, for the rules of native code --- */

#define CALL(n)                                                                                    \
    static __attribute__((noinline)) void *call_##n(size_t size)                                   \
    {                                                                                              \
        return used(malloc(size));                                                                 \
    }
#define CALLS_4(n)  CALL(n##0) CALL(n##1) CALL(n##2) CALL(n##3)
#define CALLS_16(n) CALLS_4(n##0) CALLS_4(n##1) CALLS_4(n##2) CALLS_4(n##3)
#define CALLS_64(n) CALLS_16(n##0) CALLS_16(n##1) CALLS_16(n##2) CALLS_16(n##3)
CALLS_64(0)
CALLS_64(1)
CALLS_64(2)
CALLS_64(3)

#define NAME(n)     call_##n,
#define NAMES_4(n)  NAME(n##0) NAME(n##1) NAME(n##2) NAME(n##3)
#define NAMES_16(n) NAMES_4(n##0) NAMES_4(n##1) NAMES_4(n##2) NAMES_4(n##3)
#define NAMES_64(n) NAMES_16(n##0) NAMES_16(n##1) NAMES_16(n##2) NAMES_16(n##3)
#define PLACES      256u
static void *(*const places[PLACES])(size_t) = {NAMES_64(0) NAMES_64(1) NAMES_64(2) NAMES_64(3)};

/* --- the stretch --- */

static long number; /* of the instruction, for the stepper */
static int everywhere;
static volatile int in_child;
static volatile int handled;
static int bad_children, bad_status;
static void *block;     /* that the work frees, and what it gives */
static int with_python; /* the thread has the GIL */

static int ask(long n)
{
    long rax = 0x68656170;
    __asm__ volatile("int3" : "+a"(rax) : "D"(n), "S"((long)everywhere) : "memory");
    return rax == 1;
}

struct work {
    const char *name;
    void (*prepare)(void);
    void (*run)(void);
    void (*finish)(void); /* when it was not left */
};
static const struct work *work;

static void nothing(void)
{
}

static void prepare_block(void)
{
    block = used(malloc(400));
}

static void finish_block(void)
{
    free(block);
}

static void run_malloc(void)
{
    block = used(malloc(500));
}

static void run_calloc(void)
{
    block = used(calloc(5, 100));
}

static void run_memalign(void)
{
    if (posix_memalign(&block, 64, 500) != 0)
        abort();
}

static void run_free(void)
{
    free(block);
}

static void run_realloc(void)
{
    block = used(realloc(block, 900));
}

static void run_realloc_fails(void)
{
    size_t volatile much = PTRDIFF_MAX;
    if (realloc(block, much))
        abort();
    errno = 0;
}

static void run_refusal(void)
{
    size_t volatile much = PTRDIFF_MAX;
    if (malloc(much))
        abort();
    errno = 0;
}

static void run_mmap(void)
{
    block = mmap(NULL, 16 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void run_munmap(void)
{
    munmap(block, 16 * PAGE);
}

static void run_mremap(void)
{
    block = mremap(block, 16 * PAGE, 32 * PAGE, MREMAP_MAYMOVE);
}

static void finish_mremap(void)
{
    munmap(block, 32 * PAGE);
}

static void prepare_object(void)
{
    block = PyObject_Malloc(300);
}

static void finish_object(void)
{
    PyObject_Free(block);
}

static void run_object(void)
{
    block = PyObject_Malloc(300);
}

static void run_object_realloc(void)
{
    block = PyObject_Realloc(block, 480);
}

static void run_raw(void)
{
    block = PyMem_RawMalloc(300);
}

static void finish_raw(void)
{
    PyMem_RawFree(block);
}

static void run_place(void)
{
    block = places[passes % PLACES](500);
}

static void await(pid_t child)
{
    int status = 0;
    if (child < 0)
        abort();
    /* A handler may have made this process out of the one whose child that is. */
    if (waitpid(child, &status, 0) != child && !in_child)
        abort();
    errno = 0;
    if (status) {
        bad_children++;
        bad_status = status;
    }
}

/* After a fork, in both. */
static void forked(pid_t child)
{
    if (child != 0) {
        await(child);
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    in_child = 1;
}

static void run_fork(void)
{
    forked(fork());
}

static void run_bare_fork(void)
{
    forked(_Fork());
}

static pthread_t thread;

static void *thread_begins(void *unused);
static void *thread_ends(void *unused);
static void run_thread(void)
{
    with_python = 0;
    if (pthread_create(&thread, NULL, thread_begins, NULL) != 0)
        abort();
    pthread_join(thread, NULL);
    with_python = 1;
}

static void run_thread_end(void)
{
    with_python = 0;
    if (pthread_create(&thread, NULL, thread_ends, NULL) != 0)
        abort();
    pthread_join(thread, NULL);
    with_python = 1;
}

static const struct work works[] = {
    {"malloc", nothing, run_malloc, finish_block},
    {"calloc", nothing, run_calloc, finish_block},
    {"memalign", nothing, run_memalign, finish_block},
    {"free", prepare_block, run_free, nothing},
    {"realloc", prepare_block, run_realloc, finish_block},
    {"realloc-fails", prepare_block, run_realloc_fails, finish_block},
    {"refusal", nothing, run_refusal, nothing},
    {"mmap", nothing, run_mmap, run_munmap},
    {"munmap", run_mmap, run_munmap, nothing},
    {"mremap", run_mmap, run_mremap, finish_mremap},
    {"object", nothing, run_object, finish_object},
    {"object-free", prepare_object, finish_object, nothing},
    {"object-realloc", prepare_object, run_object_realloc, finish_object},
    {"raw", nothing, run_raw, finish_raw},
    {"place", nothing, run_place, finish_block},
    {"fork", nothing, run_fork, nothing},
    {"_Fork", nothing, run_bare_fork, nothing},
    {"thread", nothing, run_thread, nothing},
    {"thread-end", nothing, run_thread_end, nothing},
};

/* The work that is stepped in a thread of its own begins there. */
static int in_thread(void)
{
    return work->run == run_thread || work->run == run_thread_end;
}

/* What the child of a fork goes on to do. */
static void child_ends(void)
{
    sigset_t blocked;
    for (int i = 0; i < 100; i++) {
        free(used(malloc(700)));
        munmap(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE);
        if (with_python)
            PyObject_Free(used(PyObject_Malloc(200)));
    }
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    for (int i = 1; i < SIGRTMIN; i++)
        if (sigismember(&blocked, i) == 1)
            _exit(3);
    _exit(0);
}

static void run(void)
{
    work->prepare();
    errno = 0;
    if (!in_thread())
        ask(number);
    work->run();
    if (in_child)
        child_ends();
    if (errno != 0)
        _exit(4);
}

static sigjmp_buf back;

static void *thread_begins(void *unused)
{
    if (sigsetjmp(back, 1) == 0) {
        ask(number);
        free(used(malloc(500)));
        if (in_child)
            child_ends();
    }
    return unused;
}

static void *thread_ends(void *unused)
{
    free(used(malloc(500)));
    ask(number);
    return unused;
}

/* --- the ways to leave it --- */

static ucontext_t outside, inside;

static void jump(void)
{
    siglongjmp(back, 1);
}

static void switch_away(void)
{
    swapcontext(&inside, &outside);
}

/* The child goes on when its parent has gone on for a whole ring of events. */
static int late[2]; /* a pipe */
static pid_t late_child;

static void forked_late(pid_t child)
{
    char byte;
    if (child != 0) {
        late_child = child;
        return;
    }
    forked(0);
    if (read(late[0], &byte, 1) != 1)
        _exit(5);
}

static void fork_late(void)
{
    forked_late(fork());
}

static void clone_late(void)
{
    forked_late((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static void fork_in_it(void)
{
    forked(fork());
}

static void bare_fork_in_it(void)
{
    forked(_Fork());
}

static void clone_in_it(void)
{
    forked((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static void vfork_in_it(void)
{
    pid_t child = vfork();
    if (child == 0)
        _exit(0);
    await(child);
}

static void allocate_in_it(void)
{
    allocate((void *)(uintptr_t)(MAPPED + 1));
    far_below(release, allocate((void *)(uintptr_t)(MAPPED + 2)), 2);
    munmap(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE);
}

static void exit_thread(void)
{
    pthread_exit(NULL);
}

static const struct way {
    const char *name;
    void (*leave)(void);
} ways[] = {
    {"jump", jump},
    {"switch", switch_away},
    {"resume", switch_away},
    {"fork", fork_in_it},
    {"_Fork", bare_fork_in_it},
    {"clone", clone_in_it},
    {"vfork", vfork_in_it},
    {"late-fork", fork_late},
    {"late-clone", clone_late},
    {"late-resume", switch_away},
    {"allocate", allocate_in_it},
    {"exit", exit_thread},
};
static const struct way *way;

static pthread_t caller; /* of storm(): a timer's signal may come to any thread */

static void on_signal(int n)
{
    int saved = errno;
    if (n == SIGALRM && !pthread_equal(pthread_self(), caller)) {
        pthread_kill(caller, n);
        errno = saved;
        return;
    }
    handled++;
    way->leave();
    errno = saved;
}

#define STACK_BYTES ((size_t)256 * 1024)

/* On a stack of its own, so that the handler can leave it for this one. */
static void run_on_a_stack(void)
{
    static char stack[STACK_BYTES] __attribute__((aligned(64)));
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = sizeof stack;
    inside.uc_link = &outside;
    makecontext(&inside, run, 0);
    handled = 0;
    swapcontext(&outside, &inside);
}

static void leave_it(void)
{
    handled = 0;
    if (way->leave == switch_away)
        run_on_a_stack();
    else if (in_thread() || sigsetjmp(back, 1) == 0)
        run();
}

/* Three words each; a ring holds 2^18. */
static void make_events(int count)
{
    for (int i = 0; i < count; i++)
        free(used(malloc(60)));
}

/* More events than a ring holds. */
static void fill_ring(void)
{
    make_events(200000);
}

/* A mapping of the shim's, by its name. */
static char *mapping(const char *name)
{
    char line[512];
    char *found = NULL;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, name) && !found)
            found = (char *)strtoul(line, NULL, 16); /* NOLINT(performance-no-int-to-ptr) */
    if (!found || fclose(maps) != 0)
        abort();
    return found;
}

/* Words in the ring that have not been read (schema/ring.h). */
static uint64_t unread(void)
{
    static const volatile uint64_t *head, *tail;
    if (!head) {
        head = (const volatile uint64_t *)mapping("heapline ring");
        tail = (const volatile uint64_t *)(mapping("heapline reader") + 64);
    }
    return *head - *tail;
}

/* The letter in /proc/PID/stat. */
static char state_of(pid_t pid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int file = open(path, O_RDONLY);
    if (file < 0 || read(file, text, sizeof text - 1) < 0 || !strrchr(text, ')'))
        abort();
    close(file);
    return strrchr(text, ')')[2];
}

pid_t collector; /* of this program, set by it */

/* Four rings behind a record that was left: its place is that of one that is not read yet, and what
 * tells the rings from each other is the same. */
static void come_back_late(void)
{
    make_events(100000);
    for (bool behind = true; behind;) {
        while (unread() > 1000)
            sched_yield();
        kill(collector, SIGSTOP);
        while (state_of(collector) != 'T')
            sched_yield();
        behind = unread() > 1000;
        if (behind)
            kill(collector, SIGCONT);
    }
    make_events(80000);
    swapcontext(&outside, &inside);
    kill(collector, SIGCONT);
}

static void await_late_child(void)
{
    if (write(late[1], "", 1) != 1)
        abort();
    await(late_child);
    late_child = 0;
}

/* 1 when the signal was sent, 0 when the work was over before; otherwise what was wrong. */
static long pass(void)
{
    sigset_t before = {0}, after = {0}; /* the kernel fills in but a part */
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    leave_it();
    int sent = ask(0);
    allocate_afterwards();
    if (strncmp(way->name, "late-", 5) == 0 && sent)
        fill_ring();
    if (late_child)
        await_late_child();
    if (strstr(way->name, "resume") && sent) {
        if (collector)
            come_back_late();
        else
            swapcontext(&outside, &inside);
        far_below(allocate, (void *)(uintptr_t)(MAPPED + 3), 2);
    }
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    passes++;
    if (sent != handled)
        return 2;
    if (bad_children)
        return 1000 + bad_status;
    return memcmp(&before, &after, sizeof before) == 0 ? sent : 3;
}

/* --- what Python calls: METH_O --- */

PyObject *leave(PyObject *module, PyObject *n)
{
    (void)module;
    number = PyLong_AsLong(n);
    return PyLong_FromLong(pass());
}

PyObject *hold(PyObject *module, PyObject *kind)
{
    (void)module;
    used(places[passes % PLACES](SIZES_OF(PyLong_AsLong(kind)) + passes - 1));
    return PyLong_FromLong(0);
}

static void *call(void *callable)
{
    return PyObject_CallObject(callable, NULL);
}

PyObject *below(PyObject *module, PyObject *callable)
{
    (void)module;
    return far_below(call, callable, 2);
}

/* --- what ctypes calls --- */

void hold_many(size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++)
        used(malloc(size));
}

static void *fork_first(void *unused)
{
    (void)unused;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    await(child);
    return NULL;
}

/* 0, or the status of a child that has ended badly. */
int fork_in_a_thread(void)
{
    if (pthread_create(&thread, NULL, fork_first, NULL) != 0)
        abort();
    pthread_join(thread, NULL);
    return bad_status;
}

static void arm(unsigned microseconds)
{
    struct itimerval timer = {.it_value = {0, (suseconds_t)microseconds}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void storm_once(void)
{
    handled = 0;
    /* First: who jumps before the mask is in it would go on with the signal blocked. */
    if (sigsetjmp(back, 1) != 0)
        return;
    arm(50 + (unsigned)rand() % 250);
    while (!handled) {
        work->prepare();
        work->run();
        work->finish();
        if (in_child)
            child_ends();
    }
    /* The signal may have come behind the last look. */
    if (in_child)
        child_ends();
}

/* Without the stepper: the signals come by a timer, at any instruction of the shim, the libraries
 * and the kernel. 0, or the status of a child that has ended badly. */
int storm(size_t times)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    caller = pthread_self();
    with_python = 0;
    for (size_t until = passes + times; passes < until && !bad_children; passes++) {
        storm_once();
        allocate_afterwards();
    }
    return bad_status;
}

int begin(const char *of_work, const char *of_way, int in_all)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (strcmp(works[i].name, of_work) == 0)
            work = &works[i];
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(ways[i].name, of_way) == 0)
            way = &ways[i];
    everywhere = in_all;
    with_python = 1;
    dlopen("libgcc_s.so.1", RTLD_NOW); /* that pthread_exit() would load in the handler */
    return work && way && pipe(late) == 0 && sigaction(SIGUSR1, &action, NULL) == 0;
}
