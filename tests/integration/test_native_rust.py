"""Native stacks in Rust: names of both kinds, what is inlined, panics that are caught, threads."""

import shutil

import harness
import native_library
import pytest
from harness import Sum
from native_library import named_stacks, row_of, stack_of

pytestmark = pytest.mark.of_readers

SOURCE = harness.Program.named("native_rust.rs")

HEAD = """
    import ctypes, os
    native = ctypes.CDLL(os.environ["NATIVE_RUST"])
    for name in ("make_vector", "catch_message", "in_a_thread"):
        getattr(native, name).argtypes = [ctypes.c_size_t]
    def function(call, *arguments):
        call(*arguments)  #: call
"""
CALL = ["<module>", ("function", "call")]


@pytest.fixture(params=["", "-C symbol-mangling-version=v0 -C lto=fat"], ids=["default", "v0-lto"])
def library(request, compiled):
    if not shutil.which("rustc"):
        pytest.skip("there is no rustc")
    return compiled("native_rust.rs", "libnative_rust.so", *request.param.split())


@pytest.fixture
def has_types(library):
    """Rust has two ways to write names into symbols: the newer one tells types and closures apart."""
    return b"_ZN11native_rust6errors4fail" not in library.read_bytes()


@pytest.fixture
def recorded(python, program, record, library):
    """recorded(source): a program of HEAD and this source, and its recording."""
    return native_library.recorder(record, python, program, HEAD, NATIVE_RUST=library)


def closure(function, has_types):
    return f"native_rust::{function}::" + ("{closure#0}" if has_types else "{{closure}}")


def test_what_holds_memory(has_types, recorded):
    source, recording = recorded(
        """
    function(native.make_vector, 70_011)
    function(native.make_box)
    function(native.make_string)
    function(native.grow_vector, 1_000)
    """
    )

    def stack(size, **more):
        return stack_of(recording, size, source, SOURCE, **more)

    assert stack(70_011) == [*CALL, ("make_vector", "vector"), ("native_rust::shapes::inlined", "inlined")]
    assert stack(70_012) == [*CALL, ("make_box", "box")]
    assert stack(70_013, held=False) == [*CALL, ("make_string", "string")]
    assert stack(80_014) == [*CALL, ("make_string", "reserve")]
    # 4, 8, 16 … 1,024 numbers: the first are allocated, the others by realloc.
    grow = "native_rust::shapes::grow" + "::<u64>" * has_types
    grown = (*CALL, ("grow_vector", "values"), (grow, "grow"))
    assert named_stacks(recording, source, SOURCE)[grown] == Sum(1_024 * 8, 1, 2_044 * 8, 9)


def test_a_panic_that_is_caught(has_types, recorded):
    source, recording = recorded("    function(native.catch_one, 3)\n")

    def stack(size):
        return stack_of(recording, size, source, SOURCE)

    tried = [*CALL, ("catch_one", "try"), (closure("catch_one", has_types), "try")]
    fail, guarded = "native_rust::errors::fail", "native_rust::errors::guarded"
    drop = "<native_rust::errors::Guard as core::ops::drop::Drop>::drop"
    assert stack(70_001) == [*tried, (guarded, "guarded"), *[(fail, "deeper")] * 3, (fail, "fail")]
    assert stack(70_002) == [*tried, guarded, (drop, "guard")]
    assert stack(70_003) == [*CALL, ("catch_one", "caught"), ("native_rust::shapes::inlined", "inlined")]


def test_a_panic_with_a_message(has_types, recorded):
    """What it passes of Rust's own library on the way to its hook has names too."""
    source, recording = recorded("    function(native.catch_message, 70_021)\n")
    assert stack_of(recording, 70_021, source, SOURCE) == [
        *CALL,
        ("catch_message", "attempt"),
        ("native_rust::expect_number", "expect"),
        (closure("catch_message", has_types), "hook"),
    ]
    names = [frame["function"] for frame in row_of(recording, 70_021)["stack"]]
    assert "core::panicking::panic_fmt" in names
    assert stack_of(recording, 70_022, source, SOURCE) == [
        *CALL, ("catch_message", "recovered"), ("native_rust::shapes::inlined", "inlined"),
    ]  # fmt: skip


def test_a_thread(has_types, recorded):
    source, recording = recorded("    function(native.in_a_thread, 70_031)\n")
    assert stack_of(recording, 70_031, source, SOURCE) == [(closure("in_a_thread", has_types), "thread")]
