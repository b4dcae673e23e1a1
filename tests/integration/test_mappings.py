"""Memory that comes from mmap: which line it belongs to, page by page, and what is none of it."""

import harness
import pytest
from harness import NOTHING, Sum, assert_complete

PAGE = 4096

CALLS = """
    import ctypes, json, mmap, os, sys, threading

    PAGE = 4096
    size, pointer, number = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int
    native = ctypes.CDLL(os.environ["NATIVE"])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.argtypes = [pointer, size, number, number, number, ctypes.c_long]
    libc.munmap.argtypes = [pointer, size]
    libc.mremap.argtypes = [pointer, size, size, number, pointer]
    libc.mmap.restype = libc.mremap.restype = size
    libc.sbrk.argtypes, libc.sbrk.restype = [ctypes.c_ssize_t], size
    ANYWHERE, FIXED, RESERVED = 0x22, 0x32, 0x4032
    MAY_MOVE, MOVE_FIXED, MOVE_AND_LEAVE = 1, 3, 5
    FAILED = 2**64 - 1
    # Where the kernel puts nothing by itself: nobody else is in the holes that are made here.
    LOW = 1 << 36
"""


@pytest.fixture
def calling(program):
    """Writes a program that begins with CALLS."""
    return lambda source: program(CALLS + source)


def mapped(recording, source, at="end", allocator="mmap"):
    """{name of a line: what it holds of the allocator}; what libraries map is theirs."""
    lines = {}
    for row in recording.rows(at, "line", [allocator], source):
        name = source.by_number[row["line"]]
        lines[name] = lines.get(name, NOTHING) + harness.sum_of([row])
    return lines


def pages(held, blocks, allocated, allocations):
    return Sum(held * PAGE, blocks, allocated * PAGE, allocations)


def test_python_mappings(interpreter, calling, record, with_native, tmp_path):
    """The mmap module: anonymous and file mappings, resized and closed."""
    (tmp_path / "file").write_bytes(bytes(3 * PAGE + 1))
    source = calling(
        """
    odd = mmap.mmap(-1, 10_000)  #: odd
    grown = mmap.mmap(-1, 4 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  #: grown
    grown.resize(9 * PAGE)  #: growing
    shrunk = mmap.mmap(-1, 8 * PAGE)  #: shrunk
    shrunk.resize(2 * PAGE + 1)  #: shrinking
    closed = mmap.mmap(-1, 5 * PAGE)  #: closed
    closed.close()
    with open("file", "r+b") as file:
        whole = mmap.mmap(file.fileno(), 0)  #: file
        part = mmap.mmap(file.fileno(), 100, offset=PAGE)  #: part
    """
    )
    recording = record(interpreter, source, env=with_native)
    assert_complete(recording)
    expected = {
        "odd": pages(3, 1, 3, 1),
        "grown": pages(0, 0, 4, 1),
        "growing": pages(9, 1, 9, 1),
        "shrunk": pages(0, 0, 8, 1),
        "shrinking": pages(3, 1, 3, 1),
        "closed": pages(0, 0, 5, 1),
    }
    files = {"file": pages(4, 1, 4, 1), "part": pages(1, 1, 1, 1)}
    names = source.by_number
    assert mapped(recording, source) == expected
    assert mapped(recording, source, allocator="file") == files
    assert recording.sql("SELECT mmap, file FROM sample ORDER BY time DESC LIMIT 1") == [
        tuple(sum(row["bytes"] for row in recording.rows("exit", "line", [name])) for name in ("mmap", "file"))
    ]
    # Files are in no sum.
    held = sum(row["bytes"] for row in recording.rows("exit", "line"))
    assert held == recording.totals["leaked_bytes"]
    counted = recording.rows("end", "line", file=source)
    assert not [row for row in counted if names.get(row["line"]) in files and row["bytes"] >= PAGE]


