"""Programs that give up system calls: by a filter that kills, in every way that is seen, and in
strict mode. From then on the shim makes none, whatever it has to do: wake a sleeping reader, wait for
room, announce code that is new, follow the clock."""

import harness
import pytest

# A filter with which the program can write, allocate what pymalloc has, and leave; more by `also`.
SEAL = """
import ctypes
import os
import struct

READ, WRITE, SIGRETURN, EXIT, EXIT_GROUP = 0, 1, 15, 60, 231
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
NO_NEW_PRIVILEGES, SECCOMP, STRICT, BY_FILTER = 38, 22, 1, 2
SECCOMP_CALL, SET_STRICT, SET_FILTER = 317, 0, 1

libc = ctypes.CDLL(None, use_errno=True)
call = libc.syscall
call.restype = ctypes.c_long
call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_long]


class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


def seal(way, *also):
    allowed = (READ, WRITE, SIGRETURN, EXIT, EXIT_GROUP, *also)
    steps = [(LOAD, 0, 0, 0)]  # the call's number
    for index, number in enumerate(allowed):
        steps.append((JUMP_IF_EQUAL, len(allowed) - index, 0, number))
    steps += [(RETURN, 0, 0, KILL), (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    filter = Filter(len(steps), ctypes.addressof(code))
    assert libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    if way == "prctl, filter":
        assert libc.prctl(SECCOMP, BY_FILTER, ctypes.byref(filter), 0, 0) == 0
    elif way == "prctl, strict":
        assert libc.prctl(SECCOMP, STRICT, 0, 0, 0) == 0
    elif way == "syscall, filter":
        assert call(SECCOMP_CALL, SET_FILTER, None, ctypes.addressof(filter)) == 0
    elif way == "syscall, strict":
        assert call(SECCOMP_CALL, SET_STRICT, None, 0) == 0


def leave(text):
    call(WRITE, 1, text, len(text))
    call(EXIT, 0, None, 0)
"""

WAYS = ["prctl, filter", "prctl, strict", "syscall, filter", "syscall, strict"]

ROUNDS, KEPT = 150, 2000


@pytest.mark.parametrize("way", WAYS)
def test_no_call_of_ours(interpreter, program, record, bare, way):
    """More events than the ring has room for, of code that runs for the first time."""
    source = program(
        SEAL
        + f"""
kept = [None] * {KEPT}

def fill():
    for number in range({KEPT}):
        kept[number] = object()

def fill_as_never_before():
    for number in range({KEPT}):
        kept[number] = object()  #: sealed

fill()  # pymalloc now has the memory that the next time needs, and keeps it
for number in range(0, {KEPT}, 2):
    kept[number] = None
seal({way!r})
for turn in range({ROUNDS}):
    fill_as_never_before()
leave(b"done\\n")
"""
    )
    expected = bare(interpreter, source)
    assert expected.out == "done\n"
    recording = record(interpreter, source, options=["-q"])
    assert (recording.out, recording.err) == ("done\n", "")
    report = recording.report()
    lost = report["run"]["lost_events"]
    assert report["run"]["complete"] == (lost == 0)
    if lost == 0:  # the collector has had its turns on the processor
        assert recording.line(source, "sealed", "end").allocations == ROUNDS * KEPT


def test_a_refused_filter_changes_nothing(python, program, record):
    """The program goes on as before, and so do its children."""
    source = program(
        SEAL
        + """
assert libc.prctl(SECCOMP, 77, 0, 0, 0) == -1 and ctypes.get_errno() == 22
assert call(SECCOMP_CALL, 99, None, 0) == -1 and ctypes.get_errno() == 22
assert call(39, 0, None, 0) == os.getpid()
assert call(9999, 0, None, 0) == -1 and ctypes.get_errno() == 38
kept = [bytes(10_000) for _ in range(100)]
if os.fork() == 0:
    more = [bytes(20_000) for _ in range(100)]  # child
    os._exit(0)
os.wait()
"""
    )
    recording = record(python, source)
    assert len(recording.report()["processes"]) == 2


def test_a_child_under_a_filter(python, program, record, bare):
    """It asks for no socket, and goes on untraced."""
    source = program(
        SEAL
        + """
CLONE, WAIT4, SET_ROBUST_LIST, GETPID, GETTID, FUTEX, RSEQ, SIGPROCMASK, SIGACTION, EXIT_STATUS = (
    56, 61, 273, 39, 186, 202, 334, 14, 13, 5)
seal("prctl, filter", CLONE, WAIT4, SET_ROBUST_LIST, GETPID, GETTID, FUTEX, RSEQ, SIGPROCMASK, SIGACTION)
pid = os.fork()
if pid == 0:
    kept = [[n] for n in range(100)]
    leave(b"child\\n")
os.waitpid(pid, 0)
leave(b"done\\n")
"""
    )
    expected = bare(python, source)
    assert expected.out == "child\ndone\n"
    assert record(python, source).out == expected.out


def test_without_the_processors_counter(interpreter, program, tmp_path):
    """PR_SET_TSC: the time cannot be read without a system call any more."""
    source = program(
        """
        import ctypes
        library = ctypes.CDLL(None)
        kept = [None] * 1000
        assert library.prctl(26, 2) == 0
        for n in range(1000):
            kept[n] = bytes(1000 + n)  #: kept
        assert library.prctl(26, 1) == 0
        """
    )
    recording = harness.record([interpreter.path, source], tmp_path / "run.heapline")
    harness.assert_complete(recording)
    assert recording.line(source, "kept", "end").blocks in (1000, 1001)  # 3.15 keeps an int that it has freed
