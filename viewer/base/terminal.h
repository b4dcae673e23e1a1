/*
 * The place where a report is printed.
 */
#ifndef HEAPLINE_VIEWER_BASE_TERMINAL_H
#define HEAPLINE_VIEWER_BASE_TERMINAL_H

#include <stddef.h>

/* The narrowest layout there is. */
#define TERMINAL_COLUMNS_MIN 40u

/* How many columns a line may have: what COLUMNS says, else the terminal behind the descriptor,
 * else 100. Never less than TERMINAL_COLUMNS_MIN. */
size_t terminal_columns(int descriptor);

#endif
