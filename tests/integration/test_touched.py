"""Memory that is real: what was touched of what was asked for, address space that is none, files, and
what was given back and stays mapped."""

import re
import sqlite3
import time

import harness
import pytest
from harness import BUILD, assert_complete, run

PAGE = 4096
MEBI = 1 << 20

CALLS = """
    import ctypes, mmap, os, sys
    MEBI = 1 << 20
    size, pointer, number = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.argtypes = [pointer, size, number, number, number, ctypes.c_long]
    libc.mmap.restype = pointer
    libc.munmap.argtypes = [pointer, size]
    libc.mprotect.argtypes = libc.madvise.argtypes = [pointer, size, number]
    NONE, READ, READ_WRITE = 0, 1, 3
    PRIVATE, RESERVED, FIXED = 0x22, 0x4022, 0x32
    DONTNEED, FREE = 4, 8
"""

# What an interpreter holds besides, in bytes.
BASE = 8 * MEBI


@pytest.fixture
def calling(program):
    return lambda source: program(CALLS + source)


def touched(recording):
    """(asked for, touched, what it may have been more) at the run's peaks."""
    ((asked,),) = recording.sql("SELECT bytes FROM run_peak")
    ((most,),) = recording.sql("SELECT bytes FROM run_touched")
    ((error,),) = recording.sql("SELECT sum(error_bytes) FROM touched")
    return asked, most, error


def by_line(recording, source, column="end_bytes"):
    """{(name of a line, allocator): bytes} of the program's marked lines."""
    rows = recording.sql(
        f"SELECT line, allocator, sum({column}) FROM lines WHERE file = '{source}' "
        "AND allocator IN ('mmap', 'file', 'reserved') GROUP BY 1, 2"
    )
    names = source.by_number
    return {(names[line], allocator): held for line, allocator, held in rows if line in names and held}


