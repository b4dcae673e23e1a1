"""The programs and libraries that native frames are of (run --native): what is recorded of them."""

import subprocess
import textwrap

import harness
import pytest
from harness import BUILD, assert_complete, run
from native_library import build_id

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


def frames_of(recording, size):
    """The native frames below the program's of the stack that holds one block of this size."""
    rows = [row for row in recording.rows("exit", "stack", ["malloc"]) if (row["bytes"], row["blocks"]) == (size, 1)]
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


HOLDERS = """
    def function():
        call({one!r}, 400_001)
        call({two!r}, 500_001)
    function()
    kept = [bytearray(300_000)]
"""


def test_by_module(record, library):
    one, two = library("libone.so"), library("libtwo.so")
    recording = record(HOLDERS.format(one=str(one), two=str(two)))
    source = str(one.with_name("program.py"))
    rows = {row["module"]: row for row in recording.rows("exit", "module")}
    assert rows[str(one)]["bytes"] == 400_001 and rows[str(two)]["bytes"] == 500_001
    assert set(rows[str(one)]) == {"module", "bytes", "blocks", "allocated_bytes", "allocations"}
    assert sum(row["bytes"] for row in rows.values()) == recording.totals["leaked_bytes"]
    view = [BUILD / "heapline", "report", "--at", "exit", "--by", "module"]
    text = run([*view, recording.file], check=0).out
    assert "by module" in text
    first, second = [line.split() for line in text.partition("share  module\n")[2].splitlines()][:2]
    assert (first[-1], second[-1]) == ("libtwo.so", "libone.so")
    csv = run([*view, "--csv", recording.file], check=0).out
    assert csv.startswith(f"module,bytes,blocks,allocated_bytes,allocations\n{two},500001,1,500001,1\n")
    # A Python module is a file; cumulatively it has what it called.
    rows = {row["module"]: row for row in harness.report(recording.file, "--at", "end", "--by", "module", "-n", "0", "--cumulative")["rows"]}
    assert rows[source]["bytes"] >= 1_200_000 and rows[str(one)]["bytes"] == 400_001
    only = harness.report(recording.file, "--at", "end", "--by", "module", "--cumulative", "--include", "libone.so")["rows"]
    assert [row["module"] for row in only] == [str(one)]


def test_modules_elsewhere(record, library):
    """In the other commands that sum by something, and in SQL."""
    one, two = library("libone.so"), library("inner/libone.so")
    recording = record(HOLDERS.format(one=str(one), two=str(two)))
    both = run([BUILD / "heapline", "diff", "--json", "--by", "module", recording.file, "--at", "0s", "end"], check=0).json
    assert {row["module"]: row["bytes"] for row in both["rows"]}[str(two)] == 500_001
    # Two of one name are told apart.
    text = run([BUILD / "heapline", "diff", "--by", "module", recording.file, "--at", "0s", "end"], check=0).out
    assert f"{one}: size=" in text and f"{two}: size=" in text
    rows = run([BUILD / "heapline", "report", "--lifetimes", "--json", "--by", "module", "-n", "0", recording.file], check=0).json["rows"]
    assert str(one) in {row["module"] for row in rows}
    assert recording.sql("SELECT leaked_bytes FROM modules WHERE module = ?", str(two)) == [(500_001,)]
    assert recording.sql("SELECT leaked_bytes FROM lines WHERE module = ?", str(one)) == [(400_001,)]


def test_filters_look_at_libraries_too(record, library):
    path = library("libone.so")
    recording = record(f"call({str(path)!r}, 70_001)\n")
    for pattern in ("libone.so", "library.c", str(path.parent) + "/*"):
        rows = harness.report(recording.file, "--at", "exit", "--include", pattern, "-n", "0")["rows"]
        assert sum(row["bytes"] for row in rows if (row["file"] or "").endswith("library.c")) == 70_001
        assert sum(row["bytes"] for row in rows) < 80_000
        rows = harness.report(recording.file, "--at", "exit", "--exclude", pattern, "-n", "0")["rows"]
        assert not any((row["file"] or "").endswith("library.c") for row in rows)
    # Where no line is known none is shown.
    text = run([BUILD / "heapline", "report", "--at", "exit", "-n", "0", recording.file], check=0).out
    assert "library.c:" in text and ".so:0" not in text and "libc.so.6:0" not in text
