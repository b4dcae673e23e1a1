"""A function that allocates before and after it calls itself, 900 deep."""

import sys

DEPTH = 900


def around(depth, kept):
    kept.append(object())
    if depth:
        around(depth - 1, kept)
    kept.append(object())


sys.setrecursionlimit(2 * DEPTH)
for _ in range(int(sys.argv[1])):
    around(DEPTH, [])
