/*
 * What libunwind is called for the processor: unwinding_words.h in its folder (processor.h), which
 * includes libunwind's header for it and says
 *
 * UNWINDING_LIBRARY               the library's file
 * UNWINDING_NAME(function)        the name of one of its functions, a text
 * UNWINDING_IP, _SP, _BP          its numbers of what struct native_registers has
 */
#ifndef HEAPLINE_PRELOAD_UNWINDING_H
#define HEAPLINE_PRELOAD_UNWINDING_H

#define UNW_REMOTE
#include "unwinding_words.h"

#endif
