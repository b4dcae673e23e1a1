"""File, line and function of every frame are those that Python itself sees.

The programs note their own stack beside each block that they keep (tests/programs/stackcheck.py);
the recording must hold exactly those bytes and blocks under exactly those stacks.
"""

import collections

import harness
import pytest
from harness import BYTES_HEADER, assert_complete

pytestmark = pytest.mark.each_interpreter


def noted(printed):
    """What stackcheck printed, as Recording.per_stack() has it."""
    total = collections.Counter()
    blocks = collections.Counter()
    for stack, size in printed:
        key = tuple(tuple(frame) for frame in stack)
        total[key] += size
        blocks[key] += 1
    return {stack: (total[stack], blocks[stack]) for stack in total}


def check_stacks(recording, at_least=1):
    assert_complete(recording)
    expected = noted(recording.json)
    assert len(expected) >= at_least
    # Of all stacks those that end where one of these does; the start of an interpreter has thousands.
    innermost = {stack[-1][0] for stack in expected}
    seen = recording.per_stack("end", ["mem"], innermost)
    wrong = [
        f"{seen.get(stack)} and not {sums} at " + " > ".join(f"{f}:{n} {name}" for f, n, name in stack)
        for stack, sums in expected.items()
        if seen.get(stack) != sums
    ]
    assert wrong == []


def test_kinds_of_code(interpreter, record):
    check_stacks(record(interpreter, harness.Program.named("frames/kinds.py")), at_least=35)


def test_generators(interpreter, record):
    check_stacks(record(interpreter, harness.Program.named("frames/generators.py")), at_least=20)


def test_coroutines(interpreter, record):
    check_stacks(record(interpreter, harness.Program.named("frames/coroutines.py")), at_least=12)


def test_calls_from_c(interpreter, record):
    check_stacks(record(interpreter, harness.Program.named("frames/from_c.py")), at_least=15)


def test_long_lines_and_far_lines(interpreter, record):
    """Line tables with large steps, forwards and backwards, and statements over many lines."""
    check_stacks(record(interpreter, harness.Program.named("frames/line_tables.py")), at_least=60)


def test_names_of_every_width(interpreter, record):
    """Latin-1, two-byte and four-byte names of files and functions."""
    check_stacks(record(interpreter, harness.Program.named("frames/names.py")), at_least=6)


