/*
 * Calls of what is tested fail now and then: its allocations and mappings where failing_calls.c is
 * linked in. The input decides which, so that what a fuzzer finds comes again.
 */
#ifndef HEAPLINE_TESTS_FUZZ_FAILING_H
#define HEAPLINE_TESTS_FUZZ_FAILING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From here on, for one input of four: then it is true. */
bool failing_begin(const uint8_t *data, size_t size);

/* No more. */
void failing_end(void);

/* Does this call fail? errno is then ENOMEM. */
bool failing_now(void);

#endif
