"""mapping_model.py SEED: maps and unmaps at random and predicts what a recording says of it.

All of it happens in a region that the kernel would not choose by itself: nothing else is mapped in
the holes. The model knows for every page which mapping it belongs to. A call that fails changes
nothing; whether it fails is the kernel's to say.
"""

import collections
import ctypes
import itertools
import json
import random
import sys

PAGE = 4096
PAGES = 64
BASE = 1 << 36
STEPS = 800
READ_WRITE = 3
PRIVATE, SHARED, ANONYMOUS, FIXED, NO_REPLACE = 2, 1, 0x20, 0x10, 0x100000
MAY_MOVE, MOVE_FIXED = 1, 2
DONTNEED = 4
FAILED = 2**64 - 1

size, pointer, number = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int
libc = ctypes.CDLL(None)
libc.mmap.argtypes = libc.mmap64.argtypes = [pointer, size, number, number, number, ctypes.c_long]
libc.munmap.argtypes = [pointer, size]
libc.mprotect.argtypes = libc.madvise.argtypes = [pointer, size, number]
libc.mremap.argtypes = [pointer, size, size, number, pointer]
libc.mmap.restype = libc.mmap64.restype = libc.mremap.restype = ctypes.c_size_t


def address(page):
    return BASE + page * PAGE


def overlay(first, count, other):
    return libc.mmap(address(first), count * PAGE, READ_WRITE, PRIVATE | ANONYMOUS | FIXED, -1, 0)  #: overlay


def overlay_shared(first, count, other):
    return libc.mmap64(address(first), count * PAGE - 1, READ_WRITE, SHARED | ANONYMOUS | FIXED, -1, 0)  #: overlay_shared


def where_free(first, count, other):
    return libc.mmap(address(first), count * PAGE, 0, PRIVATE | ANONYMOUS | NO_REPLACE, -1, 0)  #: where_free


def unmap(first, count, other):
    return libc.munmap(address(first), count * PAGE - PAGE // 2)  #: unmap


def unmap_wrong(first, count, other):
    return libc.munmap(address(first) + 1, count * PAGE)  #: unmap_wrong


def resize(first, count, other):
    return libc.mremap(address(first), count * PAGE, other * PAGE, 0, None)  #: resize


def move(first, count, other):
    return libc.mremap(address(first), count * PAGE, count * PAGE, MAY_MOVE | MOVE_FIXED, address(other))  #: move


def make_accessible(first, count, other):
    return libc.mprotect(address(first), count * PAGE, READ_WRITE)  #: make_accessible


def empty(first, count, other):
    return libc.madvise(address(first), count * PAGE, DONTNEED)  #: empty


FUNCTIONS = [overlay, overlay_shared, where_free, unmap, unmap, unmap_wrong, resize, resize, move, move]
FUNCTIONS += [where_free, make_accessible, make_accessible, empty]


class Model:
    def __init__(self):
        self.pages = [None] * PAGES  # (which mapping, name of its line, allocator)
        self.emptied = set()  # pages; nobody touches any
        self.numbers = itertools.count()
        self.allocated = {"mmap": {}, "reserved": {}}

    def unmap(self, first, count):
        self.pages[first : first + count] = [None] * count
        self.emptied -= set(range(first, first + count))

    def map(self, name, first, count, allocator="mmap"):
        self.unmap(first, count)
        self.pages[first : first + count] = [(next(self.numbers), name, allocator)] * count
        self.count(name, count, allocator)

    def open(self, name, first, count):
        """What is reserved of the range becomes one block."""
        reserved = [page for page in range(first, first + count) if self.pages[page] and self.pages[page][2] == "reserved"]
        block = (next(self.numbers), name, "mmap")
        for page in reserved:
            self.pages[page] = block
        if reserved:
            self.count(name, len(reserved), "mmap")

    def empty(self, first, count):
        self.emptied |= {page for page in range(first, first + count) if self.pages[page][2] == "mmap"}

    def count(self, name, count, allocator):
        total = self.allocated[allocator].setdefault(name, [0, 0])
        total[0] += count * PAGE
        total[1] += 1

    def step(self, function, first, count, other):
        name = function.__name__
        if function is unmap:
            self.unmap(first, count)
        elif function is make_accessible:
            self.open(name, first, count)
        elif function is empty:
            self.empty(first, count)
        elif function in (resize, move):  # what is moved stays what it is
            allocator = self.pages[first][2]
            self.unmap(first, count)
            self.map(name, *((first, other) if function is resize else (other, count)), allocator)
        else:
            self.map(name, first, count, "reserved" if function is where_free else "mmap")

    def held(self):
        """{allocator: {name of a line: [bytes, blocks]}}"""
        pages = collections.Counter(page for number, page in enumerate(self.pages) if page and number not in self.emptied)
        held = {"mmap": {}, "reserved": {}}
        for (_, name, allocator), count in pages.items():
            sums = held[allocator].setdefault(name, [0, 0])
            sums[0] += count * PAGE
            sums[1] += 1
        return held


def plan(numbers):
    function = numbers.choice(FUNCTIONS)
    first = numbers.randrange(PAGES)
    count = numbers.randint(1, min(12, PAGES - first))
    if function is resize:
        other = numbers.randint(1, min(12, PAGES - first))
    else:
        other = numbers.randrange(PAGES - count + 1)
    return function, first, count, other


def is_whole(model, first, count):
    """A move unmaps its target before it finds out that there is nothing to move."""
    return all(model.pages[first : first + count])


numbers = random.Random(int(sys.argv[1]))
model = Model()
failures = 0
for _ in range(STEPS):
    function, first, count, other = plan(numbers)
    if function is move and not is_whole(model, first, count):
        continue
    if function(first, count, other) in (FAILED, -1):
        failures += 1
    else:
        model.step(function, first, count, other)
blocks = [sum(n for lines in of.values() for _, n in lines.values()) for of in (model.allocated, model.held())]
frees = blocks[0] - blocks[1]
print(json.dumps({"end": model.held(), "allocated": model.allocated, "failures": failures, "frees": frees}))
