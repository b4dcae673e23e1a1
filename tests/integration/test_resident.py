"""What resident memory is made of: rows that add up to it, held against what the kernel, CPython, the C
library and the program itself say; and which lines keep pymalloc's arenas."""

import re
import signal
import sqlite3

import pytest
from harness import BUILD, TESTS, assert_complete, run

MEBI = 1 << 20
PAGE = 4096

CALLS = """
    import ctypes, mmap, os, re, sys
    MEBI = 1 << 20
    libc = ctypes.CDLL(None)
    size, pointer, number = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int
    libc.mmap.argtypes = [pointer, size, number, number, number, ctypes.c_long]
    libc.mmap.restype = libc.malloc.restype = pointer
    libc.madvise.argtypes = [pointer, size, number]
    libc.malloc.argtypes = [size]
    libc.free.argtypes = [pointer]
    libc.syscall.restype = pointer
    libc.syscall.argtypes = [ctypes.c_long, pointer, size, ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_long]

    def resident():
        return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
"""


@pytest.fixture
def calling(program):
    return lambda source: program(CALLS + source)


def resident(recording, *options, check=0):
    return run([BUILD / "heapline", "resident", "--json", *options, recording.file], check=check).json


def by_kind(answer):
    sums = {}
    for row in answer["rows"]:
        sums[row["kind"]] = sums.get(row["kind"], 0) + row["resident_bytes"]
    return sums


def assert_adds_up(answer):
    """The rows are of one look, and the kernel's number is from the same moment: a process that stands
    still has both alike. What that counts late (Linux 6.2 and later) is less than a MiB on few processors."""
    known = sum(row["resident_bytes"] for row in answer["rows"])
    assert answer["unknown_bytes"] == max(0, answer["rss_bytes"] - known)
    assert answer["unknown_bytes"] <= 0.03 * answer["rss_bytes"]
    assert known <= answer["rss_bytes"] + MEBI


def near(value, expected, share=0.02):
    return abs(value - expected) <= share * expected


