"""The programs and libraries that native frames are of (run --native): what is recorded of them."""

import subprocess
import textwrap

import harness
import pytest
from harness import BUILD, assert_complete, run

# A library that allocates, and the program that calls it: `call(path, size)`.
LIBRARY = """
    #include <stdlib.h>

    void *volatile kept;

    static __attribute__((noinline, noclone)) void *hidden(size_t size)
    {
        void *block = malloc(size); /*: hidden */
        kept = block;
        return block;
    }

    void *allocate(size_t size)
    {
        void *block = hidden(size); /*: allocate */
        kept = block;
        return block;
    }
"""

HEAD = """
    import ctypes, os
    def load(path):
        library = ctypes.CDLL(path)
        library.allocate.restype = ctypes.c_void_p
        library.allocate.argtypes = [ctypes.c_size_t]
        return library
    def call(path, size):
        load(path).allocate(size)
"""


@pytest.fixture
def record(tmp_path, python, program):
    """Records a program of HEAD and this source, with native frames."""

    def record(source, *options, env=None, **more):
        text = textwrap.dedent(HEAD) + textwrap.dedent(source)
        command = [python.path, program(text)]
        recording = harness.record(command, tmp_path / "run.heapline", ["--native", *options], env, **more)
        assert_complete(recording)
        return recording

    return record


@pytest.fixture
def library(tmp_path):
    """library(name, flags): compiles LIBRARY, or another text, to a file of the test's own folder."""

    def build(name, *flags, text=LIBRARY, source="library.c"):
        source = harness.Program.write(tmp_path, text, source).path
        output = tmp_path / name
        output.parent.mkdir(parents=True, exist_ok=True)
        command = ["gcc", "-O2", "-g", "-shared", "-fPIC", "-Wl,--build-id", *flags, "-o", output, source]
        subprocess.run([str(word) for word in command], check=True)
        return output

    return build


def build_id(path):
    notes = subprocess.run(["readelf", "-n", path], check=True, capture_output=True, text=True).stdout
    return notes.split("Build ID: ")[1].split()[0]


def frames_of(recording, size):
    """The native frames below the program's of the stack that holds one block of this size."""
    rows = [row for row in recording.rows("exit", "stack") if (row["bytes"], row["blocks"]) == (size, 1)]
    assert len(rows) == 1, rows
    stack = rows[0]["stack"]
    inner = max(i for i, frame in enumerate(stack) if frame["file"].endswith("program.py"))
    return [(frame["file"], frame["function"]) for frame in stack[inner + 1 :]]


def test_modules_of_the_recording(record, library):
    path = library("libone.so")
    recording = record(f"call({str(path)!r}, 70_001)\n")
    modules = {row[0]: row[1:] for row in recording.sql("SELECT path, build_id, note FROM module")}
    assert modules[str(path)] == (build_id(path), None)
    files = recording.sql("SELECT file.path, package FROM file JOIN module ON module.id = module WHERE module.path = ?", str(path))
    assert files == [(str(path.with_name("library.c")), "program")]
    # All that are there have files; Python's source has no module.
    assert recording.sql("SELECT count(*) FROM module WHERE id NOT IN (SELECT ifnull(module, 0) FROM file)") == [(0,)]
    assert recording.sql("SELECT module FROM file WHERE path LIKE '%/program.py'") == [(None,)]


def test_one_path_in_two_modules(record, library):
    """What compilers call a file is not always the same file."""
    one = library("libone.so")
    two = library("libtwo.so", text="\n// on another line\n" + LIBRARY)
    recording = record(f"call({str(one)!r}, 70_001)\ncall({str(two)!r}, 80_001)\n")
    query = "SELECT module.path, file.id FROM file JOIN module ON module.id = module WHERE file.path LIKE '%/library.c'"
    files = dict(recording.sql(query))
    assert set(files) == {str(one), str(two)} and len(set(files.values())) == 2


def test_packages_of_native_code(record, library, tmp_path):
    """By where the library lies, wherever its source did."""
    site = tmp_path / "venv" / "site-packages"
    (site / "alpha_dist-1.0.dist-info").mkdir(parents=True)
    (site / "alpha_dist-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: Alpha-Dist\n")
    (site / "alpha_dist-1.0.dist-info" / "RECORD").write_text("alpha/core.so,,\nalpha.libs/libbeside.so,,\n")
    own, core = library("libown.so"), library("venv/site-packages/alpha/core.so")
    beside = library("venv/site-packages/alpha.libs/libbeside.so")
    recording = record(
        f"""
    for number, path in enumerate({[str(own), str(core), str(beside)]!r}, 70_001):
        call(path, number)
    libc = ctypes.CDLL(None)
    libc.strdup.restype = ctypes.c_void_p
    libc.strdup(b"x" * 79_999)
    kept = bytearray(90_000)
    """
    )
    query = "SELECT DISTINCT module.path, package FROM file JOIN module ON module.id = module"
    packages = dict(recording.sql(query))
    assert packages[str(own)] == "program"
    assert packages[str(core)] == packages[str(beside)] == "Alpha-Dist"
    assert {package for path, package in packages.items() if "/libc." in path} == {"system"}
    assert {package for path, package in packages.items() if "/python3" in path.rpartition("bin")[2]} == {"stdlib"}
    held = {row["package"]: row["bytes"] for row in recording.rows("exit", "package", allocators=["malloc"])}
    assert held["program"] == 70_001 and held["Alpha-Dist"] == 70_002 + 70_003
    assert 80_000 <= held["system"] < 160_000
    blamed = harness.report(recording.file, "--at", "exit", "--blame", "package", "-n", "0")["rows"]
    assert {row["package"]: row["bytes"] for row in blamed}["Alpha-Dist"] == 70_002 + 70_003
