"""heapline lines with native frames: an extension's source in C beside the program's in Python."""

import os
import re
import subprocess
import textwrap

import harness
import pytest
from harness import BUILD, assert_complete, run

pytestmark = pytest.mark.of_readers

EXTENSION = """
    #include <Python.h>

    static void *volatile kept;

    static inline __attribute__((always_inline)) void *inlined(size_t size)
    {
        return malloc(size); /*: inlined */
    }

    static PyObject *grow(PyObject *self, PyObject *size)
    {
        (void)self;
        kept = inlined(PyLong_AsSize_t(size)); /*: grow */
        PyObject *list = PyList_New(10000); /*: list */
        kept = list; /* or the call would be a jump */
        return list;
    }

    static PyMethodDef functions[] = {{"grow", grow, METH_O, NULL}, {0}};
    static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "growing", .m_methods = functions};

    PyMODINIT_FUNC PyInit_growing(void)
    {
        return PyModule_Create(&module);
    }
"""
C_LINES = {
    found[1]: number
    for number, text in enumerate(textwrap.dedent(EXTENSION).lstrip("\n").splitlines(), 1)
    if (found := re.search(r"/\*: (\w+) \*/", text))
}

PROGRAM = """
    import growing

    def call():
        kept.append(growing.grow(600_001))  #: call

    kept = []
    for _ in range(3):
        call()  #: loop
    kept.append(bytearray(100_000))  #: bytes
"""
LISTS = pytest.approx(3 * 80_000, abs=1000)  # of 10,000 references


@pytest.fixture
def extension(python, tmp_path):
    """The source of an extension, which has been compiled beside the program."""
    include = "import sysconfig; print(sysconfig.get_path('include'))"
    headers = run([python.path, "-c", include], check=0).out.strip()
    if not os.path.exists(f"{headers}/Python.h"):
        pytest.skip("this Python's headers are not installed")
    source = harness.Program.write(tmp_path, EXTENSION, "growing.c").path
    command = ["gcc", "-O2", "-g", "-shared", "-fPIC", f"-I{headers}", "-o", tmp_path / "growing.so", source]
    subprocess.run(command, check=True)
    return source


@pytest.fixture
def record(python, program, tmp_path, extension):
    def record(*options):
        command = [python.path, program(PROGRAM)]
        recording = harness.record(command, tmp_path / "run.heapline", options, cwd=tmp_path)
        assert_complete(recording)
        return recording

    return record


def lines(recording, *arguments):
    return run([BUILD / "heapline", "lines", "--at", "end", *arguments[:-1], recording.file, *arguments[-1:]], check=0)


def figures(recording, file):
    (found,) = lines(recording, "--json", file).json["files"]
    return {line["line"]: line for line in found["lines"]}


def test_lines_of_c(record, extension):
    recording = record("--native")
    at = figures(recording, extension.name)
    inlined, grow, made = (at[C_LINES[name]] for name in ("inlined", "grow", "list"))
    assert (inlined["own_bytes"], inlined["own_blocks"], inlined["own_allocations"]) == (3 * 600_001, 3, 3)
    assert (inlined["bytes"], grow["bytes"], grow["blocks"]) == (3 * 600_001, 3 * 600_001, 3)
    assert grow["own_bytes"] == made["own_bytes"] == 0
    # What the interpreter allocates for the extension is a callee's.
    assert made["bytes"] == LISTS
    text = lines(recording, extension.name).out
    shown = {int(line.split()[0]): line for line in text.splitlines() if line.split()[0].isdigit()}
    assert "return malloc(size); /*: inlined */" in shown[C_LINES["inlined"]]
    assert "1758 KiB" in shown[C_LINES["grow"]] and "kept = inlined(" in shown[C_LINES["grow"]]
    (function,) = lines(recording, "--json", "growing.c:grow").json["files"]
    assert [line["line"] for line in function["lines"]] == [C_LINES["grow"], C_LINES["list"]]
    report = run([BUILD / "heapline", "report", "--at", "end", recording.file], check=0).out
    assert f"growing.c:{C_LINES['inlined']} inlined" in report and "return malloc(size);" in report


def test_lines_of_python_are_as_ever(record, program):
    """With native frames a line of Python has done itself what native code did for it."""
    source = program(PROGRAM)
    plain = figures(record(), source.path.name)
    native = figures(record("--native"), source.path.name)
    for name in ("call", "loop", "bytes"):
        number = source.lines[name]
        assert native[number] == plain[number]
    call = native[source.lines["call"]]
    assert call["own_bytes"] - 3 * 600_001 == LISTS and call["own_bytes"] == call["bytes"]


def test_the_program_s_files(record, extension):
    """Python's first, then those in C; nobody else's."""
    recording = record("--native")
    files = run([BUILD / "heapline", "lines", "--json", "--at", "end", recording.file], check=0).json["files"]
    assert [file["file"] for file in files] == [str(extension.with_name("program.py")), str(extension)]
    text = run([BUILD / "heapline", "lines", "--at", "end", recording.file], check=0).out
    assert [line.partition(": ")[2] for line in text.splitlines() if line.startswith("Filename")] == [
        str(extension.with_name("program.py")), str(extension)
    ]  # fmt: skip


def test_a_source_that_is_newer_than_the_extension(record, extension):
    """It is not what was compiled: its lines have figures and no text."""
    extension.write_text("// something else\n" + extension.read_text())
    built = extension.with_suffix(".so").stat().st_mtime_ns
    os.utime(extension, ns=(built + 1, built + 1))
    recording = record("--native")
    assert recording.sql("SELECT path FROM source JOIN file ON file.id = file AND module IS NOT NULL") == []
    assert figures(recording, extension.name)[C_LINES["inlined"]]["own_bytes"] == 3 * 600_001
    assert "malloc" not in lines(recording, extension.name).out
    files = run([BUILD / "heapline", "lines", "--json", "--at", "end", recording.file], check=0).json["files"]
    assert [file["file"] for file in files] == [str(extension.with_name("program.py"))]
