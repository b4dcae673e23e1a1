"""Native code that is of no file, because the program has made it while it ran."""

import ctypes
import struct
from pathlib import Path

import harness
import native_library
import pytest
from harness import BUILD, run

HEAD = """
    import ctypes, os
    library = ctypes.CDLL(os.environ["MADE_CODE"])
    library.made_call.restype = ctypes.c_void_p
    library.made_call.argtypes = [ctypes.c_size_t]
    objects = os.environ["MADE_OBJECTS"].encode().split(b":")
"""

# The names of an object's two functions as symbols, and as a person reads them.
OBJECTS = [
    ("_ZN7cpython8__main__5loadsB2v1Ex", "__main__.loads (wrapper)"),
    ("_ZN8__main__4Shop12_3clocals_3e4sellB2v1B3ab_Ex", "__main__.Shop.<locals>.sell"),
    ("_ZN4shop5Order3addEi", "shop::Order::add"),
    ("add_item", "add_item"),
]


@pytest.mark.each_interpreter
def test_code_that_the_program_has_made(interpreter, program, record):
    """What has no file has the name that its maker tells profilers of it in /tmp/perf-PID.map."""
    if interpreter.version < (3, 12):
        pytest.skip("CPython makes no code of its own that it tells of")
    source = program("def load(n): return [bytes(n) for _ in range(100)]\nkept = load(10_000)\n")
    recording = record(interpreter, source, flags=["-X", "perf"], options=["--native"])
    pid = recording.report()["processes"][0]["pid"]
    perf_map = Path(f"/tmp/perf-{pid}.map")
    if not perf_map.exists():
        pytest.skip("this Python is built without")
    perf_map.unlink()
    rows = [row for row in recording.rows(by="stack") if row["bytes"] > 900_000]
    names = [f["function"] for row in rows for f in row["stack"] if f["file"] == "<native code>"]
    assert f"py::load:{source}" in names
    text = run([BUILD / "heapline", "report", "--by", "stack", recording.file], check=0).out
    assert ":0 " not in text and "<native code> py::load" in text


@pytest.fixture
def objects(compiled):
    """Two objects of the same size whose functions have the names of OBJECTS."""
    names = [symbol for symbol, _ in OBJECTS]
    flags = ["-c", "-g0", "-O1", "-fno-toplevel-reorder", "-fcf-protection=none"]
    return [
        compiled("made_object.c", "made.o", *flags, f'-DOUTER="{outer}"', f'-DINNER="{inner}"')
        for outer, inner in (names[:2], names[2:])
    ]


# LLVM's list is a local symbol where LLVM is part of a library. Where it is a library of its own,
# which may be stripped, the list is exported.
LOCAL, EXPORTED = "-DLOCAL", "-s"


def variables(compiled, objects, kind=LOCAL):
    library = compiled("made_code.c", "libmade.so", "-shared", "-fPIC", kind)
    return {"MADE_CODE": library, "MADE_OBJECTS": ":".join(map(str, objects))}


def recorder(record, python, program, compiled, objects, kind=LOCAL):
    return native_library.recorder(record, python, program, HEAD, **variables(compiled, objects, kind))


@pytest.fixture
def recorded(record, interpreter, program, compiled, objects):
    return recorder(record, interpreter, program, compiled, objects)


def frames_of(recording, size):
    """The native frames that called for the only block of this size: made ones alone by name."""
    stack = native_library.row_of(recording, size)["stack"]
    return [frame["function"] for frame in stack if frame["file"] in ("<native code>", "<outer frames left out>")]


def test_code_that_debuggers_are_told_of(recorded):
    """It has the names that its maker tells debuggers, and who called it is known."""
    _, recording = recorded("""
    def function():
        library.made_load(objects[0], 0)
        library.made_call(70_001)
    function()
    """)
    stack = native_library.row_of(recording, 70_001)["stack"]
    names = [frame["function"] for frame in stack]
    assert names[:2] == ["<module>", "function"]
    assert names[-3:] == ["made_call", "__main__.loads (wrapper)", "__main__.Shop.<locals>.sell"]
    assert frames_of(recording, 70_001) == names[-2:]
    text = run([BUILD / "heapline", "report", "--by", "stack", recording.file], check=0).out
    assert "<native code> __main__.Shop.<locals>.sell" in text


