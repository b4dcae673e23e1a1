/*
 * Whether what a program has given to a system call can be read: the kernel answers EFAULT where it
 * cannot, and so must we. Any thread, signal handlers, vfork children; keeps errno. A page that is
 * unmapped meanwhile is the program's own race. After the program has given up system calls
 * everything is held to be readable.
 */
#ifndef HEAPLINE_PRELOAD_READABLE_H
#define HEAPLINE_PRELOAD_READABLE_H

#include <stdbool.h>

/* Up to its NUL. Null is not. */
bool readable_text(const char *text);

/* An array of texts up to its null pointer. Null is: there are none. */
bool readable_texts(char *const *texts);

#endif
