"""Native stacks among those of Python (run --native)."""

import re
import subprocess

import harness
import native_library
import pytest
from harness import assert_complete

pytestmark = pytest.mark.each_interpreter

SOURCE = harness.Program.named("native_stacks.c")

HEAD = """
    import ctypes, os
    native = ctypes.CDLL(os.environ["NATIVE_STACKS"])
    for name in ("outer", "recurse", "with_array", "aligned"):
        getattr(native, name).restype = ctypes.c_void_p
    native.outer.argtypes = [ctypes.c_size_t]
"""


@pytest.fixture(params=["-O2 -g", "-O3 -g -fomit-frame-pointer", "-O2 -g -flto"])
def library(request, compiled):
    flags = ["-shared", "-fPIC", *request.param.split()]
    return compiled("native_stacks.c", "libstacks.so", *flags)


@pytest.fixture
def plain_library(compiled):
    return compiled("native_stacks.c", "libstacks.so", "-shared", "-fPIC", "-O2", "-g")


def recorded(record, interpreter, source, library, **more):
    env = harness.environment(NATIVE_STACKS=library)
    recording = record(interpreter, source, options=["--native"], env=env, **more)
    assert_complete(recording)
    return recording


def stack_of(recording, source, size):
    """The stack that holds a block of this size: the program's functions and lines of the library."""
    return native_library.stack_of(recording, size, source, SOURCE)


LEAF = [("middle", "middle"), ("leaf", "leaf"), ("inlined", "inlined")]


def test_c_functions(interpreter, program, record, plain_library):
    source = program(
        HEAD
        + """
    def function():
        native.outer(70_001)
        native.recurse(70_002, 3)
        native.with_array(70_003, 300)
        native.with_array(70_004, 3_000)
        native.aligned(70_005)
    function()
    """
    )
    recording = recorded(record, interpreter, source, plain_library)
    python = ["<module>", "function"]
    assert stack_of(recording, source, 70_001) == [*python, ("outer", "outer"), *LEAF]
    assert stack_of(recording, source, 70_002) == [*python, *[("recurse", "recurse")] * 4]
    assert stack_of(recording, source, 70_003) == [*python, ("with_array", "array")]
    assert stack_of(recording, source, 70_004) == [*python, ("with_array", "array")]
    assert stack_of(recording, source, 70_005) == [*python, ("aligned", "aligned")]


def test_however_it_is_compiled(python, program, record, library):
    source = program(HEAD + "    native.outer(70_001)\n")
    recording = recorded(record, python, source, library)
    assert stack_of(recording, source, 70_001) == ["<module>", ("outer", "outer"), *LEAF]


def test_frames_that_are_left_at_once(python, program, record, library):
    """By longjmp(), from ever deeper down."""
    source = program(
        HEAD
        + """
    native.jump.argtypes = [ctypes.c_size_t, ctypes.c_int]
    def function():
        for depth in range(30):
            native.jump(70_001 + 2 * depth, depth)
    function()
    """
    )
    recording = recorded(record, python, source, library)
    python = ["<module>", "function"]
    for depth in range(30):
        size = 70_001 + 2 * depth
        leaps = [("leap", "leap")] * depth
        assert stack_of(recording, source, size) == [*python, ("jump", "jump"), *leaps, ("leap", "leaping")]
        calls = [("recurse", "recurse")] * ((depth ^ 5) + 1)
        assert stack_of(recording, source, size + 1) == [*python, ("jump", "landed"), *calls]


def test_without_a_way_on(python, program, record, compiled):
    """A library without unwind tables: its innermost frame is known, and what is outside of Python's."""
    flags = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fomit-frame-pointer"]
    library = compiled("native_stacks.c", "libstacks.so", "-shared", "-fPIC", "-O2", "-g", *flags)
    source = program(HEAD + "    def function():\n        native.outer(70_001)\n    function()\n")
    recording = recorded(record, python, source, library)
    frames = [frame["function"] for frame in native_library.row_of(recording, 70_001)["stack"]]
    assert frames[:2] + frames[3:] == ["<module>", "function", "leaf", "inlined"]
    assert "left out" in native_library.row_of(recording, 70_001)["stack"][2]["file"]


