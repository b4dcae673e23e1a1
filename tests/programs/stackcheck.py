"""For programs that check their own stacks.

    keep([None] * note(n))

on one line allocates the block of a list's items, keeps it to the end, and notes which stack Python
itself sees there. finish() prints the stacks noted with the bytes and blocks that each must hold in
the domain `mem`, where such blocks are and hardly any others.
"""

import gc
import json
import os
import sys

POINTER = 8

_kept = [None] * 70000
_count = 0
_noted = []
_qualified = sys.version_info >= (3, 11)


def _frame(frame):
    code = frame.f_code
    file = code.co_filename
    if not file.startswith("<"):
        file = os.path.abspath(file)
    return [file, frame.f_lineno, code.co_qualname if _qualified else code.co_name]


def note(size):
    """Notes the caller's stack under `size`, which it gives back."""
    frame = sys._getframe(1)
    stack = []
    while frame is not None:
        stack.append(_frame(frame))
        frame = frame.f_back
    stack.reverse()
    _noted.append([stack, size * POINTER])
    return size


def keep(block):
    global _count
    _kept[_count] = block
    _count += 1


def hold(size):
    keep([None] * note(size))


def finish():
    # What CPython only keeps on its free lists would still be there on the lines that used it.
    gc.collect()
    json.dump(_noted, sys.stdout)
    sys.stdout.flush()


# The first call of a function makes objects that stay with it (its frame, up to 3.10): now, so that
# they do not appear on a line under test.
hold(1)
hold(2)
del _noted[:]
