"""Writes at random into the memory in which this program's words go to the collector: positions,
counts, and words. Usage: scribble.py SEED"""

import ctypes
import mmap
import random
import sys

PAGE = mmap.PAGESIZE


def writers_memory():
    for line in open("/proc/self/maps"):
        if "memfd:heapline ring" in line:
            start, end = (int(address, 16) for address in line.split()[0].split("-"))
            return (ctypes.c_uint64 * ((end - start) // 8)).from_address(start)


def value(words):
    """Near what stands there, or nothing like it."""
    near = words[0] + random.randrange(-1 << 18, 1 << 18) & (1 << 64) - 1
    return random.choice(
        (random.getrandbits(64), random.randrange(8), (1 << 64) - 1 - random.randrange(8), near, 1 << random.randrange(64))
    )


def scribble(words, count, often):
    kept = []
    for at, what in [(random.randrange(count), value(words)) for _ in range(often)]:
        words[at] = what
        kept.append(bytes(100))


random.seed(int(sys.argv[1]))
memory = writers_memory()
# The page with the positions most of all, and of that the two lines that are used.
scribble(memory, random.choice((16, 16, PAGE // 8, len(memory))), random.choice((3, 100, 20_000)))
