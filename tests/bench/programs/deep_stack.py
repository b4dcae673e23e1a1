"""Allocations with 100 frames beneath them; the innermost frames come and go."""

import sys

DEPTH = 100


def leaf(number):
    pair = [number, number + 1]
    return {"pair": pair, "sum": float(number)}


def work(loops):
    kept = None
    for number in range(loops):
        kept = leaf(number)
        kept["text"] = "%d" % number
    return kept


def descend(depth, loops):
    if depth == 0:
        return work(loops)
    return descend(depth - 1, loops)


descend(DEPTH, int(sys.argv[1]))
