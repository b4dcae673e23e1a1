"""Native stacks in C++: exceptions, what runs before and after everything else, templates and what is
inlined of the standard library."""

import re
import subprocess

import harness
import native_library
import pytest
from harness import Sum, assert_complete
from native_library import named_stacks, row_of, stack_of

pytestmark = pytest.mark.of_readers

SOURCE = harness.Program.named("native_cxx.cpp")

# What the C++ ABI puts before an exception.
EXCEPTION_HEADER = 128
FAILURE = 70_001 + EXCEPTION_HEADER

# A vector to which a thousand numbers were added: of 1, 2, 4 … 1,024 numbers, the last of which stays.
GROWN = Sum(1_024 * 8, 1, 2_047 * 8, 11)

HEAD = """
    import _ctypes, ctypes, os, threading
    def load():
        return ctypes.CDLL(os.environ["NATIVE_CXX"])  #: load
    native = load()
    def function(call, *arguments):
        call(*arguments)  #: call
"""
CALL = ["<module>", ("function", "call")]
HOLD = ("(anonymous namespace)::hold", "hold")


FLAGS = ("-std=c++17", "-shared", "-fPIC")


@pytest.fixture(params=["-O2 -g", "-O3 -g -flto", "-O2 -g -fomit-frame-pointer"])
def library(request, compiled):
    return compiled("native_cxx.cpp", "libcxx.so", *FLAGS, *request.param.split())


@pytest.fixture
def recorded(python, program, record, library):
    """recorded(source): a program of HEAD and this source, and its recording."""
    return native_library.recorder(record, python, program, HEAD, NATIVE_CXX=library)


def test_an_exception(recorded):
    """Where it is thrown, what destructors do on its way, and what who catches it does."""
    source, recording = recorded("    function(native.catch_one, 3)\n")

    def stack(size, **more):
        return stack_of(recording, size, source, SOURCE, **more)

    passed = [*CALL, ("catch_one", "try"), ("errors::pass_on", "pass")]
    deeper = [("errors::fail", "deeper")] * 3
    assert stack(FAILURE, held=False) == [
        *passed, ("errors::guarded<int>", "guarded"), *deeper, ("errors::fail", "throw"),
    ]  # fmt: skip
    assert row_of(recording, FAILURE, held=False)["stack"][-1]["function"] == "__cxa_allocate_exception"
    # For what an exception makes it do on its way a function may have any line of its own.
    *outer, left, guard, hold = stack(70_002)
    assert (outer, guard, hold) == (passed, ("errors::Guard::~Guard", "guard"), HOLD)
    assert "errors::guarded<int>" in (left, left[0])
    assert stack(70_003) == [*CALL, ("catch_one", "try"), ("errors::pass_on", "look"), HOLD]
    assert stack(70_004) == [*CALL, ("catch_one", "catch"), HOLD]
    assert stack(70_005) == [*CALL, ("catch_one", "caught"), HOLD]


def test_many_exceptions(recorded):
    """What is remembered of a stack that an exception has left must not show in the next one."""
    source, recording = recorded("    function(native.catch_many, 50)\n")
    stacks = named_stacks(recording, source, SOURCE, innermost="__cxa_allocate_exception")
    for depth in range(50):
        thrown = (*CALL, ("catch_many", "many"), *[("errors::fail", "deeper")] * depth, ("errors::fail", "throw"))
        assert stacks.pop(thrown) == Sum(0, 0, FAILURE, 1)
    assert not stacks
    stacks = named_stacks(recording, source, SOURCE, innermost=HOLD[0])
    for below in range(10):
        calls = [("hold_below", "below")] * below + [("hold_below", "bottom")]
        held = [80_000 + depth for depth in range(50) if depth * 7 % 10 == below]
        total = sum(held)
        assert stacks.pop((*CALL, ("catch_many", "other"), *calls, HOLD)) == Sum(total, 5, total, 5)
    assert not [frames for frames in stacks if CALL[1] in frames]


def test_without_debug_information(python, program, record, compiled, tmp_path):
    """What the library exports has names. What it does not has offsets, and what only exceptions do may
    be one: compilers put it into parts of their own."""
    library = compiled("native_cxx.cpp", "libcxx.so", *FLAGS, "-O2")
    stripped = tmp_path / "libcxx.so"
    subprocess.run(["strip", "-o", stripped, library], check=True)
    source = program(HEAD + "    function(native.catch_one, 3)\n")
    recording = record(python, source, options=["--native"], env=harness.environment(NATIVE_CXX=stripped))
    assert_complete(recording)

    def functions(size, **more):
        frames = row_of(recording, size, **more)["stack"]
        names = [frame["function"] for frame in frames if frame["file"] == str(stripped)]
        return [re.sub(r"^libcxx\.so\+0x[0-9a-f]+$", "offset", name) for name in names]

    def is_of(name, function):
        return name in (function, "offset")

    passed = ["catch_one", "errors::pass_on", "errors::guarded<int>"]
    *outer, throws = functions(FAILURE, held=False)
    assert outer == [*passed, *["errors::fail"] * 3] and is_of(throws, "errors::fail")
    *outer, left, guard, hold = functions(70_002)
    assert (outer, guard, hold) == (passed[:2], "errors::Guard::~Guard", "offset") and is_of(left, passed[2])
    outer, catches, hold = functions(70_003)
    assert (outer, hold) == ("catch_one", "offset") and is_of(catches, "errors::pass_on")
    catches, hold = functions(70_004)
    assert hold == "offset" and is_of(catches, "catch_one")
    catches, hold = functions(70_005)
    assert hold == "offset" and is_of(catches, "catch_one")


