/*
 * The carrier of a ring that the collector has mapped too (schema/ring.h): what is published has
 * arrived, also when the process is killed. Any thread, also in signal handlers.
 */
#ifndef HEAPLINE_PRELOAD_SHARED_RING_H
#define HEAPLINE_PRELOAD_SHARED_RING_H

#include "preload/carrier/carrier.h"

extern const struct carrier shared_ring;

#endif