def test_python_between_c(interpreter, program, record, plain_library):
    """C calls Python, which calls C: each frame at its place."""
    source = program(
        HEAD
        + """
    def inner():
        native.outer(70_001)
    def again():
        back = ctypes.CFUNCTYPE(None)(inner)
        native.call_back(back)
    def first():
        back = ctypes.CFUNCTYPE(None)(again)
        native.call_back(back)
    first()
    """
    )
    recording = recorded(record, interpreter, source, plain_library)
    back = ("call_back", "back")
    assert stack_of(recording, source, 70_001) == [
        "<module>", "first", back, "again", back, "inner", ("outer", "outer"), *LEAF,
    ]  # fmt: skip


def test_the_interpreter_s_own_functions(interpreter, program, record, plain_library):
    """Down to the function that asked for memory; between Python functions they are left out."""
    source = program(
        """
        def function():
            return [b"x" * 70_001]  #: here
        kept = sorted([1], key=lambda _: function())
        kept = function()
        """
    )
    recording = recorded(record, interpreter, source, plain_library)
    size = 70_001 + harness.BYTES_HEADER
    largest = recording.report("end", "stack", "-n", "50")["rows"]  # of very many
    (row,) = [r for r in largest if r["bytes"] == size]
    places = [(frame["file"], frame["function"]) for frame in row["stack"]]
    assert places[:2] == [(str(source), "<module>"), (str(source), "function")]
    inner = row["stack"][2:]
    assert inner and all(frame["file"] != str(source) for frame in inner)


@pytest.mark.each_interpreter
def test_a_thread_of_python_s(interpreter, program, record):
    """As it begins it asks libc for its stack, and libc allocates meanwhile (3.14 and later)."""
    source = program(
        """
        import threading
        def work():
            kept.append(bytes(70_001))  #: kept
        kept = []
        for _ in range(3):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        """
    )
    recording = record(interpreter, source, options=["--native"])
    assert_complete(recording)
    rows = recording.report("end", "line", "--cumulative", "--include", source.path.name)["rows"]
    (kept,) = [row["bytes"] for row in rows if (row["file"], row["line"]) == (str(source), source.lines["kept"])]
    assert 0 <= kept - 3 * (70_001 + harness.BYTES_HEADER) < 1_000


def test_a_thread_without_python(python, program, record, plain_library):
    source = program(HEAD + "    native.in_a_thread(ctypes.c_size_t(70_001))\n")
    recording = recorded(record, python, source, plain_library)
    expected = [("run_thread", "thread"), ("outer", "outer"), *LEAF]
    assert stack_of(recording, source, 70_001) == expected


def test_a_handler_on_its_own_stack(python, program, record, plain_library):
    source = program(HEAD + "    native.in_a_handler()\n")
    recording = recorded(record, python, source, plain_library)
    assert stack_of(recording, source, 70_002) == ["<module>", ("in_a_handler", "after"), ("outer", "outer"), *LEAF]
    rows = [r for r in recording.rows("exit", "stack", ["malloc"]) if r["bytes"] == 70_001]
    assert len(rows) == 1


@pytest.mark.parametrize("depth", [1_000, 3_000, 10_000])
def test_deep_recursion(python, program, record, plain_library, depth):
    """What is deeper than can be kept ends in the mark for frames that are left out."""
    source = program(
        HEAD
        + f"""
    def function():
        for number in range(10):
            native.recurse(70_001 + number, {depth} + number)
    function()
    """
    )
    recording = recorded(record, python, source, plain_library)
    rows = [r for r in recording.rows("exit", "stack", allocators=["malloc"]) if r["bytes"] >= 70_001]
    calls = [sum(frame["function"] == "recurse" for frame in row["stack"]) for row in rows]
    assert sum(row["blocks"] for row in rows) == 10
    assert sum(row["bytes"] for row in rows) == sum(range(70_001, 70_011))
    kept = min(calls)
    if depth < 2_000:
        assert sorted(calls) == [depth + number + 1 for number in range(10)]
    else:
        assert kept >= 2_000
    for row in rows:
        names = ["left out" if "left out" in f["file"] else f["function"] for f in row["stack"]]
        assert names[:2] == ["<module>", "function"]
        assert names[-kept:] == ["recurse"] * kept
        assert names.count("left out") == (depth > 2_000) and (depth < 2_000 or names[2] == "left out")


