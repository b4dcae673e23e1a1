/*
 * Allocations and mappings of what is tested fail now and then. The input decides which, so that
 * what a fuzzer finds comes again.
 */
#ifndef HEAPLINE_TESTS_FUZZ_FAILING_H
#define HEAPLINE_TESTS_FUZZ_FAILING_H

#include <stddef.h>
#include <stdint.h>

/* From here on, for one input of four. */
void failing_begin(const uint8_t *data, size_t size);

/* No more. */
void failing_end(void);

#endif
