/*
 * x86-64 (unwinding.h).
 */
#ifndef HEAPLINE_PRELOAD_UNWINDING_WORDS_H
#define HEAPLINE_PRELOAD_UNWINDING_WORDS_H

#include <libunwind-x86_64.h>

#define UNWINDING_LIBRARY        "libunwind-x86_64.so.8"
#define UNWINDING_NAME(function) "_Ux86_64_" #function
#define UNWINDING_IP             UNW_X86_64_RIP
#define UNWINDING_SP             UNW_X86_64_RSP
#define UNWINDING_BP             UNW_X86_64_RBP

#endif