def test_every_way_to_map(interpreter, calling, record, with_native):
    source = calling(
        """
    holes = libc.mmap(LOW, 20 * PAGE, 3, FIXED, -1, 0)  #: holes
    assert libc.munmap(holes + 2 * PAGE, 3 * PAGE) == 0
    assert libc.munmap(holes + 10 * PAGE, 1) == 0  # a whole page
    assert libc.munmap(holes, 12 * PAGE) == 0

    base = libc.mmap(LOW + 100 * PAGE, 30 * PAGE, 0, RESERVED, -1, 0)  #: reserved
    libc.mmap(base, 10 * PAGE, 3, FIXED, -1, 0)  #: first
    libc.mmap(base + 10 * PAGE, 10 * PAGE, 3, FIXED, -1, 0)  #: second
    libc.mmap(base + 4 * PAGE, 2 * PAGE, 3, FIXED, -1, 0)  #: overlay
    assert libc.munmap(base + 8 * PAGE, 7 * PAGE) == 0  # of both

    moving = libc.mmap(None, 6 * PAGE, 3, ANYWHERE, -1, 0)  #: moving
    moved = libc.mremap(moving, 6 * PAGE, 7 * PAGE, MOVE_FIXED, base + 20 * PAGE)  #: moved
    assert moved == base + 20 * PAGE
    part = libc.mmap(None, 6 * PAGE, 3, ANYWHERE, -1, 0)  #: part
    libc.mremap(part + 4 * PAGE, 2 * PAGE, 2 * PAGE, MOVE_FIXED, base + 28 * PAGE)  #: part_moved
    left = libc.mmap(None, 3 * PAGE, 3, ANYWHERE, -1, 0)  #: left
    both = libc.mremap(left, 3 * PAGE, 3 * PAGE, MOVE_AND_LEAVE, None)  #: both
    if both == FAILED: # before Linux 5.7, or not for this mapping
        both = libc.mmap(None, 3 * PAGE, 3, ANYWHERE, -1, 0)

    native.map_briefly.argtypes = [size]
    native.map_briefly(3)  #: briefly
    native.move_break.argtypes = [size] * 3
    native.move_break(5 * PAGE + 16, 2 * PAGE, PAGE)  #: break
    """
    )
    recording = record(interpreter, source, env=with_native)
    assert_complete(recording)
    assert mapped(recording, source) == {
        "holes": pages(8, 1, 20, 1),
        "first": pages(6, 1, 10, 1),
        "second": pages(5, 1, 10, 1),
        "overlay": pages(2, 1, 2, 1),
        "moving": pages(0, 0, 6, 1),
        "moved": pages(7, 1, 7, 1),
        "part": pages(4, 1, 6, 1),
        "part_moved": pages(2, 1, 2, 1),
        "left": pages(3, 1, 3, 1),
        "both": pages(3, 1, 3, 1),
        "briefly": pages(0, 0, 3, 1),
        "break": Sum(4 * PAGE + 16, 2, 6 * PAGE + 16, 2),
    }
    assert mapped(recording, source, allocator="reserved") == {"reserved": pages(1, 1, 30, 1)}
    assert recording.process["frees"] + recording.totals["leaked_blocks"] == recording.totals["allocations"]
    temporary = harness.report(recording.file, "--temporary", "-n", "0", "--allocator", "mmap")["rows"]
    brief = [row for row in temporary if row["line"] == source.lines["briefly"]]
    assert [(row["bytes"], row["blocks"]) for row in brief] == [(3 * PAGE, 1)]


