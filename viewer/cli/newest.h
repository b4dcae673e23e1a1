/*
 * The recording that is meant when none is named.
 */
#ifndef HEAPLINE_VIEWER_CLI_NEWEST_H
#define HEAPLINE_VIEWER_CLI_NEWEST_H

/* The name of the newest *.heapline in the current folder (of equally old ones the last by name);
 * NULL when there is none. The caller frees it. */
char *newest_recording(void);

#endif