@pytest.mark.parametrize("ending", ["exit", "dlclose"])
def test_what_comes_before_and_after(recorded, ending):
    """Initialisers run while the library is loaded; destructors and what atexit() was given when it is
    unloaded, or after the interpreter's end."""
    unload = """
    def unload():
        _ctypes.dlclose(native._handle)  #: unload
    unload()
    assert os.environ["NATIVE_CXX"] not in open("/proc/self/maps").read()
    """
    source, recording = recorded("    function(native.register_at_exit)\n" + unload * (ending == "dlclose"))
    *python, initialiser, static, made, hold = stack_of(recording, 70_011, source, SOURCE)
    assert python == ["<module>", ("load", "load")] and initialiser.startswith("_GLOBAL__sub_I_")
    assert static == ("__static_initialization_and_destruction_0", "library")
    assert (made, hold) == (("(anonymous namespace)::Holder::Holder", "made"), HOLD)
    outer = ["<module>", ("unload", "unload")] if ending == "dlclose" else []
    assert stack_of(recording, 70_012, source, SOURCE) == [
        *outer, ("(anonymous namespace)::Holder::~Holder", "ended"), HOLD,
    ]  # fmt: skip
    assert stack_of(recording, 70_021, source, SOURCE) == [*outer, ("(anonymous namespace)::at_exit", "exit"), HOLD]
    ended = [row for row in recording.rows("end", "stack", ["malloc"]) if row["bytes"] in (70_012, 70_021)]
    assert len(ended) == (2 if ending == "dlclose" else 0)


def test_thread_local_objects(recorded):
    """Their destructors run when a thread ends, and Python knows of it no more."""
    source, recording = recorded(
        """
    thread = threading.Thread(target=function, args=(native.use_in_thread,))
    thread.start()
    thread.join()
    function(native.in_a_thread)
    while len(os.listdir("/proc/self/task")) > 1:
        pass
    """
    )
    stacks = named_stacks(recording, source, SOURCE)
    used = (("use_in_thread", "thread"), ("(anonymous namespace)::Holder::Holder", "made"), HOLD)
    once = Sum(70_031, 1, 70_031, 1)
    assert stacks[(("function", "call"), *used)] == once
    assert stacks[(("run_thread", "run"), *used)] == once
    # Of both threads, and of the library.
    ended = 2 * 70_032 + 70_012
    assert stacks[(("(anonymous namespace)::Holder::~Holder", "ended"), HOLD)] == Sum(ended, 3, ended, 3)


def test_the_standard_library(recorded):
    source, recording = recorded(
        """
    function(native.grow_vector, 1_000)
    function(native.grow_string)
    function(native.make_function)
    native.call_lambda.argtypes = native.call_virtual.argtypes = [ctypes.c_size_t]
    function(native.call_lambda, 70_051)
    function(native.call_virtual, 70_061)
    """
    )
    stacks = named_stacks(recording, source, SOURCE)

    def held(*frames):
        return stacks[(*CALL, *frames)]

    assert held(("grow_vector", "vector"), ("shapes::Pile<double>::add", "add")) == GROWN
    assert held(("grow_vector", "pile")) == Sum(24, 1, 24, 1)
    assert held(("grow_string", "append")) == Sum(0, 0, 70_042, 1)
    # Twice as much, with the zero at its end.
    assert held(("grow_string", "push")) == Sum(140_083, 1, 140_083, 1)
    assert held(("make_function", "empty")) == Sum(32, 1, 32, 1)
    assert held(("make_function", "function")) == Sum(70_041, 1, 70_041, 1)
    called = ("call_lambda", "called")
    assert stack_of(recording, 70_052, source, SOURCE) == [
        *CALL, called, ("call_lambda::{lambda(unsigned long)#1}::operator()", "lambda"), HOLD,
    ]  # fmt: skip
    assert stack_of(recording, 70_061, source, SOURCE) == [
        *CALL, ("call_virtual", "second"), ("shapes::Both::make", "virtual"), HOLD,
    ]  # fmt: skip


def test_what_is_inlined_of_the_standard_library(recorded):
    """Between the program's line and `operator new` stand the functions by which it came there."""
    source, recording = recorded("    function(native.grow_vector, 1_000)\n")
    (row,) = [row for row in recording.rows("exit", "stack", ["malloc"]) if harness.sum_of([row]) == GROWN]
    names = [frame["function"] for frame in row["stack"]]
    inner = names[names.index("shapes::Pile<double>::add") + 1 :]
    assert inner[0] == "std::vector<double, std::allocator<double> >::push_back"
    assert inner[-1] == "operator new" and len(inner) > 3
    assert all(name.startswith(("std::", "__gnu_cxx::")) for name in inner[:-1])
