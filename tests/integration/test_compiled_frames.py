"""Frames of code that a compiler has made of Python's: the line is the one that the frame tells."""

import pytest
from harness import assert_complete

pytestmark = pytest.mark.each_interpreter

SOURCE = """
    import ctypes, sys
    library = ctypes.PyDLL(sys.argv[1])
    library.work.argtypes = [ctypes.c_int, *[ctypes.py_object] * 4, ctypes.c_int, ctypes.c_int]
    kept = []
    def below(line):
        return chr(line) * (30_000 + line)  #: below
    def deep(line, depth=20):
        return deep(line, depth - 1) if depth else below(line)  #: deep
    def work(): pass  #: work
    def run(callable, first, last):
        library.work(sys.version_info[1], work.__code__, globals(), kept, callable, first, last)  #: run
    run(below, 3, 9)
    run(deep, 12, 40)
"""


# What is more than was asked for: the objects' heads, and up to 3.10 the frame that a code keeps.
HEAD = range(33, 700)


def test_lines_that_frames_tell(interpreter, program, record, compiled):
    library = compiled("compiled_frame.c", "libcompiled_frame.so", "-shared", "-fPIC")
    source = program(SOURCE)
    recording = record(interpreter, source, library)
    assert_complete(recording)
    held = {
        tuple((frame["function"], frame["line"]) for frame in row["stack"][1:]): row["bytes"]
        for row in recording.rows("end", "stack", ["object"])
        if row["stack"] and row["stack"][0]["file"] == str(source)
    }
    lines = source.lines
    for line in (*range(3, 10), *range(12, 41)):
        own = (("run", lines["run"]), ("work", line))
        callees = (*[("deep", lines["deep"])] * (21 if line >= 12 else 0), ("below", lines["below"]))
        assert held[own] - (10_000 + line) in HEAD
        if line % 2 == 0:
            assert held[own + callees] - (30_000 + line) in HEAD
