/*
 * What threads do to each other while they allocate. The programs load it with ctypes.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* --- a thread that is cancelled ---
 * malloc() is no point of cancellation (POSIX), so it ends at the first one behind its work and not
 * before. */

static _Atomic int begun, finished;

static void *work(void *count)
{
    begun = 1;
    for (size_t i = 0; i < (size_t)count; i++) {
        void *block = malloc(100 + i % 100);
        __asm__ volatile("" : "+r"(block) : : "memory");
        free(block);
    }
    finished = 1;
    pthread_testcancel();
    return NULL;
}

/* 1 when the work was done and the thread then ended as it was told to; 0 otherwise. */
int cancelled_after_its_work(size_t count)
{
    pthread_t thread;
    void *result = NULL;
    begun = finished = 0;
    if (pthread_create(&thread, NULL, work, (void *)count) != 0)
        return 0;
    while (!begun)
        ;
    pthread_cancel(thread);
    pthread_join(thread, &result);
    return finished && result == PTHREAD_CANCELED;
}

/* --- a descriptor that becomes another one --- */

/* Waits for a byte on stdin and puts `descriptor` in the place of `other`, without allocating. */
int replace_when_told(int descriptor, int other)
{
    char byte;
    return read(STDIN_FILENO, &byte, 1) == 1 ? dup2(descriptor, other) : -1;
}
