/*
 * A fuzz target is one function. With libFuzzer (clang -fsanitize=fuzzer) the engine calls it;
 * otherwise driver.c runs the corpus and a fixed number of mutations of it.
 */
#ifndef HEAPLINE_TESTS_FUZZ_DRIVER_H
#define HEAPLINE_TESTS_FUZZ_DRIVER_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
