"""Native stacks in packages as they are installed: numpy (C, with its symbol table), msgpack (Cython)
and kiwisolver (C++), which have debug information, and orjson (Rust), which has nothing left."""

import collections
import sysconfig
from pathlib import Path

import consumers
import harness
import pytest
from harness import BYTES_HEADER, Sum, assert_complete

pytestmark = pytest.mark.of_readers


@pytest.fixture
def recorded(python, program, record):
    """recorded(source): the program, and its recording; it can import the packages."""

    def recorded(source):
        assert python.path == consumers.PYTHON
        source = program(source)
        recording = record(python, source, options=["--native"], env=consumers.packages(*consumers.NATIVE))
        assert_complete(recording)
        return source, recording

    return recorded


def frames_behind(place, row):
    """(file, function) of the frames behind a line on a stack. The interpreter's own are left out: its
    ways to call a function change as it runs."""
    places = [(frame["file"], frame["line"]) for frame in row["stack"]]
    if place not in places:
        return None
    frames = [(Path(frame["file"]).name, frame["function"]) for frame in row["stack"][places.index(place) + 1 :]]
    return tuple(frame for frame in frames if not frame[0].startswith("python3"))


MALLOC = ("--allocator", "malloc")
LARGEST = ("-n", "300", "--sort", "allocated")  # of the many stacks that imports make


def frames_of(recording, source, line, sums, options=MALLOC):
    """Those behind a marked line of what has these sums at the end, and nothing else has."""
    place = str(source), source.lines[line]
    by_frames = collections.defaultdict(lambda: harness.NOTHING)
    for row in recording.report("end", "stack", *options)["rows"]:
        by_frames[frames_behind(place, row)] += harness.sum_of([row])
    (found,) = [frames for frames, seen in by_frames.items() if frames is not None and seen == sums]
    return list(found)


def held(size):
    return Sum(size, 1, size, 1)


def freed(size, times=1):
    return Sum(0, 0, size * times, times)


def library(name):
    # The suite runs on the Python that has the packages.
    return name + sysconfig.get_config_var("EXT_SUFFIX")


def functions_in(name, *functions):
    return [(library(name), function) for function in functions]


ARRAYS = "_multiarray_umath"
NEW_ARRAY = ("PyArray_NewFromDescr_int", "PyDataMem_UserNEW", "default_malloc")


def test_numpy(recorded):
    """Arrays of known sizes, by the functions of three of its libraries."""
    source, recording = recorded(
        """
    import numpy
    zeros = numpy.zeros(10_000_001, numpy.uint8)  #: zeros
    numbers = numpy.arange(1_000_001, dtype=numpy.int64)  #: arange
    more = numbers + 1  #: add
    drawn = numpy.random.default_rng(1).random(1_000_003)  #: random
    ordered = numpy.sort(drawn)  #: sort
    inverse = numpy.linalg.inv(numpy.ones((301, 301)) + numpy.eye(301))  #: inverse
    """
    )

    def frames(line, sums):
        return frames_of(recording, source, line, sums)

    assert frames("zeros", held(10_000_001)) == functions_in(
        ARRAYS, "array_zeros", "PyArray_Zeros_int", "PyArray_NewFromDescr_int", "PyDataMem_UserNEW_ZEROED", "default_calloc"
    )
    assert frames("arange", held(8_000_008)) == functions_in(ARRAYS, "array_arange", "PyArray_ArangeObj", *NEW_ARRAY)
    assert frames("add", held(8_000_008)) == functions_in(
        ARRAYS, "array_add", "ufunc_generic_fastcall", "PyArray_NewFromDescr", *NEW_ARRAY
    )
    assert frames("random", held(8_000_024)) == [
        *functions_in("_generator", "numpy.random._generator.Generator.random"),
        *functions_in("_common", "numpy.random._common.double_fill"),
        *functions_in(ARRAYS, "array_empty", "PyArray_Empty_int", *NEW_ARRAY),
    ]
    # Its own Python stands between.
    assert frames("sort", held(8_000_024)) == [
        *functions_in(ARRAYS, "dispatcher_vectorcall"),
        ("fromnumeric.py", "sort"),
        *functions_in(ARRAYS, "array_copy", "PyArray_NewCopy", "PyArray_NewLikeArray", "PyArray_NewLikeArrayWithShape"),
        *functions_in(ARRAYS, *NEW_ARRAY),
    ]
    # LAPACK's copy of the matrix, of the result, and its pivots.
    assert frames("inverse", freed(2 * 301 * 301 * 8 + 301 * 8)) == [
        *functions_in(ARRAYS, "dispatcher_vectorcall"),
        ("_linalg.py", "inv"),
        *functions_in(ARRAYS, "ufunc_generic_fastcall", "PyUFunc_GeneralizedFunctionInternal", "generic_wrapped_legacy_loop"),
        *functions_in("_umath_linalg", "inv<double>"),
    ]
    modules = {Path(row["module"]).name: row for row in recording.rows("end", "module", ["malloc"]) if row["module"]}
    arrays = 10_000_001 + 2 * 8_000_008 + 2 * 8_000_024 + 301 * 301 * 8
    assert arrays <= modules[library(ARRAYS)]["bytes"] < arrays + 2_000_000
    assert modules[library("_umath_linalg")]["allocated_bytes"] >= 2 * 301 * 301 * 8 + 301 * 8


