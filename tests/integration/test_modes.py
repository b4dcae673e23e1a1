"""The ways to start an interpreter: the survivors are exact in each."""

import harness
import pytest
from harness import BYTES_HEADER, PYTHON_ALLOCATORS, Program, assert_complete
from test_tracemalloc_equality import differences, seen_by_heapline, seen_by_tracemalloc

MODES = {
    "-X dev": (("-X", "dev"), {}),
    "-X dev, malloc": (("-X", "dev"), {"PYTHONMALLOC": "malloc"}),
    "-X tracemalloc": (("-X", "tracemalloc"), {}),
    "-X tracemalloc=25": (("-X", "tracemalloc=25"), {}),
    "PYTHONTRACEMALLOC": ((), {"PYTHONTRACEMALLOC": "1"}),
    "malloc": ((), {"PYTHONMALLOC": "malloc"}),
    "malloc_debug": ((), {"PYTHONMALLOC": "malloc_debug"}),
    "debug": ((), {"PYTHONMALLOC": "debug"}),
    "pymalloc": ((), {"PYTHONMALLOC": "pymalloc"}),
    "pymalloc_debug": ((), {"PYTHONMALLOC": "pymalloc_debug"}),
    "default": ((), {"PYTHONMALLOC": "default"}),
    "-S": (("-S",), {}),
    "-I": (("-I",), {}),
    "-E": (("-E",), {}),
    "-s -B -u -O": (("-s", "-B", "-u", "-O"), {}),
    "-OO": (("-OO",), {}),
    "-X faulthandler": (("-X", "faulthandler"), {}),
    "-X importtime": (("-X", "importtime"), {}),
    "no hash seed": ((), {"PYTHONHASHSEED": None}),
}

# Needs nothing from PYTHONPATH, which -I and -E leave out.
SURVIVORS = """
    import gc
    import sys

    class Slotted:
        __slots__ = ("a", "b")

    kept = [None] * 300
    # All names at once: the dict that holds them does not grow on a line under test.
    blocks = number = function = grown = temporary = sizes = None
    blocks = bytearray(123_457)  #: big
    for number in range(100):
        kept[number] = bytes(1000 + number)  #: bytes
    for number in range(100, 200):
        kept[number] = Slotted()  #: slotted
    def function():
        for number in range(200, 300):
            kept[number] = "x" * (number + 700)  #: text
    function()
    grown = bytearray(10)
    grown.extend(b"0" * 200_000)  #: grown
    temporary = bytes(5_000_000)  #: temporary
    del temporary
    sizes = (sys.getsizeof(blocks), sys.getsizeof(kept[100]), sys.getsizeof(kept[200]))
    sizes += (sys.getsizeof(grown), sys.getsizeof(bytearray()))
    gc.collect()  # what is only on a free list goes
    sys.stdout.write(repr(sizes))
"""


def check_survivors(recording, source, domains=PYTHON_ALLOCATORS):
    assert_complete(recording)
    big, slotted, text, grown, bytearray_object = eval(recording.out)

    def held(name):
        sums = recording.line(source, name, "end", domains)
        return sums.bytes, sums.blocks

    assert held("big") == (big, 2)
    assert held("bytes") == (sum(1000 + n + BYTES_HEADER for n in range(100)), 100)
    assert held("slotted") == (100 * slotted, 100)
    assert held("text") == (100 * text + sum(range(100)), 100)
    assert held("grown") == (grown - bytearray_object, 1)
    assert held("temporary") == (0, 0)
    temporary = recording.line(source, "temporary", "peak", domains)
    assert (temporary.bytes, temporary.blocks) == (5_000_000 + BYTES_HEADER, 1)


@pytest.mark.parametrize("mode", MODES)
def test_survivors(interpreter, mode, program, record):
    flags, changes = MODES[mode]
    source = program(SURVIVORS)
    recording = record(interpreter, source, flags=flags, env=harness.environment(**changes))
    check_survivors(recording, source, domains_of(mode))
    # At most one that start-up frees by another allocator than it got it from: a step of a free that
    # frees an address of its own, as under CPython's debug hooks, is none.
    if "tracemalloc" not in mode.lower():
        assert recording.sql("SELECT unmatched_frees FROM process") <= [(1,)]


