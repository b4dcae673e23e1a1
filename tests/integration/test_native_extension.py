"""An extension module in C that Python calls and that calls Python: each frame at its place."""

import os

import harness
import native_library
import pytest
from harness import Sum
from native_library import named_frames, named_stacks, row_of

SOURCE = harness.Program.named("native_extension.c")

HEAD = """
    import os, sys
    sys.path.insert(0, os.environ["EXTENSION"])
    import native_extension as native  #: import
    def hold():
        native.hold(70_011)  #: hold_it
"""
HELD = [("hold", "hold_it"), ("hold", "hold")]


@pytest.fixture
def extension(compiled):
    """The folder that it is in."""
    ask = "import sysconfig; print(sysconfig.get_path('include'))"
    headers = harness.run(["/usr/bin/python3", "-c", ask], check=0).out.strip()
    if not os.path.exists(f"{headers}/Python.h"):
        pytest.skip("the headers of Debian's Python are not installed")
    flags = ["-shared", "-fPIC", "-O2", f"-I{headers}"]
    return compiled("native_extension.c", "native_extension.so", *flags).parent


@pytest.fixture
def recorded(interpreter, program, record, extension):
    """recorded(source): a program of HEAD and this source, and its recording."""
    return native_library.recorder(record, interpreter, program, HEAD, EXTENSION=extension)


def stack_of(recording, size, source):
    """That of the block of this size. The interpreter's own functions stand on it behind the last of
    Python alone."""
    row = row_of(recording, size)
    frames = [frame["file"] in (str(source), str(SOURCE)) for frame in row["stack"]]
    python = [frame["file"] == str(source) for frame in row["stack"]]
    assert all(frames[: len(python) - python[::-1].index(True)]), row["stack"]
    return named_frames(row, (source, SOURCE))


def test_calls_both_ways(recorded):
    """Also where an error of Python's is on its way through C, which allocates meanwhile."""
    source, recording = recorded(
        """
    def inner():
        native.call(hold, 70_021)  #: inner
    def outer():
        native.call(inner, 70_031)  #: outer
    outer()

    def fail():
        raise ValueError
    def failing():
        native.call(fail, 70_041)  #: failing
    try:
        native.call(failing, 70_051)  #: try
    except ValueError:
        native.hold(70_061)  #: caught
    """
    )

    def stack(size):
        return stack_of(recording, size, source)

    outer = ["<module>", ("outer", "outer")]
    inner = [*outer, ("call", "call"), ("inner", "inner")]
    assert stack(70_011) == [*inner, ("call", "call"), *HELD]
    assert stack(70_021) == [*inner, ("call", "before")]
    assert stack(70_022) == [*inner, ("call", "after")]
    assert stack(70_031) == [*outer, ("call", "before")]
    assert stack(70_032) == [*outer, ("call", "after")]
    assert stack(70_042) == [("<module>", "try"), ("call", "call"), ("failing", "failing"), ("call", "after")]
    assert stack(70_052) == [("<module>", "try"), ("call", "after")]
    assert stack(70_061) == [("<module>", "caught"), ("hold", "hold")]


def test_a_deep_change_of_languages(interpreter, recorded):
    source, recording = recorded(
        """
    def down(depth):
        native.call(lambda: down(depth - 1) if depth else hold(), 80_000 + depth)  #: down
    down(60)  #: start
    """
    )
    stacks = named_stacks(recording, source, SOURCE)
    called = "down.<locals>.<lambda>" if interpreter.has_qualified_names else "<lambda>"
    down = ("down", "down")
    once = [down, ("call", "call"), (called, "down")]
    for depth in range(61):
        size = 80_000 + depth
        outer = [("<module>", "start"), *once * (60 - depth), down]
        assert stacks[(*outer, ("call", "before"))] == Sum(size, 1, size, 1)
        assert stacks[(*outer, ("call", "after"))] == Sum(size + 1, 1, size + 1, 1)
    assert stacks[(("<module>", "start"), *once * 61, *HELD)] == Sum(70_011, 1, 70_011, 1)


def test_who_else_calls(recorded):
    """The interpreter's own functions that call back, libc's, a finaliser, a thread, the import."""
    source, recording = recorded(
        """
    def compare(a, b):
        native.hold(70_041)  #: compare_it
        return a - b
    def sort():
        assert native.sort(compare) == 1  #: sort_it
    sort()
    def drop():
        capsule = native.capsule(70_051)
        del capsule  #: drop
    drop()
    def started():
        hold()  #: started
    native.in_a_thread(started)
    kept = list(map(native.hold, [70_061]))  #: map
    kept = sorted([70_071], key=lambda size: native.hold(size) or 0)  #: sorted
    """
    )

    def stack(size):
        return stack_of(recording, size, source)

    def frames(size):
        return named_frames(row_of(recording, size), (source, SOURCE))

    assert frames(70_041) == [
        "<module>", ("sort", "sort_it"), ("sort", "sort"), ("compare", "compare"), ("compare", "compare_it"), ("hold", "hold"),
    ]  # fmt: skip
    assert stack(70_051) == ["<module>", ("drop", "drop"), ("end_capsule", "end")]
    assert frames(70_001) == [("<module>", "import"), ("PyInit_native_extension", "init")]
    assert frames(70_011) == [("run_thread", "thread"), ("started", "started"), *HELD]
    assert stack(70_061) == [("<module>", "map"), ("hold", "hold")]
    assert stack(70_071) == [("<module>", "sorted"), ("<lambda>", "sorted"), ("hold", "hold")]
