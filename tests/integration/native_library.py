"""A library whose functions have known names, and programs in which it allocates; and the stacks of
marked lines."""

import collections
import re
import subprocess
import textwrap

import harness
import pytest

LIBRARY = """
    #include <stdlib.h>

    void *volatile kept;

    static __attribute__((noinline, noclone)) void *HIDDEN(size_t size)
    {
        kept = malloc(size);
        return kept;
    }

    void *early(size_t size)
    {
        kept = malloc(size);
        return kept;
    }

    void *allocate(size_t size)
    {
        void *block = HIDDEN(size);
        kept = block;
        return block;
    }
"""

HEAD = """
    import ctypes, os, sys
    path = sys.argv[1]
    library = ctypes.CDLL(path)
    library.allocate.restype = ctypes.c_void_p
    library.allocate.argtypes = [ctypes.c_size_t]
"""
CALL = "\nlibrary.allocate(70_001)\n"
SIZE = 70_001
# More words than the ring has: when they are written the collector has read what came before.
SETTLE = "\nfor _ in range(60_000): bytearray(9)\n"
# The functions on the stack of the block that CALL makes.
NAMES = ["allocate", "hidden"]

# Four libraries of LIBRARY, so that their functions, files and lines are called the same: how each is
# made, and how much it holds in a recording of theirs.
LIBRARIES = {
    "libone.so": (["-g", "-Wl,--build-id"], 400_001),
    "libtwo.so": (["-g", "-O1", "-Wl,--build-id"], 500_001),
    "libplain.so": (["-g", "-Wl,--build-id=none"], 600_001),
    "libbare.so": (["-s", "-Wl,--build-id"], 700_001),
}

LIBRARIES_SOURCE = '''
    import _ctypes, sys, time

    def call(path, size):
        _ctypes.call_function(_ctypes.dlsym(_ctypes.dlopen(path, 0), "allocate"), (size,))

    def native():
        for path, size in zip(sys.argv[1::2], sys.argv[2::2]):
            call(path, int(size))

    def rows(count):
        return [[number, str(number) * 20] for number in range(count)]

    early = rows(300)
    native()
    time.sleep(0.02)
    kept = rows(500)
    del early
    time.sleep(0.02)
'''

# For tests that do not turn on how the library is told from others.
WITH_ID = pytest.mark.parametrize("build_library", ["--build-id"], indirect=True)


def write(folder, source):
    text = "\n".join(map(textwrap.dedent, (HEAD, source, CALL + SETTLE)))
    return harness.Program.write(folder, text).path


def compile_library(folder, name, *flags, hidden="hidden"):
    """LIBRARY, as a file of this name in the folder."""
    source = harness.Program.write(folder, LIBRARY, "library.c").path
    output = folder / name
    output.parent.mkdir(exist_ok=True)
    command = ["gcc", "-O2", "-shared", "-fPIC", *flags, f"-DHIDDEN={hidden}", "-o", output, source]
    subprocess.run(command, check=True)
    return output


def record_libraries(folder, name="run", more=0):
    """A program in which each of LIBRARIES holds a block of its size and `more`."""
    arguments = []
    for library, (flags, size) in LIBRARIES.items():
        arguments += [compile_library(folder, library, *flags), size + more]
    program = harness.Program.write(folder, LIBRARIES_SOURCE)
    command = ["/usr/bin/python3", "-I", "-S", program, *arguments]
    return harness.record(command, folder / f"{name}.heapline", ["--native"], cwd=folder)


def record(folder, python, source, *arguments, options=(), **more):
    command = [python.path, write(folder, source), *arguments]
    return harness.record(command, folder / "run.heapline", ["--native", *options], cwd=folder, **more)


def recorder(record, interpreter, program, head, **variables):
    """A function that records a program of `head` and a source, and returns both."""

    def recorded(source):
        source = program(head + source)
        recording = record(interpreter, source, options=["--native"], env=harness.environment(**variables))
        harness.assert_complete(recording)
        return source, recording

    return recorded


def functions(recording, library):
    """The library's functions on the stack of its block."""
    (row,) = [row for row in recording.rows("exit", "stack", ["malloc"]) if (row["bytes"], row["blocks"]) == (SIZE, 1)]
    stack = [frame["function"] for frame in row["stack"]]
    return stack[-2:]


def are_offsets(names, library):
    return all(re.fullmatch(re.escape(library.name) + r"\+0x[0-9a-f]+", name) for name in names)


def note_of(recording, library):
    (module,) = [module for module in recording.report("exit")["modules"] if module["path"] == str(library)]
    return module["note"]


def build_id(path):
    notes = subprocess.run(["readelf", "-n", path], check=True, capture_output=True, text=True).stdout
    return notes.split("Build ID: ")[1].split()[0]


def split(library):
    """Moves the debug information into a file of its own, to which a link leads."""
    debug = library.with_suffix(".debug")
    for command in (
        ["objcopy", "--only-keep-debug", library, debug],
        ["strip", library],
        ["objcopy", f"--add-gnu-debuglink={debug}", library],
    ):
        subprocess.run(command, check=True, cwd=library.parent)
    return debug


# --- marked lines --------------------------------------------------------------------------------


def named_frames(row, sources):
    """The frames of a stack that are of these sources: (function, name of its line), or the function
    where the line has no name."""
    names = {str(source): source.by_number for source in sources}
    frames = [frame for frame in row["stack"] if frame["file"] in names]
    lines = [names[frame["file"]].get(frame["line"]) for frame in frames]
    return [(frame["function"], line) if line else frame["function"] for frame, line in zip(frames, lines)]


def named_stacks(recording, *sources, innermost=None):
    """{frames: Sum}: what malloc and its kin gave, to all or to one function, by the frames that are of
    these sources."""
    sums = collections.defaultdict(lambda: harness.NOTHING)
    for row in recording.rows("exit", "stack", ["malloc"]):
        if innermost is None or row["stack"] and row["stack"][-1]["function"] == innermost:
            sums[tuple(named_frames(row, sources))] += harness.sum_of([row])
    return sums


def row_of(recording, size, held=True):
    """That of the only block of this size, which is held, or has been freed by then."""
    wanted = harness.Sum(size, 1, size, 1) if held else harness.Sum(0, 0, size, 1)
    (row,) = [row for row in recording.rows("exit", "stack", ["malloc"]) if harness.sum_of([row]) == wanted]
    return row


def stack_of(recording, size, *sources, held=True):
    return named_frames(row_of(recording, size, held), sources)