def domains_of(mode):
    """Without the one that holds tracemalloc's own tables."""
    return ("mem", "object") if "tracemalloc" in mode.lower() else PYTHON_ALLOCATORS


@pytest.mark.parametrize("mode", ["-X dev", "malloc", "debug", "-X tracemalloc"])
def test_equal_to_tracemalloc(interpreter, mode, record, bare):
    flags, changes = MODES[mode]
    env = harness.environment(**changes)
    program = Program.named("held/objects.py")
    printed = bare(interpreter, program, "tracemalloc", flags=flags, env=env).json
    recording = record(interpreter, program, flags=flags, env=env)
    seen = seen_by_heapline(program, recording, domains_of(mode))
    assert differences(program, seen, seen_by_tracemalloc(program, printed)) == []


@pytest.mark.parametrize("mode", ["normal", "-X dev", "malloc"])
def test_allocators_of_python(interpreter, mode, program, record, with_native):
    """One call is one event, the outermost, under the name of the domain that was asked."""
    flags, changes = MODES.get(mode, ((), {}))
    source = program(
        """
        import ctypes, os
        kept = [None] * 1000
        python = ctypes.pythonapi
        native = ctypes.CDLL(os.environ["NATIVE"])
        for function in (python.PyMem_RawMalloc, python.PyMem_Malloc, python.PyObject_Malloc):
            function.restype = ctypes.c_void_p
            function.argtypes = [ctypes.c_size_t]
        native.hold.restype = ctypes.c_void_p
        native.hold.argtypes = [ctypes.c_size_t]
        for number in range(100):
            kept[number] = python.PyMem_RawMalloc(2000 + number)  #: raw
        for number in range(100):
            kept[number] = python.PyMem_Malloc(3000 + number)  #: mem
        for number in range(100):
            kept[number] = python.PyObject_Malloc(4000 + number)  #: object
        for number in range(100):
            kept[number] = native.hold(5000 + number)  #: malloc
        kept = None
        """
    )
    env = {**with_native, **changes}
    recording = record(interpreter, source, flags=flags, env=env)
    assert_complete(recording)
    for base, own in ((2000, "raw"), (3000, "mem"), (4000, "object"), (5000, "malloc")):
        for domain in ("raw", "mem", "object", "malloc"):
            sums = recording.line(source, own, "end", [domain])
            expected = (sum(base + n for n in range(100)), 100) if domain == own else (0, 0)
            if (own, domain) != ("object", "object") and domain == "object":
                # The addresses are int objects, dropped at the end but for free lists.
                assert sums.bytes < 8192
                continue
            if own == domain == "object":
                assert 0 <= sums.bytes - expected[0] < 8192
                continue
            assert (sums.bytes, sums.blocks) == expected, (own, domain)


def test_libpython_by_dlopen(interpreter, program, compiled, tmp_path):
    if not interpreter.libpython:
        pytest.skip(f"{interpreter.name} has no shared libpython")
    embed = compiled("embed.c", "embed", *interpreter.link_flags)
    source = program(SURVIVORS)
    env = harness.environment(PYTHONHOME=interpreter.prefix)
    recording = harness.record(
        [embed, interpreter.libpython, source], tmp_path / "run.heapline", env=env
    )
    check_survivors(recording, source)
    assert recording.process["python"] == interpreter.version_text


def test_programs_that_are_no_python(tmp_path):
    """They run as they are, and nothing of them is recorded."""
    recording = harness.record(
        ["sh", "-c", "echo one; ls / >/dev/null; echo two | cat"], tmp_path / "run.heapline"
    )
    assert recording.out == "one\ntwo\n"
    assert recording.totals["allocations"] == 0