def test_what_fails_changes_nothing(interpreter, calling, record, bare, with_native):
    """And results and errno are the same without heapline."""
    source = calling(
        """
    def told(result):
        print(result, ctypes.get_errno() if result in (-1, FAILED) else 0)

    kept = libc.mmap(None, 16 * PAGE, 3, ANYWHERE, -1, 0)  #: kept
    told(libc.munmap(kept + 1, PAGE))
    told(libc.munmap(kept, 0))
    told(libc.munmap(kept, 2**63))
    told(libc.mmap(None, 0, 3, ANYWHERE, -1, 0))
    told(libc.mmap(None, 2**62, 3, ANYWHERE, -1, 0))
    told(libc.mmap(None, PAGE, 3, 2, 999, 0))
    told(libc.mmap(None, PAGE, 3, ANYWHERE, -1, 0) == FAILED)  #: mapped
    told(libc.mremap(kept, 8 * PAGE, 2**45, 0, None))
    told(libc.mremap(kept, 8 * PAGE, 2**62, MAY_MOVE, None))
    told(libc.mremap(LOW, 3 * PAGE, 5 * PAGE, MAY_MOVE, None))
    told(libc.mremap(kept, 3 * PAGE, 3 * PAGE, MOVE_FIXED, kept + PAGE))
    told(libc.mremap(kept + 1, 3 * PAGE, 3 * PAGE, MAY_MOVE, None))
    told(libc.sbrk(2**62))
    told(libc.brk(ctypes.c_void_p(2**62)))
    native.unmap_at_the_limit.argtypes = [pointer]
    told(native.unmap_at_the_limit(kept))  #: limit
    """
    )
    recording = record(interpreter, source, env=with_native)
    assert_complete(recording)
    assert recording.out == bare(interpreter, source, env=with_native).out
    assert recording.out.splitlines()[-1] == "12 0", "the last munmap fails with ENOMEM"
    reserved = 4 << 20
    seen = mapped(recording, source)
    opened = seen.pop("limit")  # page by page, as many as the kernel allows
    assert opened == pages(0, 0, opened.allocations, opened.allocations)
    assert seen == {"kept": pages(16, 1, 16, 1), "mapped": pages(1, 1, 1, 1)}
    assert mapped(recording, source, allocator="reserved") == {"limit": pages(0, 0, reserved, 1)}


@pytest.mark.parametrize("seed", [1, 2])
def test_model(interpreter, seed, record):
    """Hundreds of calls at random, each from a line of its own."""
    program = harness.Program.named("mapping_model.py")
    recording = record(interpreter, program, seed)
    assert_complete(recording)
    model = recording.json
    assert model["failures"] > 20 and model["frees"] > 100
    for allocator in ("mmap", "reserved"):
        seen = mapped(recording, program, "exit", allocator)
        assert {name: [s.bytes, s.blocks] for name, s in seen.items() if s.blocks} == model["end"][allocator]
        assert {name: [s.allocated_bytes, s.allocations] for name, s in seen.items()} == model["allocated"][allocator]


def test_threads_exchange_mappings(interpreter, calling, record, with_native):
    """What one thread gives back another one is given at once; all in parts, at full speed."""
    source = calling(
        """
    native.exchange_mapped.argtypes = [ctypes.c_uint64] * 2
    begin = threading.Barrier(4)

    def work(seed):
        begin.wait()
        native.exchange_mapped(seed, 5_000)  #: exchange

    threads = [threading.Thread(target=work, args=(n + 1,)) for n in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    sums = (ctypes.c_uint64 * 7)()
    native.exchange_mapped_result(sums)
    print(json.dumps(list(sums)))
    """
    )
    recording = record(interpreter, source, env=with_native)
    assert_complete(recording)
    held, blocks, allocated, allocations, frees, _, _ = recording.json
    assert mapped(recording, source) == {"exchange": Sum(held, blocks, allocated, allocations)}
    assert blocks > 0
    query = "SELECT sum(kind = 'free') - sum(kind = 'restore') AS frees FROM events WHERE allocator = 'mmap'"
    assert harness.run([harness.BUILD / "heapline", "sql", "--json", recording.file, query]).json == [{"frees": frees}]


NOTHING_MAPPED = """
    import sys, threading
    sys.setrecursionlimit(5000)

    def down(depth):
        return [depth] and (down(depth - 1) if depth else [object() for _ in range(1_000)])

    def work(depth):
        return [object() for _ in range(50_000)], down(depth)

    objects = [object() for _ in range(150_000)]
    large = [bytes(1 << 20) for _ in range(20)]
    work(2000)
    threads = [threading.Thread(target=work, args=(500,)) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    del objects, large
"""


@pytest.mark.parametrize("mode", ["plain", "PYTHONMALLOC=malloc", "PYTHONMALLOC=debug"])
def test_what_counts_elsewhere_is_no_mapping(interpreter, mode, program, record):
    """pymalloc's arenas, glibc's large blocks and arenas, the stacks of threads and of frames."""
    name, _, value = mode.partition("=")
    env = harness.environment(**({name: value} if value else {}))
    recording = record(interpreter, program(NOTHING_MAPPED), env=env)
    assert_complete(recording)
    assert recording.rows("peak", "line", ["mmap"]) == []


