"""Programs that predict, call by call, what a recording must say of them."""

import harness
import pytest
from harness import BYTES_HEADER, Sum, assert_complete

TYPES = """
    import ctypes, json, os, sys

    class Sums(ctypes.Structure):
        _fields_ = [(name, ctypes.c_uint64) for name in (
            "bytes", "blocks", "allocated_bytes", "allocations", "frees",
            "peak_bytes", "peak_blocks")]

        def print(self):
            print(json.dumps({name: getattr(self, name) for name, _ in self._fields_}), flush=True)

    native = ctypes.CDLL(os.environ["NATIVE"])
    size = ctypes.c_size_t
    number = ctypes.c_uint64
"""


@pytest.fixture
def typed(program):
    """Writes a program that begins with TYPES."""
    return lambda source: program(TYPES + source)


@pytest.mark.parametrize("seed", range(1, 7))
def test_every_call_at_its_line(python, seed, record):
    """malloc, calloc, realloc, reallocarray and free called one by one from Python; survivors,
    the peak's composition and the totals of each line are known before."""
    program = harness.Program.named("model.py")
    recording = record(python, program, seed)
    assert_complete(recording)
    model = recording.json
    assert model["peak_bytes"] > 10 << 20

    def seen(at):
        lines = recording.per_line(program, at, ["malloc"])
        return {
            program.by_number[line]: [s.bytes, s.blocks]
            for line, s in lines.items()
            if line in program.by_number
        }

    assert seen("peak") == model["peak"]
    assert seen("end") == model["end"]
    totals = {
        name: list(recording.line(program, name, "end", ["malloc"])[2:])
        for name in model["allocated"]
    }
    assert totals == model["allocated"]
    assert 0 <= recording.totals["peak_bytes"] - model["peak_bytes"] < 16 << 20


@pytest.mark.parametrize("seed", range(1, 5))
def test_storm_in_c(interpreter, seed, typed, record, with_native):
    """100,000 mallocs, reallocs and frees while CPython stands still: the peak is exact to the
    byte, and so are all counts."""
    source = typed(
        """
    sums = Sums()
    native.storm.argtypes = [number, number, number, number, ctypes.c_void_p]
    native.storm(int(sys.argv[1]) * 0x9E3779B97F4A7C15 % 2**64, 100_000, 50_000_001, 20_000, ctypes.addressof(sums))  #: storm
    sums.print()
    """
    )
    recording = record(interpreter, source, seed, env=with_native)
    assert_complete(recording)
    expected = recording.json
    peak = recording.line(source, "storm", "peak", ["malloc"])
    end = recording.line(source, "storm", "end", ["malloc"])
    totals = (expected["allocated_bytes"], expected["allocations"])
    assert peak == Sum(expected["peak_bytes"], expected["peak_blocks"], *totals)
    assert end == Sum(expected["bytes"], expected["blocks"], *totals)


@pytest.mark.parametrize("there_first", [0, 1])
def test_of_two_equal_peaks_the_first(interpreter, there_first, typed, record, with_native):
    """The same sum to the byte, once in this thread and once in one that Python does not know."""
    source = typed(
        """
    native.two_peaks.argtypes = [size, size, ctypes.c_int]
    native.two_peaks(100_000_001, 100_000_001 + int(sys.argv[2]), int(sys.argv[1]))  #: peaks
    """
    )

    def here_and_there(more):
        recording = record(interpreter, source, there_first, more, env=with_native)
        here = recording.line(source, "peaks", "peak", ["malloc"]).bytes > 100_000_000
        there = recording.unowned("peak", ["malloc"]).bytes > 100_000_000
        assert here != there
        assert recording.totals["peak_bytes"] > 100_000_000
        return "there" if there else "here"

    assert here_and_there(0) == ("there" if there_first else "here")
    assert here_and_there(1) == "there"
    assert here_and_there(-1) == "here"


def test_peak_at_the_last_event(interpreter, typed, record, with_native):
    source = typed(
        """
    native.hold_and_exit.argtypes = [size, ctypes.c_int]
    native.hold_and_exit(200_000_001, 7)  #: last
    """
    )
    recording = record(interpreter, source, env=with_native, status=7)
    assert_complete(recording)
    for at in ("peak", "end", "exit"):
        held = recording.line(source, "last", at, ["malloc"])
        assert (held.bytes, held.blocks) == (200_000_001, 1), at
    totals = recording.totals
    assert totals["peak_bytes"] == totals["end_bytes"] == totals["leaked_bytes"]


