/*
 * A fuzz target is one function. With libFuzzer (-Dfuzzing=true, which tests/fuzz/run builds and
 * runs for as long as one likes) the engine calls it; otherwise, in the suite, driver.c runs the
 * corpus and a fixed number of mutations of it.
 */
#ifndef HEAPLINE_TESTS_FUZZ_DRIVER_H
#define HEAPLINE_TESTS_FUZZ_DRIVER_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
