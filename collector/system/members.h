/*
 * Who else may yet start a Python of the run: shells and other programs that are not recorded, and
 * have got the run's key in their environment.
 */
#ifndef HEAPLINE_COLLECTOR_MEMBERS_H
#define HEAPLINE_COLLECTOR_MEMBERS_H

#include <stdbool.h>

/* Looks through all processes of this host that may be looked at, but this one and its children. */
bool members_are_there(const char *key);

#endif
