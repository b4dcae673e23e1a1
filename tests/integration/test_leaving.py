"""A hook that is left without being left: by a signal handler that jumps, switches stacks or ends its
thread, and by one that forks or allocates in the middle, at each instruction of the shim.

A program (programs/leaving.py) does a piece of work again and again under programs/stepper.c, which
sends it a signal at the first, second, third… instruction of libheapline.so, until there are no more.
After each pass it allocates above and below what was left, in other threads, and with new code, so that
each lock of the shim is taken: all of that has to be in the recording, and nothing may hang.

By default only some instructions are tried, one in STRIDES. With HEAPLINE_EVERY_STEP in the environment it
is every one, which takes hours.
"""

import collections
import os

import harness
import pytest
from conftest import require
from harness import BUILD, BYTES_HEADER, Program, assert_complete, run
from test_daemon import TOKEN, Daemon

EVERY_STEP = "HEAPLINE_EVERY_STEP" in os.environ
SIZES = 5_000
PAGE = 4096
SHALLOW, BELOW, PROBE, DEEP, HERE, FREED, MAPPED, INSIDE, FREED_INSIDE, RESUMED = range(1, 11)
LEAVING = Program.named("leaving.py")
FRESH = ("<fresh>", 2)
MANY = 1_000_000

QUERY = """SELECT e.size, e.allocator, e.kind, s.file, s.line, count(*) AS times
    FROM events AS e LEFT JOIN stacks AS s ON s.stack = e.stack
    WHERE e.process = 1 AND (e.size BETWEEN 5000 AND 55000 OR e.allocator = 'mmap') GROUP BY 1, 2, 3, 4, 5"""


@pytest.fixture(scope="session")
def stepper(compiled):
    return compiled("stepper.c", "stepper")


@pytest.fixture(scope="session")
def leaving(compiled):
    return compiled("leaving.c", "libleaving.so", "-shared", "-fPIC")


def events_of(recording):
    """{(size, allocator, kind): Counter of places}"""
    found = collections.defaultdict(collections.Counter)
    for row in run([BUILD / "heapline", "sql", "--json", recording.file, QUERY], check=0).json:
        found[row["size"], row["allocator"], row["kind"]][row["file"], row["line"]] += row["times"]
    return found


NOWHERE = (None, None)  # a thread of C


def line_of(work):
    """Where the blocks stand that C allocates in a pass."""
    return FRESH if work in ("code", "levels") else (str(LEAVING), LEAVING.lines["leave"])


def expected_of(work, way, number, is_interrupted):
    """{(size, allocator, kind): place} of one pass."""
    place = line_of(work)
    mapped = (MAPPED * SIZES + number) * PAGE
    expected = {
        (SHALLOW * SIZES + number + BYTES_HEADER, "object", "allocation"): (str(LEAVING), LEAVING.lines["shallow"]),
        (BELOW * SIZES + number + BYTES_HEADER, "object", "allocation"): (str(LEAVING), LEAVING.lines["below"]),
        (PROBE * SIZES + number, "malloc", "allocation"): FRESH,
        (mapped, "mmap", "allocation"): place,
        (mapped, "mmap", "free"): place,
        (FREED * SIZES + number, "malloc", "free"): place,
    }
    for kind in (DEEP, HERE, FREED):
        expected[kind * SIZES + number, "malloc", "allocation"] = place
    if way == "resume" and is_interrupted:
        expected[RESUMED * SIZES + number, "malloc", "allocation"] = place
    return expected


def differences(recording, work, way, places_matter=True):
    """What is missing or wrong, pass by pass, and where that was interrupted."""
    found = events_of(recording)
    said = [line.partition(": interrupted: ")[2] for line in recording.err.splitlines() if ": interrupted: " in line]
    places = iter(said)
    wrong = []
    for number, is_interrupted in enumerate(recording.json["interrupted"]):
        at = next(places) if is_interrupted else "not interrupted"
        expected = expected_of(work, way, number, is_interrupted)
        for event, place in expected.items():
            times = found[event][place] if places_matter else sum(found[event].values())
            if times != 1 and (times < 1 or event[1] != "object"):  # other objects may be as large
                wrong.append((number, at, event, dict(found[event])))
    return wrong


def missing_inside(found, number, work, places_matter):
    """Of what a handler has allocated: it stands where its thread does."""
    place = NOWHERE if work in ("thread", "thread-end") else line_of(work)
    events = [(INSIDE * SIZES + number, "malloc", "allocation"), (FREED_INSIDE * SIZES + number, "malloc", "allocation")]
    events.append((FREED_INSIDE * SIZES + number, "malloc", "free"))
    return [(event, dict(found[event])) for event in events
            if sum(found[event].values()) != 1 or places_matter and found[event][place] != 1]