def test_forked_children(interpreter, calling, record, with_native):
    """The child has its parent's mappings, in parts, and its own; what it gives back stays with the
    parent."""
    source = calling(
        """
    kept = libc.mmap(LOW, 20 * PAGE, 3, FIXED, -1, 0)  #: kept
    libc.munmap(kept + 5 * PAGE, 5 * PAGE)
    other = libc.mmap(None, 4 * PAGE, 3, ANYWHERE, -1, 0)  #: other
    child = os.fork()
    if child == 0:
        own = libc.mmap(None, 3 * PAGE, 3, ANYWHERE, -1, 0)  #: own
        assert libc.munmap(kept + 4 * PAGE, 7 * PAGE) == 0  # one page on either side of the hole
        assert libc.munmap(other, 4 * PAGE) == 0
        assert libc.munmap(own, PAGE) == 0
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    libc.munmap(kept, PAGE)
    print(os.getpid(), child)
    """
    )
    recording = record(interpreter, source, env=with_native)
    assert_complete(recording)
    parent, child = recording.out.split()

    def held(pid, *options):
        rows = recording.report("exit", "line", "--allocator", "mmap", "--pid", pid, *options)["rows"]
        return {
            source.by_number[row["line"]]: (row["bytes"] // PAGE, row["blocks"])
            for row in rows
            if row["blocks"] and row["file"] == str(source)
        }

    assert held(parent) == {"kept": (14, 1), "other": (4, 1)}
    assert held(child) == {"own": (2, 1)}
    assert held(child, "--inherited") == {"own": (2, 1), "kept": (13, 1)}
    assert recording.sql("SELECT unmatched_frees FROM process WHERE pid = ?", child) == [(0,)]


def test_between_two_moments(python, calling, record, with_native):
    """What was unmapped of a mapping from before the span is freed in it, without the block."""
    source = calling(
        """
    import time
    before = libc.mmap(LOW, 20 * PAGE, 3, FIXED, -1, 0)  #: before
    time.sleep(0.05)
    libc.munmap(before + 5 * PAGE, 5 * PAGE)
    within = libc.mmap(None, 8 * PAGE, 3, ANYWHERE, -1, 0)  #: within
    libc.munmap(within, 3 * PAGE)
    time.sleep(0.05)
    libc.munmap(before, 20 * PAGE)
    libc.munmap(within, 8 * PAGE)
    """
    )
    recording = record(python, source, env=with_native)
    query = f"""SELECT e.time FROM events AS e JOIN stacks AS s ON s.stack = e.stack
                WHERE e.allocator = 'mmap' AND s.file = '{source}' ORDER BY e.sequence"""
    told = harness.run([harness.BUILD / "heapline", "sql", "--json", recording.file, query], check=0).json
    # The first mapping, then what is between the pauses: where a mapping loses a part, what is left of it is
    # told too. How long all that takes is the machine's affair.
    first, *_, last = [row["time"] for row in told][:6]
    assert len(told) == 10 and last < told[6]["time"]
    span = ("--between", f"{first + 1e-6:.6f}s", f"{last + 1e-6:.6f}s", "-n", "0", "--allocator", "mmap")
    rows = {source.by_number[row["line"]]: row for row in harness.report(recording.file, *span)["rows"]}
    names = ("bytes", "blocks", "freed_bytes", "freed_blocks", "net_bytes")
    assert {line: tuple(row[name] for name in names) for line, row in rows.items()} == {
        "before": (0, 0, 5 * PAGE, 0, -5 * PAGE),
        "within": (5 * PAGE, 1, 0, 0, 5 * PAGE),
    }


def test_without_history(interpreter, calling, record, with_native):
    source = calling(
        """
    kept = libc.mmap(None, 20 * PAGE, 3, ANYWHERE, -1, 0)  #: kept
    libc.munmap(kept + 5 * PAGE, 5 * PAGE)
    """
    )
    recording = record(interpreter, source, env=with_native, options=["--no-history"])
    assert mapped(recording, source) == {"kept": pages(15, 1, 20, 1)}
