/*
 * Values of comma-separated tables (RFC 4180, lines ended by \n).
 */
#ifndef HEAPLINE_VIEWER_FORMAT_CSV_H
#define HEAPLINE_VIEWER_FORMAT_CSV_H

#include <stdio.h>

/* Prints one value, quoted where it must be; nothing for NULL. */
void csv_put(FILE *stream, const char *text);

#endif