def test_rows_add_up(interpreter, calling, record):
    source = calling(
        """
    objects = [bytes(300) for _ in range(100_000)]
    block = bytearray(b"x") * (20 * MEBI)
    print(resident())
    """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    answer = resident(recording)
    assert answer["view"]["at"] == "end" and answer["view"]["pid"] == recording.process["pid"]
    assert_adds_up(answer)
    assert near(answer["rss_bytes"], int(recording.out), 0.05)
    # The array is an object's or the mem domain's, as the version has it.
    kinds = by_kind(answer)
    assert near(kinds["object"] + kinds.get("mem", 0), 100_000 * 333 + 20 * MEBI, 0.1)
    assert kinds["library"] > MEBI and kinds["stack"] >= PAGE


def statistics(text):
    """What sys._debugmallocstats() says, by its own words."""
    found = re.findall(r"^(?:# )?([\w ]+?)\s+=\s+([\d,]+)$", text, re.MULTILINE)
    return {words.strip(): int(count.replace(",", "")) for words, count in found}


def test_what_pymalloc_keeps_free(interpreter, calling, record, bare):
    """As CPython counts it, which it does not while its allocators are wrapped: in a run without us."""
    source = calling(
        """
    objects = [bytes(300) for _ in range(200_000)]
    kept = objects[::500]
    del objects
    sys._debugmallocstats()
    """
    )
    recording = record(interpreter, source)
    err = bare(interpreter, source).err
    told = statistics(err)
    answer = resident(recording)
    assert_adds_up(answer)
    # All of it has been touched but for a part of the latest arena.
    free = told["bytes in available blocks"] + told["bytes lost to quantization"]
    free += int(re.search(r"unused pools \* \d+ bytes\s+=\s+([\d,]+)", err)[1].replace(",", ""))
    free += told.get("bytes lost to arena alignment", 0)
    arena = 256 * 1024 if interpreter.version < (3, 10) else MEBI
    assert free > 30 * MEBI
    assert abs(by_kind(answer)["pymalloc-free"] - free) <= 0.02 * free + arena


def arenas(err):
    return [int(count) for count in re.findall(r"arenas allocated current\s+=\s+(\d+)", err)]


def test_pins(interpreter, calling, record, bare):
    """Two lines keep arenas, each its own."""
    source = calling(
        """
    def statistics():
        sys.stderr.flush()
        sys._debugmallocstats()

    kept = []
    statistics()
    for part in range(2):
        fill = [None] * 100_000
        for i in range(100_000):
            fill[i] = bytes(400)
            if i % 400 == 0:
                kept.append(bytes(401) if part else bytes(402))
        del fill
    statistics()
    """
    )
    recording = record(interpreter, source)
    before, after = arenas(bare(interpreter, source).err)
    answer = resident(recording, "--pins")
    line = next(n for n, text in enumerate(source.path.read_text().splitlines(), 1) if "bytes(401)" in text)
    (pin,) = [pin for pin in answer["pins"] if pin["line"] == line and pin["file"] == str(source)]
    # 500 blocks of 400 bytes and a header; those in the first arena and the last are with others.
    arena = 256 * 1024 if interpreter.version < (3, 10) else MEBI
    in_one = arena // 450
    assert 500 - 2 * in_one // 400 - 4 <= pin["blocks"] <= 500
    assert abs(pin["alone_bytes"] // arena - (after - before)) <= 2
    assert pin == answer["pins"][0]
    assert answer["set"][0]["line"] == line
    assert answer["set"][0]["freed_bytes"] == pin["alone_bytes"]
    text = run([BUILD / "heapline", "resident", "--pins", recording.file], check=0).out
    assert f"{source.path.name}:{line}" in text
    rows = run([BUILD / "heapline", "resident", "--pins", "--csv", recording.file], check=0).out.splitlines()
    assert len(rows) == 1 + len(answer["pins"])


@pytest.mark.few_interpreters
def test_what_the_c_library_keeps_free(interpreter, calling, record):
    source = calling(
        """
    class Mallinfo(ctypes.Structure):
        _fields_ = [(name, size) for name in "arena a b c d e f used free top".split()]

    pieces = [libc.malloc(100_000) for _ in range(500)]
    for piece in pieces:
        ctypes.memset(piece, 1, 100_000)
    for piece in pieces[:-1]:
        libc.free(piece)
    libc.mallinfo2.restype = Mallinfo
    print(libc.mallinfo2().free)
    """
    )
    recording = record(interpreter, source)
    answer = resident(recording)
    assert_adds_up(answer)
    (heap,) = [row for row in answer["rows"] if row["kind"] == "malloc-free" and row["heap"] == "main heap"]
    assert near(heap["resident_bytes"], int(recording.out), 0.03)


@pytest.mark.few_interpreters
def test_mappings_files_and_what_is_given_back(interpreter, calling, record, tmp_path):
    (tmp_path / "read.bin").write_bytes(bytes(range(256)) * (8 * MEBI // 256))
    source = calling(
        f"""
    with open("{tmp_path}/read.bin", "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    assert sum(mapped[::4096]) == 0
    own = mmap.mmap(-1, 6 * MEBI, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    own.write(b"x" * (6 * MEBI))
    shared = mmap.mmap(-1, 5 * MEBI)
    shared.write(b"x" * (5 * MEBI))
    lazily = libc.mmap(None, 4 * MEBI, 3, 0x22, -1, 0)
    ctypes.memset(lazily, 1, 4 * MEBI)
    assert libc.madvise(lazily, 4 * MEBI, 8) == 0
    unseen = libc.syscall(9, None, 3 * MEBI, 3, 0x22, -1, 0)
    ctypes.memset(unseen, 1, 3 * MEBI)
    """
    )
    recording = record(interpreter, source)
    answer = resident(recording)
    assert_adds_up(answer)
    rows = {(row["kind"], row["file"]): row["resident_bytes"] for row in answer["rows"]}
    assert rows["file", f"{tmp_path}/read.bin"] == 8 * MEBI
    kinds = by_kind(answer)
    assert 11 * MEBI <= kinds["mmap"] <= 12 * MEBI
    assert kinds["lazily-freed"] == 4 * MEBI
    assert 3 * MEBI <= kinds["unseen"] < 4 * MEBI


@pytest.mark.few_interpreters
def test_threads_have_stacks_and_heaps(interpreter, calling, record):
    source = calling(
        """
    import threading

    def work():
        blocks.append([bytes(2000) for _ in range(1000)])
        ctypes.memset(ctypes.create_string_buffer(10), 1, 10)
        begun.wait()

    blocks, begun = [], threading.Barrier(5)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    for thread in threads:
        thread.join()
    """
    )
    answer = resident(record(interpreter, source))
    assert_adds_up(answer)
    kinds = by_kind(answer)
    assert kinds["stack"] > 4 * 8192 and kinds["object"] > 8 * MEBI
    assert kinds.get("unseen", 0) < MEBI


@pytest.mark.few_interpreters
def test_a_forked_child(interpreter, calling, record):
    """What it was forked with is a row of its own; arenas and mappings are known there too."""
    source = calling(
        """
    kept = [bytes(300) for _ in range(100_000)]  #: kept
    own = mmap.mmap(-1, 6 * MEBI, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    own.write(b"x" * (6 * MEBI))
    child = os.fork()
    if not child:
        more = [bytes(300) for _ in range(50_000)]
        del kept[:50_000]
        own[0] = 1
        rollup = open("/proc/self/smaps_rollup").read()
        sizes = {name: int(size) for name, size in re.findall(r"(\\w+):\\s+(\\d+) kB", rollup)}
        print(f"own={sizes['Private_Clean'] + sizes['Private_Dirty']}")
        print(f"shared={sizes['Shared_Clean'] + sizes['Shared_Dirty']}", flush=True)
        sys.exit()
    os.waitpid(child, 0)
    print(f"child={child}")
    """
    )
    recording = record(interpreter, source)
    told = dict(word.split("=") for word in recording.out.split())
    answer = resident(recording, "--pid", told["child"])
    assert_adds_up(answer)
    kinds = by_kind(answer)
    assert near(kinds["inherited"], 50_000 * 333, 0.25)
    assert near(kinds["object"], 50_000 * 333, 0.15)
    assert near(kinds["mmap"], 6 * MEBI, 0.1)
    # The counts of references that were taken away are in pages of their own; what was only kept is not.
    own, shared = int(told["own"]) * 1024, int(told["shared"]) * 1024
    assert near(answer["own_bytes"], own, 0.1) and near(answer["shared_bytes"], shared, 0.1)
    names = source.by_number
    copied = sum(row["bytes"] for row in answer["copied"] if names.get(row["line"]) == "kept" and row["file"] == str(source))
    assert 0 < copied < 16 * MEBI
    text = run([BUILD / "heapline", "resident", "--pid", told["child"], recording.file], check=0).out
    text = " ".join(text.split())
    assert "one of 2 processes" in text and "of it are its own" in text and "allocated by" in text
    parent = resident(recording, "--pid", str(recording.process["pid"]))
    assert parent["copied"] == [] and parent["own_bytes"] is not None


def test_moments_that_are_asked_for(python, calling, record):
    source = calling(
        """
    import time
    block = bytearray(b"x") * (40 * MEBI)
    time.sleep(1)
    del block
    """
    )
    recording = record(python, source, options=["--resident=every", "100ms"])
    answer = resident(recording)
    looks = [look for look in answer["looks"] if look["at"] == "asked"]
    assert 5 <= len(looks) <= 15 and [look["time"] for look in looks] == sorted(look["time"] for look in looks)
    middle = resident(recording, "--at", "600ms")
    assert middle["view"]["at"] == "asked" and abs(middle["view"]["time"] - 0.6) < 0.2
    assert_adds_up(middle)
    assert middle["rss_bytes"] > answer["rss_bytes"] + 30 * MEBI
    peak = resident(recording, "--at", "peak")
    assert peak["rss_bytes"] >= middle["rss_bytes"] - MEBI
    rows = run([BUILD / "heapline", "resident", "--csv", "--at", "peak", recording.file], check=0).out.splitlines()
    assert rows[0] == "kind,resident_bytes,shared_bytes,swapped_bytes,blocks,name" and rows[-1].startswith("unknown,")


@pytest.mark.parametrize("value", ["every", "0s", "every 1ms", "x", "50%", "3d"])
def test_a_wrong_interval(value, tmp_path):
    wrong = run([BUILD / "heapline", "run", f"--resident={value}", "-o", tmp_path / "x.heapline"])
    assert wrong.status == 125 and "--resident=every needs a time" in wrong.err


def test_a_program_that_is_killed_at_its_peak(python, calling, record):
    source = calling(
        """
    import signal, time
    objects = [bytes(300) for _ in range(200_000)]
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    )
    recording = record(python, source, status=-signal.SIGKILL)
    answer = resident(recording)
    assert answer["view"]["at"] == "peak"
    assert_adds_up(answer)
    assert by_kind(answer)["object"] > 40 * MEBI


def test_where_nobody_looks(python, calling, record):
    recording = record(python, calling("    pass"), options=["--carrier=stream"])
    answer = run([BUILD / "heapline", "resident", recording.file])
    assert answer.status == 1 and "nobody has looked" in answer.err
    older = run([BUILD / "heapline", "resident", TESTS / "data" / "format-6.heapline"])
    assert older.status == 1 and "nobody has looked" in older.err
    other = run([BUILD / "heapline", "resident", "--pid", "1", TESTS / "data" / "format-7.heapline"])
    assert other.status == 1 and "that process" in other.err


def test_the_summary_says_why(python, calling, record):
    source = calling(
        """
    objects = [bytes(300) for _ in range(400_000)]
    kept = objects[::500]
    del objects
    """
    )
    recording = record(python, source)
    (told,) = [line for line in recording.err.splitlines() if "resident at the end" in line]
    assert "free in pymalloc's arenas" in told and "heapline resident" in told


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE survey SET moment = 'never'",
        "UPDATE survey SET process = 99 WHERE number = 1",
        "UPDATE resident_row SET kind = 'nothing' WHERE name = '' AND kind = 'object'",
        "UPDATE region SET number = number + 100",
        "UPDATE region SET kind = 'x'",
        "UPDATE holder SET location = location + 1000000",
    ],
)
def test_damaged_recordings(change, tmp_path):
    file = tmp_path / "damaged.heapline"
    file.write_bytes((TESTS / "data" / "format-7.heapline").read_bytes())
    with sqlite3.connect(file) as database:
        database.execute(change)
    database.close()
    answer = run([BUILD / "heapline", "resident", "--pins", file])
    assert answer.status == 1 and "damaged" in answer.err