def test_cython(recorded):
    source, recording = recorded(
        """
    import msgpack
    packer = msgpack.Packer(buf_size=1_000_005)  #: packer
    packed = msgpack.packb(b"x" * 2_000_001)  #: pack
    unpacked = msgpack.unpackb(packed)  #: unpack
    """
    )
    pack = [
        ("__init__.py", "packb"),
        ("_cmsgpack.c", "__pyx_pw_7msgpack_9_cmsgpack_6Packer_7pack"),
        ("_cmsgpack.c", "__pyx_pf_7msgpack_9_cmsgpack_6Packer_6pack"),
    ]

    def frames(line, sums):
        return frames_of(recording, source, line, sums, LARGEST)

    assert frames("packer", held(1_000_005))[-2:] == [
        ("_cmsgpack.c", "__pyx_pw_7msgpack_9_cmsgpack_6Packer_1__cinit__"),
        ("_cmsgpack.c", "__pyx_pf_7msgpack_9_cmsgpack_6Packer___cinit__"),
    ]
    # Five bytes before those of the text; its buffer becomes twice as large as it has to be.
    assert frames("pack", held(2_000_006 + BYTES_HEADER)) == pack
    assert frames("pack", freed(2 * 2_000_006)) == [
        *pack,
        ("_cmsgpack.c", "__pyx_f_7msgpack_9_cmsgpack_6Packer__pack"),
        ("_cmsgpack.c", "__pyx_f_7msgpack_9_cmsgpack_6Packer__pack_inner"),
        ("pack_template.h", "msgpack_pack_raw_body"),
        ("pack.h", "msgpack_pack_write"),
    ]
    assert frames("unpack", held(2_000_001 + BYTES_HEADER)) == [
        ("_cmsgpack.c", "__pyx_pw_7msgpack_9_cmsgpack_3unpackb"),
        ("_cmsgpack.c", "__pyx_pf_7msgpack_9_cmsgpack_2unpackb"),
        ("unpack_template.h", "unpack_construct"),
        ("unpack_template.h", "unpack_execute"),
        ("unpack.h", "unpack_callback_bin"),
    ]


def test_exceptions_of_cxx(recorded):
    """An exception passes from a library into its bindings, which make one of Python's of it."""
    source, recording = recorded(
        """
    import kiwisolver
    solver = kiwisolver.Solver()
    constraint = kiwisolver.Variable("v") >= 10
    solver.addConstraint(constraint)
    for _ in range(100):
        try:
            solver.addConstraint(constraint)  #: again
        except kiwisolver.DuplicateConstraint:
            kept = bytes(100_000)  #: caught
    """
    )
    frames = frames_of(recording, source, "again", freed(128 + 16, 100))
    assert frames[:2] == [
        ("solver.cpp", "kiwisolver::(anonymous namespace)::Solver_addConstraint"),
        ("solver.h", "kiwi::Solver::addConstraint"),
    ]
    assert set(frames[2:-1]) == {("solverimpl.h", "kiwi::impl::SolverImpl::addConstraint")}
    assert frames[-1] == ("libstdc++.so.6", "__cxa_allocate_exception")
    # What is behind it afterwards is what it was before.
    assert frames_of(recording, source, "caught", Sum(100_033, 1, 100 * 100_033, 100), LARGEST) == []


def test_a_library_without_names(recorded):
    """What is stripped has the names that it exports, and offsets."""
    source, recording = recorded(
        """
    import orjson
    text = orjson.loads(b'"' + b"x" * 1_000_000 + b'"')  #: loads
    """
    )
    size = 1_000_000 + 49  # an object of ASCII characters
    first, *others = frames_of(recording, source, "loads", held(size), LARGEST)
    assert first == (library("orjson"), "loads")
    assert others and all(file == library("orjson") for file, _ in others)
    assert all(function.startswith(library("orjson") + "+0x") for _, function in others)
