"""One line that allocates beneath 3,000 frames, none of which changes."""

import sys

DEPTH = 3000


def work(loops):
    kept = None
    for _ in range(loops):
        kept = []
    return kept


def descend(depth, loops):
    if depth == 0:
        return work(loops)
    return descend(depth - 1, loops)


sys.setrecursionlimit(2 * DEPTH)
descend(DEPTH, int(sys.argv[1]))