def command_of(interpreter, stepper, work, way, stride=None, first=1, limit=MANY):
    stride = LONG.get(work, 1) if EVERY_STEP else stride or STRIDES.get(work, STRIDE)
    return [stepper, interpreter.path, LEAVING, work, way, first, stride, limit]


def step_through(command, leaving, folder, options=()):
    """Records passes of a work that are left one way."""
    env = harness.environment(LEAVING=leaving, STEPPER_SAYS="1")
    recording = harness.record(command, folder / "run.heapline", options, env, status=None)
    assert recording.status == 0, recording.err[-3000:]
    assert any(recording.json["interrupted"])
    return recording


def check_inside(recording, work, places_matter):
    """Handlers' own blocks. While the real allocator is called a handler's call cannot be told from a step of the
    allocator's; a mapping has no steps."""
    found = events_of(recording)
    interrupted = [n for n, is_interrupted in enumerate(recording.json["interrupted"]) if is_interrupted]
    missing = [event for number in interrupted for event in missing_inside(found, number, work, places_matter)]
    allowed = 0 if work in ("mmap", "munmap", "mremap") else 3 * (len(interrupted) // 8 + 1)
    assert len(missing) <= allowed and not [event for event in missing if event[1]], missing


def assert_nearly_complete(recording, most=2):
    """The child of a clone may have been made between a look at the gate and what follows it, and a context
    that comes back may find that the ring has gone on without it: that is counted. So are children that were made
    in the midst of the shim's work, which go on untraced."""
    about = recording.summary["run"]
    assert about["lost_events"] <= most and set(about["absences"]) <= {"unheard"}, about
    assert about["complete"] == (not about["lost_events"] and not about["absences"]), about


def check(recording, work, way, places_matter=True):
    wrong = differences(recording, work, way, places_matter)
    assert not wrong, (len(wrong), wrong[:10])
    if way == "allocate":
        check_inside(recording, work, places_matter)
    if way in NEARLY:
        assert_nearly_complete(recording, NEARLY[way])
    else:
        assert_complete(recording)


# How many events may be lost, when that is told.
NEARLY = {"fork": 0, "late-fork": 0, "_Fork": 2, "clone": 8, "late-clone": 8, "late-resume": 40}


# Primes, for otherwise they would meet the same instructions of a loop again and again.
STRIDE = 173
LATE_STRIDE = 101
# With every step: these have more than there are sizes for passes.
LONG = {"levels": 23, "place": 23}
STRIDES = {"code": 181, "levels": 5003, "free": 13, "munmap": 13, "refusal": 31, "object-free": 13}
ALL = (
    "malloc", "calloc", "memalign", "free", "realloc", "realloc-fails", "refusal", "mmap", "munmap", "mremap",
    "object", "object-free", "object-realloc", "raw", "code", "levels", "thread", "fork", "_Fork",
)  # fmt: skip
PLAIN = ("malloc", "free", "realloc", "mmap", "munmap", "object", "code")
WORKS = {
    "jump": ALL,
    "resume": ("malloc", "realloc", "mmap", "munmap"),
    "allocate": (*ALL, "thread-end"),
    "fork": (*PLAIN, "thread", "thread-end", "fork", "_Fork"),
    "_Fork": ("malloc", "mmap", "munmap", "thread", "fork"),
    "clone": ("malloc", "mmap", "munmap", "thread", "fork"),
    "vfork": ("malloc", "mmap", "fork"),
    "exit": ("thread",),
    "late-fork": ("malloc",),
    "late-clone": ("malloc",),
}
OTHERS = ("3.8", "3.10", "3.13", "sid-3.14")


@pytest.mark.parametrize("way, work", [(way, work) for way, works in WORKS.items() for work in works])
def test_each_step(stepper, leaving, tmp_path, way, work):
    stride = LATE_STRIDE if way.startswith("late-") else None
    command = command_of(require("3.12"), stepper, work, way, stride)
    check(step_through(command, leaving, tmp_path), work, way)


def test_a_context_that_comes_back_late(stepper, leaving, tmp_path):
    """What it had begun to write is others' by then. It is interrupted where it writes."""
    command = command_of(require("3.12"), stepper, "malloc", "late-resume", 29, first=601)
    check(step_through(command, leaving, tmp_path), "malloc", "late-resume")


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("way, work", [("jump", "object"), ("jump", "code"), ("fork", "object")])
def test_each_step_on_other_versions(stepper, leaving, tmp_path, name, way, work):
    command = command_of(require(name), stepper, work, way, 4 * STRIDE)
    check(step_through(command, leaving, tmp_path), work, way)


@pytest.mark.parametrize("name", ["3.8", "3.12"])
@pytest.mark.parametrize("work", ["malloc", "munmap"])
def test_a_context_that_never_comes_back(stepper, leaving, tmp_path, name, work):
    """Nothing proves that it does not: the thread goes on with what it has for handlers."""
    for first in (3, 43, 83, 123, 163) if work == "munmap" else (11, 211, 411, 611, 811):
        command = command_of(require(name), stepper, work, "switch", 1, first, limit=1)
        check(step_through(command, leaving, tmp_path), work, "switch")


def test_many_contexts_that_never_come_back(stepper, leaving, tmp_path):
    """What is not recorded then is told."""
    recording = step_through(command_of(require("3.12"), stepper, "malloc", "switch"), leaving, tmp_path)
    missing = [event for *_, event, found in differences(recording, "malloc", "switch") if not found]
    assert recording.summary["run"]["lost_events"] >= len(missing)


@pytest.mark.parametrize("way", ["jump", "allocate", "fork"])
def test_each_step_of_native_stacks(stepper, leaving, tmp_path, way):
    """The rules of native code are asked for under a lock."""
    command = command_of(require("3.12"), stepper, "place", way, 997)
    recording = step_through(command, leaving, tmp_path, ["--native"])
    check(recording, "place", way, places_matter=False)  # they are lines of C


@pytest.mark.parametrize("way", ["jump", "allocate", "fork"])
@pytest.mark.parametrize("work", ["malloc", "munmap"])
def test_each_step_of_a_stream(stepper, leaving, tmp_path, way, work):
    """Where the events are sent by whoever has filled a part of the ring."""
    daemon = Daemon(tmp_path)
    command = [BUILD / "heapline", "run", "--daemon", daemon.tcp, "--"]
    command += command_of(require("3.12"), stepper, work, way)
    ran = run(command, harness.environment(LEAVING=leaving, STEPPER_SAYS="1", HEAPLINE_TOKEN=TOKEN))
    assert ran.status == 0, ran.err[-3000:]
    (file,) = daemon.recordings()
    check(harness.Recording(file, ran.status, ran.out, ran.err), work, way)
    daemon.end()


# --- by a timer, without the stepper: also in libraries and in the kernel -----------------------------

STORM = """
    import ctypes, os, sys, threading
    work, way, times, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    library = ctypes.CDLL(os.environ["LEAVING"])
    assert library.begin(work.encode(), way.encode(), 0)
    over, counts = threading.Event(), [0] * threads
    def allocate(number):
        while not over.is_set():
            kept = [bytes(700) for _ in range(100)]
            counts[number] += 1
    others = [threading.Thread(target=allocate, args=[n]) for n in range(threads)]
    for thread in others:
        thread.start()
    status = library.storm(times)  #: storm
    over.set()
    for thread in others:
        thread.join()
    held = [None] * 1_000
    for n in range(1_000):
        held[n] = bytes(100_000)  #: held
    library.hold_many(99_991, 1_000)  #: held_in_c
    assert status == 0, status
    assert all(counts), counts
"""


def weather(interpreter, program, leaving, folder, work, way, times, threads=0):
    source = program(STORM)
    recording = harness.record(
        [interpreter.path, source, work, way, times, threads],
        folder / "run.heapline",
        env=harness.environment(LEAVING=leaving),
    )
    found = events_of(recording)
    place = (str(source), source.lines["storm"])
    for number in range(times):
        mapped = (MAPPED * SIZES + number) * PAGE
        events = [(kind * SIZES + number, "malloc", "allocation") for kind in (DEEP, HERE, FREED)]
        events += [(mapped, "mmap", "allocation"), (mapped, "mmap", "free"), (FREED * SIZES + number, "malloc", "free")]
        for event in events:
            assert found[event][place] == 1, (number, event, found[event])
    assert recording.line(source, "held", "end", ["object"])[:2] == (1_000 * (100_000 + BYTES_HEADER), 1_000)
    assert recording.line(source, "held_in_c", "end", ["malloc"])[:2] == (1_000 * 99_991, 1_000)
    return recording


VERSIONS = ("3.8", "3.12", "3.13", "sid-3.14")


@pytest.mark.parametrize("threads", [0, 3])
@pytest.mark.parametrize("name", VERSIONS)
def test_jumps_by_a_timer(program, leaving, tmp_path, name, threads):
    """Out of mmap() and munmap(), which leave nothing of the C library half done."""
    assert_complete(weather(require(name), program, leaving, tmp_path, "mmap", "jump", 300, threads))


@pytest.mark.parametrize("work, way", [("malloc", "fork"), ("malloc", "vfork"), ("fork", "fork"), ("mmap", "fork")])
@pytest.mark.parametrize("name", ["3.8", "3.13"])
def test_forks_by_a_timer(program, leaving, tmp_path, name, work, way):
    assert_nearly_complete(weather(require(name), program, leaving, tmp_path, work, way, 40), 0)


@pytest.mark.parametrize("work, way", [("malloc", "_Fork"), ("malloc", "clone"), ("fork", "_Fork"), ("_Fork", "clone")])
@pytest.mark.parametrize("name", ["3.8", "3.13"])
def test_bare_forks_by_a_timer(program, leaving, tmp_path, name, work, way):
    assert_nearly_complete(weather(require(name), program, leaving, tmp_path, work, way, 40))


@pytest.mark.parametrize("way", ["fork", "vfork", "allocate"])
def test_forks_by_a_timer_beside_threads(program, leaving, tmp_path, way):
    """The thread that is interrupted holds nothing of the C library's, as others may."""
    for name in ("3.8", "3.13"):
        assert_nearly_complete(weather(require(name), program, leaving, tmp_path, "mmap", way, 40, 2), 0)


# --- an exception through the allocators of the program ---------------------------------------------------

THROWS = """
    import ctypes
    library = ctypes.PyDLL(None)
    held = [None] * 400
    def deeper(n, depth):
        if depth:
            return deeper(n, depth - 1)
        held[n] = bytes(20_000 + n)  #: deeper
    for n in range(0, 400, 4):
        assert library.caught(n % 16 // 4) == 1
        deeper(n, 3)
        held[n + 1] = bytes(30_000 + n)  #: here
        assert library.caught_then_hold(n % 16 // 4, ctypes.c_size_t(40_000 + n)) == 1  #: in_c
"""


@pytest.mark.parametrize("name", ["3.10", "3.12", "3.13", "sid-3.14"])
def test_an_exception_through_an_allocator(program, compiled, tmp_path, name):
    interpreter = require(name)
    if not interpreter.libpython:
        pytest.skip(f"{interpreter.name} has no shared libpython")
    throwing = compiled("throwing.cpp", "throwing", "-rdynamic", *interpreter.link_flags)
    source = program(THROWS)
    env = harness.environment(PYTHONHOME=interpreter.prefix)
    recording = harness.record([throwing, interpreter.libpython, source], tmp_path / "run.heapline", env=env)
    assert_complete(recording)
    found = events_of(recording)
    for n in range(0, 400, 4):
        for line, size, allocator in (
            ("deeper", 20_000 + n + BYTES_HEADER, "object"),
            ("here", 30_000 + n + BYTES_HEADER, "object"),
            ("in_c", 40_000 + n, "malloc"),
        ):
            place = (str(source), source.lines[line])
            assert found[size, allocator, "allocation"][place] == 1, (line, n, found[size, allocator, "allocation"])


# --- a thread that has recorded nothing ---------------------------------------------------------------------


@pytest.mark.parametrize("name", OTHERS)
def test_a_thread_that_forks_first_of_all(program, leaving, tmp_path, name):
    source = program(
        """
        import ctypes, os
        library = ctypes.CDLL(os.environ["LEAVING"])
        for _ in range(20):
            assert library.fork_in_a_thread() == 0
        """
    )
    env = harness.environment(LEAVING=leaving)
    recording = harness.record([require(name).path, source], tmp_path / "run.heapline", env=env)
    assert_complete(recording)
    assert len(recording.summary["processes"]) == 21


# --- a stack that is gone -----------------------------------------------------------------------------------


def test_a_stack_that_is_gone(interpreter, program, compiled, tmp_path):
    """A coroutine's, out of which a handler has jumped: what stood on it cannot be looked at."""
    library = compiled("gone_stack.c", "libgonestack.so", "-shared", "-fPIC", "-fno-builtin")
    source = program("import ctypes, sys; ctypes.CDLL(sys.argv[1]).abandon_stacks(20)\n")
    recording = harness.record([interpreter.path, source, library], tmp_path / "run.heapline")
    assert_complete(recording)
    query = "SELECT count(*) AS times FROM events WHERE size = 1003 AND kind = 'allocation'"
    assert run([BUILD / "heapline", "sql", "--json", recording.file, query], check=0).json == [{"times": 200}]
