/*
 * Put before the collector's sources where a fuzzer compiles them anew: each load of an atomic
 * gives a hostile writer its turn first, so that nothing need be the same when it is looked at
 * twice.
 */
#ifndef HEAPLINE_TESTS_TURNS_H
#define HEAPLINE_TESTS_TURNS_H

#include <stdatomic.h>

/* The other side does what it likes. */
void hostile_turn(void);

#ifdef __clang__
#define LOAD_NOW(word, order) __c11_atomic_load(word, order)
#else
#define LOAD_NOW(word, order) __atomic_load_n(word, order)
#endif

#undef atomic_load
#define atomic_load(word) (hostile_turn(), LOAD_NOW(word, memory_order_seq_cst))
#undef atomic_load_explicit
#define atomic_load_explicit(word, order) (hostile_turn(), LOAD_NOW(word, order))

#endif
