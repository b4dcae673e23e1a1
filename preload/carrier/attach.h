/*
 * Attaching to the collector: a greeting, and the carrier that it offers is set up.
 *
 * One thread at a time: before the program has threads, or in the child of a fork.
 */
#ifndef HEAPLINE_PRELOAD_ATTACH_H
#define HEAPLINE_PRELOAD_ATTACH_H

#include <stdbool.h>

#include "preload/carrier/greeting.h"

/* False: the process stays untraced; a line on stderr has said why, unless the collector has
 * declined it. With a ring no descriptor stays open. */
bool attach(const struct greeting_sender *sender);

#endif
