"""Deep stacks, of which a walk compares only what can have changed (preload/python/stack_chunks.h)."""

import collections

import harness
import pytest
from conftest import check_build
from harness import BUILD, BYTES_HEADER, PROGRAMS, assert_complete, run

STACKS = PROGRAMS / "deep_stacks.py"


@pytest.fixture
def checked(tmp_path):
    """Under the build that walks every stack a second time, in full, and aborts at a difference."""
    build = check_build()

    def checked(python, *command, **environment):
        command = harness.heapline_run([python.path, *command], tmp_path / "run.heapline", ["-q", "-f"], build)
        return run(command, harness.environment(**environment))

    return checked


@pytest.mark.each_interpreter
@pytest.mark.parametrize("seed", [1, 2])
def test_stacks_that_change_in_every_way(interpreter, seed, checked):
    ran = checked(interpreter, STACKS, seed, 700)
    assert "walk check" not in ran.err and (ran.status, ran.out) == (0, "done\n"), ran


# What stands below a chunk of frames is changed, and the chunk is as before.
UNSEEN = {
    # The frame of the callee has been pushed, and is linked when the comparison is over.
    "a callee that is not linked yet": """
        class Keyword(str):
            __hash__ = str.__hash__
            def __eq__(self, other):
                sink.append([0.5 + len(sink)])
                return str.__eq__(self, other)
        def callee(first=1, second=2):
            for _ in range(3): sink.append([0.5 + len(sink)])
        def bottom():
            for _ in range(3):
                callee(**{Keyword("second"): 3})
                callee(**{Keyword("first"): 3})
    """,
    "a line that is set": """
        import sys
        def bottom():
            targets = []
            def trace(frame, event, argument):
                if frame.f_code.co_name == "jumps" and event == "line" and not targets:
                    targets.append(frame)
                    deeper(200, lambda: jump(frame))
                return trace
            def jump(frame):
                sink.append([0.5 + len(sink)])
                frame.f_lineno += 2
                sink.append([0.5 + len(sink)])
            def jumps():
                sink.append([0.5 + len(sink)])
                sink.append([1.5 + len(sink)])
                sink.append([2.5 + len(sink)])
            sys.settrace(trace)
            jumps()
            sys.settrace(None)
            sink.append([3.5 + len(sink)])
    """,
    "another allocator of arenas": """
        import ctypes, os
        arenas = ctypes.CDLL(os.environ["OTHER_ARENAS"])
        pointers = ctypes.c_void_p * 3
        def bottom():
            now = pointers()
            ctypes.pythonapi.PyObject_GetArenaAllocator(now)
            ctypes.pythonapi.PyObject_SetArenaAllocator(pointers.in_dll(arenas, "other_arenas"))
            # What it has given out is its own, and there is no way back.
    """,
}


@pytest.mark.parametrize("what", UNSEEN)
def test_what_is_changed_below_a_chunk(interpreter, what, program, checked, compiled):
    """At each depth, so that chunks begin at every place."""
    source = program(
        """
        sink = []
        def deeper(count, function): return deeper(count - 1, function) if count else function()
        def leaf(): sink.append([0.5 + len(sink)])
        """
        + UNSEEN[what]
        + """
        deeper(400, bottom)
        deeper(400, leaf)
        for depth in range(0, 420, 6):
            deeper(depth, bottom)
            deeper(depth, bottom)
        print("done")
        """
    )
    ran = checked(interpreter, source, OTHER_ARENAS=compiled("other_arenas.c", "other_arenas.so", "-shared", "-fPIC"))
    assert (ran.status, ran.out, ran.err) == (0, "done\n", ""), ran


@pytest.mark.few_interpreters
def test_a_line_that_another_thread_sets(interpreter, program, checked):
    if interpreter.version < (3, 11):
        pytest.skip("a jump into a loop is refused there")
    source = program(
        """
        import sys, threading
        sys.setrecursionlimit(9999)
        threading.stack_size(64 << 20)
        sink, up, go = [], threading.Event(), threading.Event()
        def deeper(count, function): return deeper(count - 1, function) if count else function()
        def bottom():
            sink.append([0.5 + len(sink)])
            up.set()
            go.wait()
            sink.append([0.5 + len(sink)])
        def call(_): deeper(900, bottom)
        def target():
            global frame
            frame, _ = sys._getframe(), None
            for _ in map(call, (1,)):
                pass
        def trace(traced, event, argument):
            if event == "line":
                frame.f_trace = trace
                frame.f_lineno = target.__code__.co_firstlineno + 4
                sys.settrace(None)
            return trace
        def traced(): pass
        thread = threading.Thread(target=target)
        thread.start()
        up.wait()
        sys.settrace(trace)
        traced()
        go.set()
        thread.join()
        print("done")
        """
    )
    ran = checked(interpreter, source)
    assert (ran.status, ran.out, ran.err) == (0, "done\n", ""), ran


# Which of two lines a stack goes through.
CALLERS = """
    WITH RECURSIVE below(stack) AS (VALUES ({stack}) UNION ALL SELECT parent FROM below JOIN stacks USING (stack))
    SELECT line FROM below JOIN stacks USING (stack) WHERE file = '{file}' AND line IN ({one}, {other})"""


def sql(recording, query):
    return run([BUILD / "heapline", "sql", "--json", recording.file, query], check=0).json


@pytest.mark.parametrize("depth", [900, 9000])
def test_each_line_of_a_deep_stack_that_stays(interpreter, depth, program, record):
    """Two places call the same frames in turn, without an allocation between: each is told apart."""
    source = program(
        f"""
        import sys, threading
        sys.setrecursionlimit(100_000)
        threading.stack_size(512 << 20)
        kept = [None] * 2000
        def leaf(number): kept[number] = bytes(1000)
        def down(count, number): return down(count - 1, number) if count > 0 else leaf(number)
        def turns():
            down(300, 0)  # what stays of the first time
            for number in range(0, 40, 2):
                down(300, number)  #: one
                down(300, number + 1)  #: other
        def deep(count): return deep(count - 1) if count else turns()
        thread = threading.Thread(target=deep, args=({depth},))
        thread.start()
        thread.join()
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    found = collections.Counter()
    # Of the blocks that leaf() makes; up to 3.10 frames are blocks too.
    made = f"kind = 'allocation' AND size = {1000 + BYTES_HEADER}"
    for row in sql(recording, f"SELECT stack, count(*) AS blocks FROM events WHERE {made} GROUP BY stack"):
        for place in sql(recording, CALLERS.format(**row, file=source, **source.lines)):
            found[place["line"]] += row["blocks"]
    assert [found[source.lines[name]] for name in ("one", "other")] == [20, 20]