def test_a_list_that_is_exported(python, record, program, compiled, objects):
    _, recording = recorder(record, python, program, compiled, objects, EXPORTED)("""
    library.made_load(objects[1], 0)
    library.made_call(70_001)
    """)
    assert frames_of(recording, 70_001) == [name for _, name in OBJECTS[2:]]


def test_memory_for_code_is_used_again(recorded):
    """What stands there at the time is named, or nothing is where nobody says what."""
    _, recording = recorded("""
    library.made_load(objects[0], 0)
    assert library.made_call(70_001)
    library.made_unload(0)
    library.made_load(objects[1], 1)
    assert library.made_call(70_002)
    assert library.made_call(70_003)
    library.made_unload(1)
    assert library.made_call(70_004)
    library.made_load(objects[0], 2)
    assert library.made_call(70_005)
    """)
    first, second = ([name for _, name in some] for some in (OBJECTS[:2], OBJECTS[2:]))
    assert frames_of(recording, 70_001) == first
    assert frames_of(recording, 70_002) == frames_of(recording, 70_003) == second
    assert frames_of(recording, 70_005) == first
    unnamed = frames_of(recording, 70_004)
    assert unnamed and unnamed[-1].startswith("0x")


def test_a_list_that_changes_meanwhile(recorded):
    """Its entries come and go in another thread, and what they lead to: a look at the list may find
    nothing, but the next after it stands still finds what is there."""
    _, recording = recorded("""
    library.made_load(objects[0], 0)
    library.made_begin_changes()
    for _ in range(1_000):
        library.made_call(1_001)
    library.made_end_changes()
    library.made_call(70_001)
    """)
    rows = recording.rows("exit", "stack", ["malloc"])
    called = [row for row in rows if "made_call" in [frame["function"] for frame in row["stack"]]]
    assert harness.sum_of(called) == harness.Sum(1_001_000 + 70_001, 1_001, 1_001_000 + 70_001, 1_001)
    assert frames_of(recording, 70_001) == [name for _, name in OBJECTS[:2]]


def refuse_copies():
    """From now on the kernel refuses process_vm_readv(), as the filters of some containers do."""
    load, jump, ret, allow, refuse, call = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050001, 310
    rules = [(load, 0, 0, 0), (jump, 0, 1, call), (ret, 0, 0, refuse), (ret, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    filter = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rules), ctypes.addressof(code)))
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter) == 0


def test_where_the_kernel_copies_nothing(python, record, program, compiled, objects):
    """The names are not known, and that is all."""
    source = program(HEAD + """
    library.made_load(objects[0], 0)
    for _ in range(1_000):
        library.made_call(1_001)
    library.made_call(70_001)
    """)
    env = harness.environment(**variables(compiled, objects))
    recording = record(python, source, options=["--native"], env=env, preexec_fn=refuse_copies)
    harness.assert_complete(recording)
    (name,) = frames_of(recording, 70_001)[-1:]
    assert name.startswith("0x")


def test_a_library_that_is_loaded_again(recorded):
    """With a list of its own, which another library's code does not lead to."""
    _, recording = recorded("""
    import _ctypes
    def call(path, size):
        library = ctypes.CDLL(os.environ["MADE_CODE"])
        library.made_load(path, 0)
        library.made_call.argtypes = [ctypes.c_size_t]
        library.made_call(size)
        _ctypes.dlclose(library._handle)
    _ctypes.dlclose(library._handle)
    call(objects[0], 70_001)
    call(objects[1], 70_002)
    """)
    assert frames_of(recording, 70_001) == [name for _, name in OBJECTS[:2]]
    assert frames_of(recording, 70_002) == [name for _, name in OBJECTS[2:]]
