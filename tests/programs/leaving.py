"""leaving.py WORK WAY FIRST STRIDE LIMIT: passes of leaving.c, the n-th of them interrupted at instruction
FIRST + n * STRIDE, until a few in a row come to their end without it (one may be longer than the next,
where something is sent), or LIMIT are over. Run by the stepper. Prints which of them were interrupted."""

import _thread
import ctypes
import json
import os
import sys

work, way = sys.argv[1:3]
first, stride, limit = map(int, sys.argv[3:6])
MOST = 4_999
ENDS = 3
SHALLOW, BELOW, PROBE = 1, 2, 3
METH_O = 8


class Method(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]


library = ctypes.CDLL(os.environ["LEAVING"])
make = ctypes.pythonapi.PyCFunction_NewEx
make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
methods = []


def function(name):
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p)
    methods.append(Method(name.encode(), address, METH_O, None))
    return make(ctypes.addressof(methods[-1]), None, None)


leave, hold, below = map(function, ("leave", "hold", "below"))
kept = [None] * (2 * MOST + 2)
index = 0


def fresh():
    """A function whose code is new."""
    names = {}
    exec(compile("def call(function, value):\n    return function(value)\n", "<fresh>", "exec"), names)
    return names["call"]


def descend(depth, function, value):
    if depth:
        return descend(depth - 1, function, value)
    return fresh()(function, value)


def in_a_thread(function, *arguments):
    results, done = [], _thread.allocate_lock()

    def thread():
        try:
            results.append(function(*arguments))
        finally:
            done.release()

    done.acquire()
    _thread.start_new_thread(thread, ())
    done.acquire()
    return results[0]


def hold_below():
    kept[2 * index] = bytes(BELOW * 5_000 + index)  #: below


def one_pass(number):
    if work == "levels":
        told = descend(150, leave, number)
    elif work == "code":
        told = fresh()(leave, number)
    else:
        told = leave(number)  #: leave
    if index % 4 < 2:
        below(hold_below)
    kept[2 * index + 1] = bytes(SHALLOW * 5_000 + index)  #: shallow
    if index % 4 >= 2:
        below(hold_below)
    return told


def collector():
    """The process id of the collector that a `heapline run` above has started."""
    pid = os.getpid()
    while pid := int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1]):
        for child in open(f"/proc/{pid}/task/{pid}/children").read().split():
            if open(f"/proc/{child}/comm").read().startswith("heaplined"):
                return int(child)


if way == "late-resume":
    ctypes.c_int.in_dll(library, "collector").value = collector()
assert library.begin({"levels": b"malloc", "code": b"malloc"}.get(work, work.encode()), way.encode(), 0)
interrupted = []
while index < limit and (not interrupted or any(interrupted[-ENDS:])):
    assert index < MOST, "more passes than sizes: a larger stride is needed"
    number = first + index * stride
    told = in_a_thread(one_pass, number) if work == "levels" else one_pass(number)
    assert told in (0, 1), f"pass {index}, instruction {number}: {told}"
    interrupted.append(told)
    in_a_thread(descend, 100, hold, PROBE)
    index += 1
json.dump({"interrupted": interrupted}, sys.stdout)
