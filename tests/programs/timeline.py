"""timeline.py SEED: calls the malloc family at random while time goes by, and prints the calls.

Printed is a list of [kind, line's name, size]: what the history of a recording must say of them, in
this order. A realloc that fails is a free that is taken back.
"""

import ctypes
import json
import random
import sys
import time

STEPS = 600
SLOTS = 12
STEPS_A_PAUSE = 12

libc = ctypes.CDLL(None)
libc.malloc.restype = libc.realloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]


def malloc(size):
    return libc.malloc(size)  #: malloc


def other(size):
    return libc.malloc(size)  #: other


def realloc(old, size):
    return libc.realloc(old, size)  #: realloc


def step(choose, slots, calls):
    at = choose.randrange(SLOTS)
    size = choose.randrange(1, 100_000)
    block, line, old_size = slots[at] or (None, None, 0)
    if block is None:
        name, function = choose.choice([("malloc", malloc), ("other", other)])
        slots[at] = (function(size), name, size)
        calls.append(["allocation", name, size])
        return
    calls.append(["free", line, old_size])
    action = choose.choice(["free", "free", "realloc", "fail"])
    if action == "free":
        libc.free(block)
        slots[at] = None
    elif action == "realloc":
        slots[at] = (realloc(block, size), "realloc", size)
        calls.append(["allocation", "realloc", size])
    else:
        assert libc.realloc(block, 2**62) is None
        calls.append(["restore", line, old_size])


choose = random.Random(int(sys.argv[1]))
slots = [None] * SLOTS
calls = []
for number in range(STEPS):
    step(choose, slots, calls)
    if number % STEPS_A_PAUSE == 0:
        time.sleep(0.002)  # the recording's clock moves every millisecond
print(json.dumps(calls))