def test_staircase(interpreter, program, record):
    """Each level of a recursion holds a block while it is there: at the peak all of them, each
    under its own stack; afterwards none."""
    source = program(
        """
        sizes = [100_000 * depth for depth in range(50)]

        def down(depth):
            step = bytes(sizes[depth])  #: step
            if depth < 40:
                down(depth + 1)  #: down
            del step

        for _ in range(3):
            down(1)  #: start
        kept = bytes(1000)  #: kept
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    name = str(source)
    start = (name, source.lines["start"], "<module>")
    way = (name, source.lines["down"], "down")
    step = (name, source.lines["step"], "down")
    stacks = recording.per_stack("peak")
    for depth in range(1, 41):
        stack = (start,) + (way,) * (depth - 1) + (step,)
        assert stacks.get(stack) == (100_000 * depth + BYTES_HEADER, 1), depth
    assert recording.line(source, "step", "end").bytes == 0
    total = sum(100_000 * depth + BYTES_HEADER for depth in range(1, 41))
    totals = recording.line(source, "step", "end")
    # Up to 3.10 the code object makes a cache of its own once on that line.
    assert (totals.allocated_bytes - 3 * total, totals.allocations - 3 * 40) in [(0, 0), (58, 1)]


def test_eight_threads_exchange_blocks(interpreter, typed, record, with_native):
    """They realloc and free what others allocated, at full speed and without the GIL; the same
    addresses come back in other threads at once."""
    source = typed(
        """
    import threading
    native.exchange.argtypes = [number, number]
    native.exchange_result.argtypes = [ctypes.c_void_p]
    begin = threading.Barrier(8)

    def work(seed):
        begin.wait()
        native.exchange(seed, 40_000)  #: exchange

    threads = [threading.Thread(target=work, args=(n + 1,)) for n in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    sums = Sums()
    native.exchange_result(ctypes.addressof(sums))
    sums.print()
    """
    )
    recording = record(interpreter, source, env=with_native)
    assert_complete(recording)
    expected = recording.json
    assert expected["blocks"] > 0
    seen = recording.line(source, "exchange", "end", ["malloc"])
    assert seen == Sum(*(expected[name] for name in Sum._fields))


CASES = """
    libc = ctypes.CDLL(None, use_errno=True)

    def function(name, *types, result=ctypes.c_void_p):
        found = getattr(libc, name)
        found.argtypes = types
        found.restype = result
        return found

    pointer = ctypes.c_void_p
    malloc = function("malloc", size)
    calloc = function("calloc", size, size)
    realloc = function("realloc", pointer, size)
    reallocarray = function("reallocarray", pointer, size, size)
    free = function("free", pointer, result=None)
    aligned_alloc = function("aligned_alloc", size, size)
    memalign = function("memalign", size, size)
    valloc = function("valloc", size)
    pvalloc = function("pvalloc", size)
    posix_memalign = function("posix_memalign", pointer, size, size, result=ctypes.c_int)
    usable = function("malloc_usable_size", pointer, result=size)
    HUGE = 2**63 - 1
"""


def test_the_whole_family(interpreter, typed, record, with_native):
    """Each function at its line, with the size that was asked for."""
    source = typed(
        CASES
        + """
    out = ctypes.c_void_p()
    zero = calloc(333, 7)  #: calloc
    assert ctypes.string_at(zero, 333 * 7) == bytes(333 * 7)
    a = malloc(1001)  #: malloc
    b = realloc(malloc(10), 1002)  #: realloc
    c = realloc(None, 1003)  #: realloc_null
    d = reallocarray(malloc(10), 17, 59)  #: reallocarray
    e = aligned_alloc(64, 1005)  #: aligned_alloc
    assert e % 64 == 0
    f = memalign(256, 1006)  #: memalign
    assert f % 256 == 0
    g = valloc(1007)  #: valloc
    h = pvalloc(1008)  #: pvalloc
    assert g % 4096 == h % 4096 == 0
    assert posix_memalign(ctypes.addressof(out), 512, 1009) == 0  #: posix_memalign
    assert out.value % 512 == 0
    i = malloc(0)  #: malloc_zero
    assert usable(a) >= 1001 and usable(None) == 0
    """
    )
    recording = record(interpreter, source, env=with_native)
    assert_complete(recording)
    expected = {
        "calloc": (333 * 7, 1),
        "malloc": (1001, 1),
        "realloc": (1002, 1),
        "realloc_null": (1003, 1),
        "reallocarray": (17 * 59, 1),
        "aligned_alloc": (1005, 1),
        "memalign": (1006, 1),
        "valloc": (1007, 1),
        "pvalloc": (1008, 1),
        "posix_memalign": (1009, 1),
        "malloc_zero": (0, 1),
    }
    seen = {name: recording.line(source, name, "end", ["malloc"])[:2] for name in expected}
    assert seen == expected


def test_what_fails_changes_nothing(interpreter, typed, record, with_native):
    source = typed(
        CASES
        + """
    out = ctypes.c_void_p(12345)
    kept = malloc(100_001)  #: kept
    assert realloc(kept, HUGE) is None  #: huge_realloc
    assert reallocarray(kept, 2**33, 2**33) is None  #: overflow_realloc
    assert malloc(HUGE) is None  #: huge_malloc
    assert calloc(2**33, 2**33) is None  #: overflow_calloc
    assert aligned_alloc(64, HUGE) is None  #: huge_aligned
    assert posix_memalign(ctypes.addressof(out), 3, 100) != 0  #: bad_alignment
    assert out.value == 12345
    free(None)  #: free_null
    twice = malloc(200_002)  #: twice
    twice = realloc(twice, 300_003)  #: twice_again
    """
    )
    recording = record(interpreter, source, env=with_native)
    assert_complete(recording)

    def seen(name):
        return tuple(recording.line(source, name, "end", ["malloc"]))

    assert seen("kept") == (100_001, 1, 100_001, 1)
    assert seen("twice") == (0, 0, 200_002, 1)
    assert seen("twice_again") == (300_003, 1, 300_003, 1)
    for name in ("huge_realloc", "overflow_realloc", "huge_malloc", "overflow_calloc"):
        assert seen(name) == (0, 0, 0, 0), name
    for name in ("huge_aligned", "bad_alignment", "free_null"):
        assert seen(name) == (0, 0, 0, 0), name


def test_realloc_to_nothing_frees(interpreter, typed, record, with_native):
    source = typed(
        CASES
        + """
    block = malloc(400_004)  #: block
    assert realloc(block, 0) is None  #: freed
    """
    )
    recording = record(interpreter, source, env=with_native)
    assert recording.line(source, "block", "end", ["malloc"]) == Sum(0, 0, 400_004, 1)
    assert recording.line(source, "freed", "end", ["malloc"])[:2] == (0, 0)


def test_very_large_sizes(python, typed, record, with_native):
    """Wider than any field for a size that is not taken seriously."""
    source = typed(
        CASES
        + """
    sizes = [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (1 << 24) + 1, (1 << 32) - 1, (1 << 32) + 5]
    blocks = [malloc(each) for each in sizes]  #: blocks
    assert all(blocks)
    """
    )
    recording = record(python, source, env=with_native)
    sizes = [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (1 << 24) + 1, (1 << 32) - 1, (1 << 32) + 5]
    seen = recording.line(source, "blocks", "end", ["malloc"])
    assert (seen.bytes, seen.blocks) == (sum(sizes), len(sizes))


def test_a_handler_allocates_while_hooks_run(interpreter, typed, record, with_native):
    """A signal handler on an alternate stack of 8 KiB mallocs and frees, again and again, wherever
    it interrupts the hook of CPython's own allocator: no event is lost and none is doubled.

    A call that interrupts the hook's own few instructions is recorded without its Python stack, so
    what has none counts as well, beyond what has none in a run whose handler does nothing."""
    source = typed(
        """
    native.handler_start.argtypes = [ctypes.c_int]
    native.handler_allow.argtypes = [number]
    native.handler_calls.restype = number
    native.handler_stop.argtypes = [ctypes.c_void_p]
    sums = Sums()

    def loop(times):
        native.handler_allow(times)
        while True:
            for _ in range(200):
                object(), object(), object()
            if native.handler_calls() >= times:
                return

    loop(0)
    native.handler_start(50)
    loop(int(sys.argv[1]))
    native.handler_stop(ctypes.addressof(sums))
    sums.print()
    """
    )

    def seen(times):
        recording = record(interpreter, source, times, env=with_native)
        assert_complete(recording)
        rows = recording.rows("end", "function", ["malloc"])
        own = [row for row in rows if (row["file"], row["function"]) == (str(source), "loop")]
        return recording.json, harness.sum_of(own), recording.unowned("end", ["malloc"])

    expected, own, unowned = seen("3000")
    nothing, none, always = seen("0000")
    assert (expected["allocations"], nothing["allocations"]) == (3000, 0)
    beyond = Sum(*(some - always_there for some, always_there in zip(unowned, always)))
    assert none == harness.NOTHING
    assert own + beyond == Sum(*(expected[name] for name in Sum._fields))
    assert own.allocations > 1000, "most have their stack"


def test_full_ring(python, typed, record, with_native):
    """Far more events than the ring has room for, as fast as C can make them."""
    source = typed(
        """
    native.hold_many.argtypes = [size, size]
    for _ in range(30):
        native.hold_many(24, 100_000)  #: many
    """
    )
    recording = record(python, source, env=with_native)
    assert_complete(recording)
    seen = recording.line(source, "many", "end", ["malloc"])
    assert (seen.bytes, seen.blocks) == (24 * 3_000_000, 3_000_000)