def test_libraries_that_take_each_other_s_place(python, program, record, plain_library, tmp_path):
    """Unloaded and loaded alternately, usually at the same address."""
    libraries = []
    for name in ("first", "second"):
        text = f"#include <stdlib.h>\nvoid *volatile kept;\nvoid *{name}(size_t size)\n{{\n    return kept = malloc(size);\n}}\n"
        text += f"void *allocate(size_t size)\n{{\n    void *block = {name}(size);\n    kept = block;\n    return block;\n}}\n"
        (tmp_path / f"{name}.c").write_text(text)
        output = tmp_path / f"lib{name}.so"
        subprocess.run(["gcc", "-O1", "-g", "-fno-inline", "-shared", "-fPIC", "-o", output, tmp_path / f"{name}.c"], check=True)
        libraries.append(output)
    source = program(
        HEAD
        + f"""
    first, second = {str(libraries[0]).encode()!r}, {str(libraries[1]).encode()!r}
    for number in range(50):
        native.load(first, ctypes.c_size_t(70_000 + number))
        native.load(second, ctypes.c_size_t(80_000 + number))
    """
    )
    recording = recorded(record, python, source, plain_library)
    for base, name in ((70_000, "first"), (80_000, "second")):
        expected = sum(base + number for number in range(50))
        (row,) = [r for r in recording.rows("exit", "stack") if (r["bytes"], r["blocks"]) == (expected, 50)]
        assert [frame["function"] for frame in row["stack"]][-3:] == ["load", "allocate", name]


def test_a_forked_child(python, program, record, plain_library):
    source = program(
        HEAD
        + """
    native.outer(70_001)
    pid = os.fork()
    if pid == 0:
        native.outer(70_002)
        os._exit(0)
    os.waitpid(pid, 0)
    """
    )
    recording = recorded(record, python, source, plain_library)
    expected = ["<module>", ("outer", "outer"), *LEAF]
    assert stack_of(recording, source, 70_001) == expected
    assert stack_of(recording, source, 70_002) == expected


def test_over_a_stream(python, program, record, plain_library):
    source = program(HEAD + "    native.outer(70_001)\n")
    env = harness.environment(NATIVE_STACKS=plain_library)
    recording = record(python, source, options=["--native", "--carrier=stream"], env=env)
    assert_complete(recording)
    assert stack_of(recording, source, 70_001) == ["<module>", ("outer", "outer"), *LEAF]


def test_innermost_frames_alone(python, program, record, plain_library):
    source = program(HEAD + "    native.outer(70_001)\n")
    env = harness.environment(NATIVE_STACKS=plain_library)
    recording = record(python, source, options=["--native", "--max-frames", "2"], env=env)
    assert stack_of(recording, source, 70_001) == LEAF[1:]
    assert all(len(row["stack"]) <= 2 for row in recording.rows("exit", "stack"))


def test_code_that_is_made_as_it_runs(python, program, record):
    """It is in no file and nothing tells how to leave it: its address, behind the mark, above what Python knows."""
    source = program(
        """
        import ctypes, mmap
        malloc = ctypes.cast(ctypes.CDLL(None).malloc, ctypes.c_void_p).value
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        # sub $8, %rsp; movabs $malloc, %rax; call *%rax; add $8, %rsp; ret
        page.write(bytes.fromhex("4883ec0848b8") + malloc.to_bytes(8, "little") + bytes.fromhex("ffd04883c408c3"))
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        made = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(address)
        def function():
            made(70_001)
        function()
        print(hex(address + 16))
        """
    )
    recording = record(python, source, options=["--native"])
    assert_complete(recording)
    (row,) = [r for r in recording.rows("exit", "stack", allocators=["malloc"]) if r["bytes"] == 70_001]
    frames = [(frame["file"], frame["function"]) for frame in row["stack"]]
    assert frames == [
        (str(source), "<module>"), (str(source), "function"),
        ("<outer frames left out>", ""), ("<native code>", recording.out.strip()),
    ]  # fmt: skip


def test_without_names(python, program, record, plain_library, tmp_path):
    """A stripped library: its functions are places in it, and never somebody else's name."""
    stripped = tmp_path / "libstripped.so"
    subprocess.run(["strip", "-o", stripped, plain_library], check=True)
    source = program(HEAD + "    native.outer(70_001)\n")
    recording = recorded(record, python, source, stripped)
    (row,) = [r for r in recording.rows("exit", "stack", allocators=["malloc"]) if r["bytes"] == 70_001]
    frames = [f["function"] for f in row["stack"] if f["file"] == str(stripped)]
    assert len(frames) == 3 and frames[0] == "outer"
    assert all(re.fullmatch(r"libstripped\.so\+0x[0-9a-f]+", name) for name in frames[1:])