def test_memory_that_nobody_touches(interpreter, calling, record):
    source = calling(
        """
    kept = mmap.mmap(-1, 300 * MEBI)  #: kept
    kept[: 40 * MEBI] = bytes(40 * MEBI)  #: written
    kept.close()
    """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    asked, most, error = touched(recording)
    assert 340 * MEBI < asked < 340 * MEBI + BASE
    # bytes(n) is memory of zeros that is only read: one page of the kernel's. Its first page has a header.
    assert 40 * MEBI < most < 40 * MEBI + BASE
    assert error <= 40 * MEBI


def test_what_is_only_read_is_not_touched(interpreter, calling, record):
    """All of it is the kernel's one page of zeros."""
    source = calling(
        """
    block = libc.mmap(None, 64 * MEBI, READ_WRITE, PRIVATE, -1, 0)  #: block
    assert not any(ctypes.string_at(block, 64 * MEBI))  #: read
    ctypes.memset(block, 1, 8 * MEBI)
    libc.munmap(block, 64 * MEBI)
    """
    )
    asked, most, error = touched(record(interpreter, source))
    # string_at() copies: that is written.
    assert 128 * MEBI < asked < 128 * MEBI + BASE
    assert 64 * MEBI < most < 64 * MEBI + BASE


@pytest.mark.few_interpreters
def test_a_block_that_grows(interpreter, calling, record):
    """What a realloc moves along stays touched: there is no moment at which it is not."""
    source = calling(
        """
    grown = bytearray()
    for step in range(60):
        grown += b"x" * MEBI
    """
    )
    asked, most, error = touched(record(interpreter, source))
    assert 60 * MEBI <= most <= asked and error <= 16 * MEBI


def test_reserved_address_space(interpreter, calling, record):
    source = calling(
        """
    space = libc.mmap(None, 1 << 40, NONE, RESERVED, -1, 0)  #: space
    assert libc.mprotect(space + MEBI, 6 * MEBI, READ_WRITE) == 0  #: opened
    assert libc.mprotect(space, 4 * MEBI, READ) == 0  #: again
    ctypes.memset(space + 4 * MEBI, 1, MEBI)
    assert libc.mmap(space + 6 * MEBI, MEBI, NONE, FIXED, -1, 0) == space + 6 * MEBI  #: closed
    """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    assert by_line(recording, source) == {
        ("space", "reserved"): (1 << 40) - 7 * MEBI,
        ("opened", "mmap"): 5 * MEBI,
        ("again", "mmap"): MEBI,
        ("closed", "reserved"): MEBI,
    }
    asked, most, error = touched(recording)
    assert 6 * MEBI <= asked < 6 * MEBI + BASE and most < asked - 4 * MEBI


def test_files_and_shared_memory(interpreter, calling, record, tmp_path):
    """What has a name or a descriptor is a file; what has none is memory, shared or not."""
    (tmp_path / "file").write_bytes(b"x")
    source = calling(
        """
    with open("file", "r+b") as file:
        file.truncate(1 << 36)
        sparse = mmap.mmap(file.fileno(), 0)  #: sparse
        private = libc.mmap(None, 3 * MEBI, READ_WRITE, 2, file.fileno(), 0)  #: private
    named = os.memfd_create("named")
    os.ftruncate(named, 5 * MEBI)
    shared = mmap.mmap(named, 5 * MEBI)  #: memfd
    with open("/dev/zero", "r+b") as zeros:
        zeros = libc.mmap(None, 2 * MEBI, READ_WRITE, 2, zeros.fileno(), 0)  #: zeros
    anonymous = mmap.mmap(-1, 7 * MEBI)  #: anonymous
    """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    assert by_line(recording, source) == {
        ("sparse", "file"): 1 << 36,
        ("private", "file"): 3 * MEBI,
        ("memfd", "file"): 5 * MEBI,
        ("zeros", "mmap"): 2 * MEBI,
        ("anonymous", "mmap"): 7 * MEBI,
    }
    asked, most, error = touched(recording)
    assert 9 * MEBI <= asked < 9 * MEBI + BASE


def held_by(file, line):
    """What a line holds by the latest snapshot; None before there is one."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        rows = database.execute(f"SELECT sum(leaked_bytes) FROM lines WHERE line = {line} AND allocator = 'mmap'").fetchall()
    return rows[0][0]


def await_held(process, file, line, wanted):
    until = time.monotonic() + harness.TIME_LIMIT
    while not file.exists() or held_by(file, line) != wanted:
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.05)


@pytest.mark.parametrize("advice", ["DONTNEED", "FREE"])
def test_what_is_given_back(python, calling, tmp_path, advice):
    """It is no longer held, by the line that had it, and is when it is used again."""
    source = calling(
        f"""
    block = libc.mmap(None, 32 * MEBI, READ_WRITE, PRIVATE, -1, 0)  #: block
    ctypes.memset(block, 1, 32 * MEBI)
    assert libc.madvise(block + 8 * MEBI, 16 * MEBI, {advice}) == 0
    print("given", flush=True)
    input()
    if {advice} == DONTNEED:
        ctypes.memset(block + 8 * MEBI, 1, 4 * MEBI)
        print("used", flush=True)
        input()
    libc.munmap(block, 32 * MEBI)
    """
    )
    file = tmp_path / "run.heapline"
    process = harness.start([BUILD / "heapline", "run", "-q", "-o", file, python.path, source])
    line = source.lines["block"]
    assert process.stdout.readline() == "given\n"
    if advice == "DONTNEED":
        await_held(process, file, line, 16 * MEBI)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "used\n"
        await_held(process, file, line, 20 * MEBI)
    process.communicate("\n", timeout=harness.TIME_LIMIT)
    assert process.returncode == 0
    recording = harness.Recording(file)
    assert_complete(recording)
    assert by_line(recording, source) == {}
    asked, most, error = touched(recording)
    assert 32 * MEBI <= most <= asked < 32 * MEBI + BASE


# --- what is shown ---------------------------------------------------------------------------------


def shown(file, *options):
    """A report without a moment has one of its own choice."""
    return harness.run([BUILD / "heapline", "report", "--json", *options, file], check=0).json


def line_of(report, source, name):
    rows = [row for row in report["rows"] if row["file"] == str(source) and row["line"] == source.lines[name]]
    return sum(row["bytes"] for row in rows)


PARTED = """
    kept = mmap.mmap(-1, 300 * MEBI)  #: kept
    for page in range(0, 20 * MEBI, 4096):
        kept[page] = 1
    small = [bytes(1000) for number in range(1000)]  #: small
    """


@pytest.mark.parametrize("flags", [(), ("--no-history",)], ids=["history", "slices"])
def test_the_headline_is_memory(interpreter, calling, record, flags):
    source = calling(PARTED)
    recording = record(interpreter, source, options=flags)
    report = shown(recording.file, "-n", "0")
    totals, view = report["totals"], report["view"]
    assert view["at"] == "touched-peak" and view["bytes"] == totals["touched_peak_bytes"]
    assert harness.sum_of(report["rows"]).bytes == view["bytes"]
    assert view["time"] == totals["touched_peak_time"]
    assert line_of(report, source, "kept") - 20 * MEBI < 1000  # and the object
    assert line_of(report, source, "small") >= 1_000_000
    assert [process["touched_peak_bytes"] for process in report["processes"]] == [view["bytes"]]
    asked = shown(recording.file, "-n", "0", "--at", "peak")
    assert asked["view"]["bytes"] == totals["peak_bytes"] > 300 * MEBI
    assert line_of(asked, source, "kept") >= 300 * MEBI
    assert 0 < totals["touched_error_bytes"] <= 20 * MEBI or totals["touched_error_bytes"] == 0
    text = harness.run([BUILD / "heapline", "report", "-n", "1", recording.file], check=0).out
    assert "touched in" in text and re.search(r"asked for +3\d\d MiB", text)


def test_one_number_where_all_is_touched(python, program, record):
    recording = record(python, program("kept = [str(number) for number in range(100_000)]  #: kept"))
    text = harness.run([BUILD / "heapline", "report", recording.file], check=0).out
    assert "touched" not in text and "  peak " in text
    report = shown(recording.file)
    assert report["view"]["at"] == "touched-peak"
    asked, most, error = touched(recording)
    assert report["totals"]["touched_peak_bytes"] == most


@pytest.mark.parametrize("flags", [(), ("--no-history",)], ids=["history", "slices"])
def test_several_processes(python, calling, record, flags):
    """Both at once: a parent that waits for its child and holds what it has touched."""
    source = calling(
        """
    def touch(size, part):
        block = mmap.mmap(-1, size * MEBI)  #: block
        for page in range(0, part * MEBI, 4096):
            block[page] = 1
        block.resize(size * MEBI)  # what is moved is looked at first: nothing turns on when the collector looks
        return block

    mine = touch(100, 40)
    if not os.fork():
        own = touch(200, 30)
        own.close()
        os._exit(0)
    os.wait()
    """
    )
    recording = record(python, source, options=flags)
    report = shown(recording.file, "-n", "0", "--by", "process")
    totals, view = report["totals"], report["view"]
    assert view["at"] == "touched-peak" and view["bytes"] == totals["touched_peak_bytes"]
    assert 70 * MEBI < view["bytes"] < 70 * MEBI + BASE
    held = sorted(row["bytes"] for row in report["rows"])
    if view["exact"]:
        assert 30 * MEBI < held[0] < 31 * MEBI and 40 * MEBI < held[1] < 40 * MEBI + BASE
    assert 300 * MEBI < totals["peak_bytes"] < 300 * MEBI + BASE
    # One of them alone.
    child = max(report["processes"], key=lambda process: process["peak_bytes"])
    alone = shown(recording.file, "-n", "0", "--pid", str(child["pid"]))
    assert alone["view"]["bytes"] == child["touched_peak_bytes"] == held[0]


def test_resident_peak(python, calling, record):
    source = calling(PARTED)
    recording = record(python, source)
    report = shown(recording.file, "-n", "0", "--at", "resident-peak")
    totals = report["totals"]
    assert report["view"]["at"] == "resident-peak"
    assert abs(report["view"]["time"] - totals["resident_peak_time"]) < 0.002
    assert 20 * MEBI < totals["resident_peak_bytes"]


def test_files_are_asked_for(python, calling, record, tmp_path):
    (tmp_path / "file").write_bytes(b"x" * PAGE)
    source = calling(
        """
    with open("file", "r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)  #: mapped
    """
    )
    recording = record(python, source)
    files = shown(recording.file, "-n", "0", "--at", "end", "--allocator", "file")
    assert line_of(files, source, "mapped") == PAGE
    both = shown(recording.file, "-n", "0", "--at", "end", "--by", "allocator")
    assert "file" not in [row["allocator"] for row in both["rows"]]


def test_older_recordings_do_not_know(tmp_path):
    file = harness.TESTS / "data" / "format-5.heapline"
    report = shown(file)
    assert report["view"]["at"] == "peak" and report["totals"]["touched_peak_bytes"] is None
    ran = harness.run([BUILD / "heapline", "report", "--at", "touched-peak", file])
    assert (ran.status, ran.out) == (1, "") and "ask for --at peak" in ran.err


@pytest.mark.few_interpreters
def test_what_is_used_again_much_later(interpreter, calling, record):
    """The block comes back, and the history says so as the sums do, with much in between."""
    source = calling(
        """
    import time
    space = libc.mmap(None, 8 * MEBI, READ_WRITE, PRIVATE, -1, 0)  #: space
    ctypes.memset(space, 1, 8 * MEBI)
    assert libc.madvise(space, 8 * MEBI, int(sys.argv[1])) == 0
    for _ in range(200_000):
        str(_) * 10
    ctypes.memset(space, 1, 8 * MEBI)
    time.sleep(1)  # it is looked at a hundred times meanwhile
    """
    )
    for advice, held in ("4", 8 * MEBI), ("8", 0):
        recording = record(interpreter, source, advice)
        assert by_line(recording, source) == ({("space", "mmap"): held} if held else {})
        assert "agree" in run([BUILD / "heapline", "check", "--verify", recording.file], check=0).out