def test_short_lived_code(interpreter, program, record):
    """4,000 code objects that are born, run once and die: their addresses come back, and none may
    be taken for another."""
    source = program(
        """
        import gc

        kept = [None] * 4_000
        addresses = set()

        def make(number):
            text = "\\n" * (number % 40) + "kept[number] = bytes(600 + number)"
            if number % 3:
                text = "\\n" * (number % 40) + (
                    "def made_%d(): kept[number] = bytes(600 + number)\\nmade_%d()" % (number, number)
                )
            code = compile(text, "<made %d>" % number, "exec")
            addresses.add(id(code))
            exec(code, {"kept": kept, "number": number})

        for number in range(4_000):
            make(number)
        gc.collect()
        print(len(addresses))
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    assert int(recording.out) < 2000, "the addresses must have been used again"
    size = 600 + BYTES_HEADER
    seen = {}
    for row in recording.rows("end"):
        if row["file"] and row["file"].startswith("<made"):
            # The functions that are made there have died by now.
            if row["bytes"] >= size:
                seen.setdefault(row["file"], []).append((row["line"], row["function"], row["bytes"]))
    expected = {
        f"<made {number}>": [
            (
                number % 40 + 1,
                f"made_{number}" if number % 3 else "<module>",
                number + size,
            )
        ]
        for number in range(4_000)
    }
    wrong = [(file, seen.get(file), expected[file]) for file in expected if seen.get(file) != expected[file]]
    assert wrong == []


def test_same_name_other_line(interpreter, program, record):
    """Code objects that differ in their line table alone, one after the other at one address."""
    source = program(
        """
        kept = [None] * 2000

        def make(number):
            code = compile("x=0\\n" + "\\n" * number + "kept[number] = bytes(5000)", "<again>", "exec")
            exec(code, {"kept": kept, "number": number})

        for number in range(2000):
            make(number)
        import gc
        gc.collect()
        """
    )
    recording = record(interpreter, source)
    lines = recording.per_line("<again>", "end")
    size = 5000 + BYTES_HEADER
    seen = {line: (s.bytes, s.blocks) for line, s in lines.items() if s.bytes >= size}
    wrong = [n for n in range(2, 2002) if seen.pop(n, None) != (size, 1)]
    assert (wrong, seen) == ([], {})


def test_deep_recursion(interpreter, program, record):
    source = program(
        """
        import sys
        import stackcheck

        sys.setrecursionlimit(1500)

        def down(depth):
            if depth % 100 == 0:
                stackcheck.hold(1000 + depth)
            if depth:
                down(depth - 1)  # the way there
            if depth % 250 == 0:
                stackcheck.hold(5000 + depth)

        down(1000)
        stackcheck.finish()
        """
    )
    check_stacks(record(interpreter, source), at_least=16)


def test_very_deep_recursion(interpreter, program, record):
    """20,000 frames: the line is right, and so are the innermost thousands of frames. How many
    outer ones a recording keeps is limited."""
    source = program(
        """
        import sys
        import threading

        kept = [None] * 2
        sys.setrecursionlimit(30_000)

        def down(depth):
            if depth:
                down(depth - 1)  #: way
            else:
                kept[0] = bytes(3_000_000)  #: bottom

        def up_again():
            down(20_000)
            kept[1] = bytes(2_000_000)  #: after

        threading.stack_size(512 << 20)
        thread = threading.Thread(target=up_again)
        thread.start()
        thread.join()
        print("done")
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    assert recording.out == "done\n"
    assert recording.line(source, "bottom", "end").bytes == 3_000_000 + BYTES_HEADER
    assert recording.line(source, "after", "end").bytes == 2_000_000 + BYTES_HEADER
    down = (str(source), source.lines["way"], "down")
    # Not all of them: every one of the stacks below it is as long.
    stacks = harness.report(recording.file, "--at", "end", "--by", "stack", "-n", "1")
    deepest = [(f["file"], f["line"], f["function"]) for f in stacks["rows"][0]["stack"]]
    assert deepest[-1] == (str(source), source.lines["bottom"], "down")
    assert len(deepest) > 4000
    assert set(deepest[-4000:-1]) == {down}


def test_max_frames(python, program, record):
    source = program(
        """
        kept = []
        def down(depth):
            if depth:
                down(depth - 1)  #: way
            else:
                kept.append(bytes(3_000_000))  #: bottom
        down(100)
        """
    )
    recording = record(python, source, options=["--max-frames", "10"])
    (row,) = [row for row in recording.rows("end", "stack") if row["bytes"] >= 3_000_000]
    assert [frame["line"] for frame in row["stack"]][-10:] == [source.lines["way"]] * 9 + [
        source.lines["bottom"]
    ]
    assert len(row["stack"]) <= 11  # and one that stands for those left out


def test_recursion_again_and_again(interpreter, program, record):
    """The same frames at the same addresses, their callers at another line each time."""
    source = program(
        """
        import stackcheck

        def leaf(size):
            stackcheck.hold(size)

        def branch(depth, size):
            if depth == 0:
                leaf(size)
            elif size % 3 == 0:
                branch(depth - 1, size // 3 * 3 + depth % 3)
            elif size % 3 == 1:
                branch(depth - 1, size + 1)
            else:
                branch(depth - 1, size - 2)
                leaf(size + 50)

        for size in range(1000, 1200):
            branch(size % 17, size)
        stackcheck.finish()
        """
    )
    check_stacks(record(interpreter, source), at_least=50)


def test_threads(interpreter, program, record):
    """Eight threads at once, each with its own chain of frames."""
    source = program(
        """
        import threading
        import stackcheck

        lock = threading.Lock()
        start = threading.Barrier(8)

        def noise(depth):
            return [bytes(n) for n in range(50)] if depth == 0 else noise(depth - 1)

        def nested(depth, size):
            if depth == 0:
                with lock:
                    stackcheck.hold(size)
            else:
                nested(depth - 1, size)

        def work_even(number):
            start.wait()
            for step in range(20):
                noise(step)
                nested(step, 1000 * number + step + 1)

        def work_odd(number):
            start.wait()
            for step in range(20):
                nested(20 - step, 1000 * number + step + 1)
                noise(step)

        threads = [
            threading.Thread(target=work_odd if n % 2 else work_even, args=(n,)) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stackcheck.finish()
        """
    )
    check_stacks(record(interpreter, source), at_least=40)


def test_many_short_threads(interpreter, program, record):
    """Threads come and go, and the kernel and CPython give their numbers and states out again."""
    source = program(
        """
        import threading
        import stackcheck

        def work(number):
            stackcheck.hold(1000 + number)

        for number in range(300):
            thread = threading.Thread(target=work, args=(number,))
            thread.start()
            thread.join()
        stackcheck.finish()
        """
    )
    recording = record(interpreter, source)
    check_stacks(recording)


@pytest.mark.each_build
def test_greenlets(interpreter, program, record):
    if not interpreter.has("greenlet"):
        pytest.skip(f"{interpreter.name} has no greenlet")
    source = program(
        """
        import greenlet
        import stackcheck

        def inner(number, step):
            stackcheck.hold(1000 + number * 10 + step)
            greenlet.getcurrent().parent.switch()
            stackcheck.hold(5000 + number * 10 + step)

        def outer(number):
            for step in range(5):
                if step % 2:
                    inner(number, step)
                else:
                    (lambda: inner(number, step))()

        def turn():
            workers = [greenlet.greenlet(outer) for _ in range(6)]
            for number, worker in enumerate(workers):
                worker.switch(number)
            while any(not worker.dead for worker in workers):
                for worker in workers:
                    if not worker.dead:
                        worker.switch()

        turn()
        stackcheck.hold(9000)
        stackcheck.finish()
        """
    )
    check_stacks(record(interpreter, source), at_least=4)


def test_subinterpreters(interpreter, program, record):
    """Held by three sub-interpreters when the process ends without tearing them down."""
    source = program(
        """
        import os
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters

        script = '''
        def work():
            global kept
            kept = [bytes(%d)]
        work()
        '''
        made = [interpreters.create() for _ in range(3)]  # which end with their names
        for number, name in enumerate(made):
            error = interpreters.run_string(name, script % (700_000 + number))
            assert not error, error
        kept = bytes(800_000)  #: kept
        print("done", flush=True)
        os._exit(0)
        """
    )
    recording = record(interpreter, source)
    assert recording.out == "done\n"
    assert recording.line(source, "kept", "end").bytes == 800_000 + BYTES_HEADER
    rows = [row for row in recording.rows("end") if row["function"] == "work"]
    (row,) = [row for row in rows if row["bytes"] > 700_000]
    list_and_items = row["bytes"] - 3 * (700_000 + BYTES_HEADER) - (0 + 1 + 2)
    assert row["line"] == 4
    assert row["file"].startswith("<")
    assert 0 <= list_and_items < 1000


def test_c_code_without_the_gil(interpreter, program, record, with_native):
    """A C function that ctypes calls has released the GIL: the thread's own last Python frames
    count, while another thread runs Python code all the time."""
    source = program(
        """
        import ctypes, os, threading
        native = ctypes.CDLL(os.environ["NATIVE"])
        native.hold.argtypes = [ctypes.c_size_t]
        native.hold_many.argtypes = [ctypes.c_size_t, ctypes.c_size_t]

        stop = False
        def busy():
            while not stop:
                [bytes(n) for n in range(100)]

        def first(): native.hold(100_003)  #: first
        def second(): native.hold_many(1_001, 500)  #: second

        thread = threading.Thread(target=busy)
        thread.start()
        for _ in range(20):
            first()
            second()
        stop = True
        thread.join()
        """
    )
    recording = record(interpreter, source, env=with_native)
    assert_complete(recording)
    first = recording.line(source, "first", "end", ["malloc"])
    second = recording.line(source, "second", "end", ["malloc"])
    assert (first.bytes, first.blocks) == (20 * 100_003, 20)
    assert (second.bytes, second.blocks) == (20 * 500 * 1_001, 20 * 500)


def test_thread_that_python_never_saw(interpreter, program, record, with_native):
    """Counted all the same, without a Python stack: the difference to the same run without it."""
    source = program(
        """
        import ctypes, os, sys
        native = ctypes.CDLL(os.environ["NATIVE"])
        native.hold_in_foreign_thread.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
        native.hold_in_foreign_thread(1_001, int(sys.argv[1]))  #: thread
        """
    )
    some = record(interpreter, source, "500", env=with_native)
    none = record(interpreter, source, "000", env=with_native)
    some, none = (r.unowned("end", ["malloc"]) for r in (some, none))
    assert (some.bytes - none.bytes, some.blocks - none.blocks) == (500 * 1_001, 500)
