/*
 * Runs a fuzz target without an engine: every file named on the command line as it is, then
 * mutations of them, the same ones each time. Usage: TARGET ROUNDS FILE...
 */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX 65536

static uint64_t random_state = 88172645463325252u;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16) % limit;
}

static size_t read_file(const char *path, uint8_t *data)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t size = fread(data, 1, INPUT_BYTES_MAX, file);
    fclose(file);
    return size;
}

/* Changes some bytes, repeats a piece elsewhere, or cuts the end. */
static size_t mutate(uint8_t *data, size_t size)
{
    for (uint32_t changes = 1 + random_below(8); changes && size; changes--) {
        uint32_t at = random_below((uint32_t)size);
        uint32_t from = random_below((uint32_t)size);
        size_t room = size - (at > from ? at : from);
        switch (random_below(4)) {
        case 0:
            data[at] ^= (uint8_t)(1u << random_below(8));
            break;
        case 1:
            data[at] = (uint8_t)random_below(256);
            break;
        case 2:
            memmove(data + at, data + from, room < 16 ? room : 16);
            break;
        default:
            size -= random_below(8) == 0 ? random_below((uint32_t)size) : 0;
        }
    }
    return size;
}

int main(int count, char **words)
{
    static uint8_t original[INPUT_BYTES_MAX], data[INPUT_BYTES_MAX];
    long rounds = count > 1 ? strtol(words[1], NULL, 10) : 0;
    for (int i = 2; i < count; i++) {
        size_t size = read_file(words[i], original);
        LLVMFuzzerTestOneInput(original, size);
        for (long round = 0; round < rounds; round++) {
            memcpy(data, original, size);
            size_t mutated = mutate(data, size);
            LLVMFuzzerTestOneInput(data, mutated);
        }
    }
    printf("%d files, %ld mutations of each\n", count > 2 ? count - 2 : 0, rounds);
    return 0;
}
