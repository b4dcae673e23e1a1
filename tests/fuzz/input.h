/*
 * An input that is used up from its beginning: numbers, little endian, and bytes.
 */
#ifndef HEAPLINE_TESTS_FUZZ_INPUT_H
#define HEAPLINE_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What is left of it. */
struct input {
    const uint8_t *at;
    size_t left;
};

/* The next bytes, of which *bytes says how many are wanted, and then how many there are. */
static inline const uint8_t *input_take_bytes(struct input *input, size_t *bytes)
{
    const uint8_t *at = input->at;
    *bytes = *bytes < input->left ? *bytes : input->left;
    input->at += *bytes;
    input->left -= *bytes;
    return at;
}

/* A number of so many bytes, at most eight; what is missing is 0. */
static inline uint64_t input_take(struct input *input, size_t bytes)
{
    uint64_t number = 0;
    const uint8_t *at = input_take_bytes(input, &bytes);
    memcpy(&number, at, bytes);
    return number;
}

#endif
