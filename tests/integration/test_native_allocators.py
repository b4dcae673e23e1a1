"""Every allocating function of C and C++, called at lines of their own (run --native): what each line
holds and has held, and that all the ways to free are seen."""

import harness
import pytest
from harness import Sum, assert_complete

C_SOURCE = harness.Program.named("native_allocators.c")
CXX_SOURCE = harness.Program.named("native_operators.cpp")


HEAD = """
    import ctypes, os
    native = ctypes.CDLL(os.environ["ALLOCATORS"])
"""


@pytest.fixture
def recorded(python, program, record, compiled):
    """recorded(the library's source, flags, the program's): the recording."""

    def recorded(library, flags, source):
        path = compiled(library.path.name, "liballocators.so", "-shared", "-fPIC", *flags.split())
        recording = record(
            python, program(HEAD + source), options=["--native"], env=harness.environment(ALLOCATORS=path)
        )
        assert_complete(recording)
        return recording

    return recorded


def by_line(recording, source, *options):
    """{name: Sum}: what malloc and its kin gave to the marked lines of a source."""
    rows = recording.report("exit", "line", "--allocator", "malloc", *options)["rows"]
    rows = [row for row in rows if row["file"] == str(source)]
    sums = {name: harness.NOTHING for name in source.lines}
    for row in rows:
        if row["line"] in source.by_number:
            sums[source.by_number[row["line"]]] += harness.sum_of([row])
    return sums


def innermost(recording, source):
    """{name of a marked line: the functions that asked malloc for it}."""
    functions = {}
    for row in recording.rows("exit", "stack", ["malloc"]):
        lines = [frame["line"] for frame in row["stack"] if frame["file"] == str(source)]
        if lines and lines[-1] in source.by_number:
            functions.setdefault(source.by_number[lines[-1]], set()).add(row["stack"][-1]["function"])
    return functions


@pytest.mark.parametrize("flags", ["-O2", "-O3 -flto"])
def test_functions_of_c(recorded, flags):
    """Twice, and what the first time made is freed in between."""
    recording = recorded(
        C_SOURCE,
        flags,
        """
    native.allocate_all.argtypes = [ctypes.c_size_t]
    native.allocate_all(1_000)
    native.free_all()
    native.allocate_all(2_000)
    """,
    )
    sizes = {
        "malloc": lambda size: size,
        "calloc": lambda size: 3 * size,
        "realloc_null": lambda size: size + 1,
        "realloc": lambda size: 2 * size,
        "reallocarray_null": lambda size: 5 * size,
        "reallocarray": lambda size: 7 * size,
        "posix_memalign": lambda size: size + 4,
        "aligned_alloc": lambda size: 128 * size,
        "memalign": lambda size: size + 5,
        "valloc": lambda size: size + 6,
        "pvalloc": lambda size: size + 7,
    }
    expected = {name: Sum(of(2_000), 1, of(1_000) + of(2_000), 2) for name, of in sizes.items()}
    expected["moved"] = Sum(0, 0, 1_002 + 2_002, 2)
    expected["moved_array"] = Sum(0, 0, 1_003 + 2_003, 2)
    seen = by_line(recording, C_SOURCE)
    assert {name: sums for name, sums in seen.items() if sums.allocations} == expected
    assert innermost(recording, C_SOURCE) == {name: {"allocate_all"} for name in expected}


def test_functions_of_libc_that_allocate(recorded):
    """They stand behind the line that calls them."""
    recording = recorded(
        C_SOURCE,
        "-O2",
        """
    native.allocate_texts.argtypes = [ctypes.c_size_t]
    native.size_of_line.restype = ctypes.c_size_t
    native.allocate_texts(1_000)
    native.free_all()
    native.allocate_texts(200_000)
    print(native.size_of_line())
    """,
    )
    seen = by_line(recording, C_SOURCE, "--cumulative")
    assert seen["strdup"] == Sum(200_001, 1, 201_002, 2)
    assert seen["strndup"] == Sum(100_001, 1, 100_502, 2)
    assert seen["wcsdup"] == Sum(800_004, 1, 804_008, 2)
    assert seen["asprintf"][:2] == (200_002, 1)
    assert seen["getline"][:2] == (int(recording.out), 1)
    own = by_line(recording, C_SOURCE)
    assert {name for name, sums in own.items() if sums.allocations} == {"text", "wide"}


@pytest.mark.parametrize("flags", ["-O2", "-O2 -static-libstdc++"])
def test_operators_of_cxx(recorded, flags):
    recording = recorded(
        CXX_SOURCE,
        f"-std=c++17 {flags}",
        """
    native.make_all()
    native.delete_all()
    native.make_all()
    """,
    )
    sizes = {
        "new": 1_001,
        "new_nothrow": 1_002,
        "new_array": 5 * 1_003,
        "new_counted": 7 * 1_000 + 8,  # and how many there are
        "new_aligned": 1_280,
        "new_aligned_array": 3 * 1_280,
        "new_aligned_nothrow": 4 * 1_280,
        "operator": 1_004,
        "operator_aligned": 1_024,
    }
    seen = by_line(recording, CXX_SOURCE, "--cumulative")
    assert seen == {name: Sum(size, 1, 2 * size, 2) for name, size in sizes.items()}
    assert innermost(recording, CXX_SOURCE) == {name: {"operator new"} for name in sizes}
