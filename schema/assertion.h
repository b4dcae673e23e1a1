/*
 * What is true of our own data wherever the program stands, said where it is relied upon. Never of
 * what a peer or a file says: that is checked, and refused, in every build.
 *
 *   grade 0   nothing is asked: what users run
 *   grade 1   ASSERT(): costs a few instructions: the tests' plain build
 *   grade 2   ASSERT_SLOWLY() too: sums that are made again, walks over whole tables
 *
 * -Dassertions chooses. One that does not hold is a fault of heapline's: it is printed with its
 * place, and the process ends by SIGABRT, without a handler: the shim can state what is true under
 * its locks, which a traced program's handler would wait for. Allocates nothing and is safe in
 * signal handlers. An assertion's condition has no effects.
 */
#ifndef HEAPLINE_SCHEMA_ASSERTION_H
#define HEAPLINE_SCHEMA_ASSERTION_H

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef HEAPLINE_ASSERTIONS
#define HEAPLINE_ASSERTIONS 0
#endif

#define ASSERTION_TEXT(line)  #line
#define ASSERTION_PLACE(line) ASSERTION_TEXT(line)

__attribute__((cold, noreturn)) static inline void assertion_fail(const char *text)
{
    const struct iovec parts[] = {
        {(void *)"heapline: does not hold: ", 25}, {(void *)text, strlen(text)}, {(void *)"\n", 1}};
    ssize_t written = writev(STDERR_FILENO, parts, sizeof parts / sizeof *parts);
    (void)written;
    signal(SIGABRT, SIG_DFL);
    abort();
}

/* Looked at by the compiler alone. */
#define ASSERTION_LEFT_OUT(condition) ((void)sizeof(!(condition)))
#define ASSERTION_MADE(condition)                                                                  \
    (__builtin_expect(!!(condition), 1)                                                            \
         ? (void)0                                                                                 \
         : assertion_fail(__FILE__ ":" ASSERTION_PLACE(__LINE__) ": " #condition))

#if HEAPLINE_ASSERTIONS >= 1
#define ASSERT(condition) ASSERTION_MADE(condition)
#else
#define ASSERT(condition) ASSERTION_LEFT_OUT(condition)
#endif

#if HEAPLINE_ASSERTIONS >= 2
#define ASSERT_SLOWLY(condition) ASSERTION_MADE(condition)
#else
#define ASSERT_SLOWLY(condition) ASSERTION_LEFT_OUT(condition)
#endif

#endif
