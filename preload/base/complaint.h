/*
 * The one line on stderr that the shim may write.
 */
#ifndef HEAPLINE_PRELOAD_COMPLAINT_H
#define HEAPLINE_PRELOAD_COMPLAINT_H

/* Remembers what descriptor 2 is. Call once, at start. */
void complaint_init(void);

/* Writes "heapline: <reason>" to stderr, unless descriptor 2 is no longer what it was: a program
 * may have closed it and opened a file of its own under that number. Any thread; keeps errno. */
void complain(const char *reason);

#endif
