/*
 * Who guesses at the daemon's token, by address: an address may be wrong a few times, then as often
 * as GUESSES_REFILL_NS allows. IPv6 addresses are told apart by their network, the upper half.
 *
 * So many addresses are remembered; of more those are forgotten that were wrong longest ago. One
 * thread.
 */
#ifndef HEAPLINE_COLLECTOR_GUESSES_H
#define HEAPLINE_COLLECTOR_GUESSES_H

#include <stdbool.h>
#include <stdint.h>

/* Wrong tokens at once, and the time after which another one is free. */
#define GUESSES_FREE      8u
#define GUESSES_REFILL_NS UINT64_C(1000000000)
#define GUESSERS_MAX      256u

struct guesser {
    uint64_t address;
    uint64_t wrong_ns; /* latest; 0: the place is free */
    uint64_t paid_ns;  /* until then all wrong ones so far are paid for */
};

/* Zeroed memory: nobody has been wrong. */
struct guesses {
    struct guesser list[GUESSERS_MAX];
};

/* Was the address wrong as often as it may be? Times are those of CLOCK_MONOTONIC. */
bool guesses_are_spent(const struct guesses *guesses, uint64_t address, uint64_t now_ns);

void guesses_note_wrong(struct guesses *guesses, uint64_t address, uint64_t now_ns);

/* The address of a connection's other side. */
uint64_t guesser_of(int connection);

#endif
