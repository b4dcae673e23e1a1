"""A recursive walk of a binary tree: every node is reached by its own stack, a million of them.

Left and right are called from different lines, so the path from the root is the stack. A smaller
tree is then walked once more by recursive generators.
"""

import sys

LEVELS = 18
GENERATOR_LEVELS = 14
WORK = 96  # turns at each node of a loop that makes nothing: a second for the million, bare


class Subtree:
    __slots__ = ("key", "name", "nodes")

    def __init__(self, key, name):
        self.key = key
        self.name = name
        self.nodes = 1


def walk(level, key):
    turns = 0
    while turns < WORK:
        turns += 1
    tree = Subtree(key, "node %d" % key)
    if level:
        left = walk(level - 1, key * 2)
        right = walk(level - 1, key * 2 + 1)
        tree.nodes += left.nodes + right.nodes
    return tree


def paths(level, path):
    if level == 0:
        return
    yield from paths(level - 1, path + "l")
    yield path
    yield from paths(level - 1, path + "r")


def main(loops):
    for _ in range(loops):
        assert walk(LEVELS, 1).nodes == 2 ** (LEVELS + 1) - 1
        assert sum(1 for _ in paths(GENERATOR_LEVELS, "")) == 2**GENERATOR_LEVELS - 1


main(int(sys.argv[1]))
