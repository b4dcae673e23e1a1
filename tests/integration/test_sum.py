"""The peak of several processes: the maximum over time of the sum of what they held.

The programs take turns through pipes. Before its turn ends each waits until the collector's clock has
moved, so that what one does after another has a later time, and all of this is exact."""

import os
import signal
import sqlite3

import harness
import pytest
from harness import BUILD, BYTES_HEADER, assert_complete, run

pytestmark = pytest.mark.few_interpreters

MEGABYTE = 1_000_000
# What an interpreter itself holds at most while these programs run, in bytes; a forked child's own
# is a small part of it. No block of the programs is smaller.
BASE = 8 * MEGABYTE

TURNS = """
    import os, signal, sys
    import collector_clock
    class Turn:
        def __init__(self): self.read, self.write = os.pipe()
        def give(self):
            collector_clock.wait()
            os.write(self.write, b"x")
        def take(self): assert os.read(self.read, 1) == b"x"
"""


def peak_of(recording, *options):
    return harness.report(recording.file, "-n", "0", *options)


def blocks_of(report, source):
    """What the marked lines hold in blocks as large as a megabyte: {name: megabytes}."""
    names = source.by_number
    return {
        names[row["line"]]: round(row["bytes"] / MEGABYTE)
        for row in report["rows"]
        if row["file"] == str(source) and row["line"] in names and row["bytes"] >= MEGABYTE
    }


def assert_peak(recording, source, expected, *options):
    """At the peak just these lines hold so many megabytes, and everything says the same."""
    report = peak_of(recording, *options)
    totals, view = report["totals"], report["view"]
    held = sum(expected.values()) * MEGABYTE
    assert held < totals["peak_bytes"] < held + BASE
    rows = harness.sum_of(report["rows"])
    assert (rows.bytes, rows.blocks) == (view["bytes"], view["blocks"])
    assert view["time"] == totals["peak_time"] and 0 < view["time"] < report["run"]["seconds"]
    own = [process["peak_bytes"] for process in report["processes"]]
    assert max(own) <= totals["peak_bytes"] <= sum(own)
    if view["exact"]:
        assert blocks_of(report, source) == expected
        assert view["bytes"] == totals["peak_bytes"]
    return report


@pytest.fixture(params=["history", "no-history"])
def options(request):
    return [] if request.param == "history" else ["--no-history"]


ONE_AFTER_THE_OTHER = (
    TURNS
    + """
    first, second = Turn(), Turn()
    held = bytes(64_000_000)  #: parent
    pid = os.fork()
    if pid == 0:
        first.take()
        own = bytes(48_000_000)  #: child
        second.give()
        os._exit(0)
    del held
    first.give()
    second.take()
    os.waitpid(pid, 0)
    """
)


def test_one_after_the_other(interpreter, program, record, options):
    source = program(ONE_AFTER_THE_OTHER)
    recording = record(interpreter, source, options=options)
    assert_complete(recording)
    report = assert_peak(recording, source, {"parent": 64})
    assert report["view"]["exact"] or options == ["--no-history"]  # the child is not at its own peak
    parent, child = report["processes"]
    assert 48 * MEGABYTE <= child["peak_bytes"] < 48 * MEGABYTE + BASE
    assert report["totals"]["peak_bytes"] - parent["peak_bytes"] < MEGABYTE


def test_the_other_way_round(python, program, record, options):
    """The child's is the larger one, and its process is read last where nothing orders them."""
    source = program(ONE_AFTER_THE_OTHER.replace("48_000_000", "80_000_000"))
    recording = record(python, source, options=options)
    report = assert_peak(recording, source, {"child": 80})
    # The parent's part is what it held then and not at its own peak.
    (parent, child) = peak_of(recording, "--by", "process")["rows"]
    if parent["pid"] == report["processes"][1]["pid"]:
        parent, child = child, parent
    assert child["bytes"] > 80 * MEGABYTE and (not options or report["view"]["exact"] is False)
    if not options:
        assert parent["bytes"] < BASE


OVERLAPPING = (
    TURNS
    + """
    turns = [Turn() for _ in range(6)]
    kept = bytes(10_000_000)  #: parent
    if os.fork() == 0:
        one = bytes(31_000_000)  #: one
        turns[0].give()
        turns[1].take()
        del one
        turns[2].give()
        os._exit(0)
    turns[0].take()
    if os.fork() == 0:
        two = bytes(22_000_000)  #: two
        turns[3].give()
        turns[4].take()
        more = bytes(29_000_000)  #: more
        turns[5].give()
        os._exit(0)
    turns[3].take()
    turns[1].give()
    turns[2].take()
    turns[4].give()
    turns[5].take()
    os.wait(), os.wait()
    """
)


def test_overlapping(interpreter, program, record, options):
    """10 + 31 + 22, then 10 + 22 + 29; each one's own together would be 92."""
    source = program(OVERLAPPING)
    recording = record(interpreter, source, options=options)
    assert_complete(recording)
    assert_peak(recording, source, {"parent": 10, "one": 31, "two": 22})


RELAY = (
    TURNS
    + """
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            held = bytes(40_000_000 + number * 1_000_000)  #: held
            collector_clock.wait()
            os.kill(os.getpid(), signal.SIGKILL) if number == 1 else os._exit(0)
        os.waitpid(pid, 0)
    last = bytes(41_000_000)  #: last
    """
)


def test_relay(interpreter, program, record, options):
    """Nobody frees: each holds its block until its process ends, and the next one waits for that."""
    source = program(RELAY)
    recording = record(interpreter, source, options=options)
    assert_complete(recording)
    report = assert_peak(recording, source, {"held": 42})
    # The one before has no part, the parent has.
    parts = {row["pid"]: row["bytes"] for row in peak_of(recording, "--by", "process")["rows"]}
    pids = [process["pid"] for process in report["processes"]]
    assert parts[pids[1]] == parts[pids[2]] == 0
    assert 0 < parts[pids[0]] < BASE and parts[pids[3]] > 42 * MEGABYTE


EXECUTES = """
    import os, sys
    import collector_clock
    held = bytes(50_000_000)  #: before
    collector_clock.wait()
    os.execv(sys.executable, [sys.executable, sys.argv[1]])
"""


def test_another_program_in_its_place(python, program, record, options):
    after = program("import os\nheld = bytes(30_000_000)  #: after\n", "after.py")
    source = program(EXECUTES)
    recording = record(python, source, after, options=options)
    assert len(peak_of(recording)["processes"]) == 2
    report = assert_peak(recording, source, {"before": 50})
    pid = report["processes"][0]["pid"]
    assert peak_of(recording, "--pid", pid)["totals"] == report["totals"]
    assert_peak(recording, source, {"before": 50}, "--pid", pid)


BACKLOG = (
    TURNS
    + """
    turn = Turn()
    if os.fork() == 0:
        turn.take()
        own = bytes(48_000_000)  #: child
        os._exit(0)
    held = bytes(64_000_000)  #: parent
    collector_clock.wait()
    for number in range(150_000):
        float(number)
    del held
    os.write(turn.write, b"x")
    os.wait()
    """
)


def test_a_backlog(interpreter, program, record, options):
    """The child allocates while most of what the parent did before is still to be read."""
    source = program(BACKLOG)
    recording = record(interpreter, source, options=options)
    assert_complete(recording)
    assert_peak(recording, source, {"parent": 64})


LATE = (
    TURNS
    + """
    turn = Turn()
    pid = os.fork()
    if pid == 0:
        held = bytes(64_000_000)  #: child
        while open(f"/proc/{os.getppid()}/stat").read().rpartition(")")[2].split()[0] != "S":
            os.sched_yield()  # until the parent waits
        collector_clock.wait()
        os.write(1, b"ready\\n")
        os.read(0, 1)
        del held
        os.write(turn.write, b"x")
        os._exit(0)
    turn.take()
    own = bytes(48_000_000)  #: parent
    os.write(1, b"done\\n")
    os.waitpid(pid, 0)
    """
)


def test_a_collector_that_comes_late(python, program, tmp_path, options):
    """It is stopped while they take turns: the times alone tell it what came first. The process that is
    first in its list is the one that comes second."""
    source, file = program(LATE), tmp_path / "run.heapline"
    process = harness.start(harness.heapline_run([python.path, source], file, options), cwd=tmp_path)
    assert process.stdout.readline() == "ready\n"
    collector = harness.collector_of(process.pid)
    os.kill(collector, signal.SIGSTOP)
    process.stdin.write("x")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"
    os.kill(collector, signal.SIGCONT)
    process.communicate(timeout=harness.TIME_LIMIT)
    assert process.returncode == 0
    recording = harness.Recording(file)
    assert_complete(recording)
    assert_peak(recording, source, {"child": 64})
    run([BUILD / "heapline", "check", "--verify", file], check=0)


SEVERAL = (
    TURNS
    + """
    turns = [Turn() for _ in range(8)]
    pids = []
    for number in range(4):
        pids.append(os.fork())
        if pids[-1] == 0:
            turns[number].take()
            held = bytes(20_000_000 + number * 1_000_000)  #: held
            turns[4 + number].give()
            if number % 2:
                turns[number].take()
            os._exit(0)
    for number in range(4):
        turns[number].give()
        turns[4 + number].take()
        if number % 2 == 0:
            os.waitpid(pids[number], 0)
    for number in (1, 3):
        turns[number].give()
    for pid in pids[1::2]:
        os.waitpid(pid, 0)
    print(*pids)
    """
)


def test_some_of_the_processes(python, program, record):
    """What the collector has not followed is found in the histories."""
    source = program(SEVERAL)
    recording = record(python, source)
    assert_complete(recording)
    zero, one, two, three = recording.out.split()
    assert_peak(recording, source, {"held": 21 + 23})
    for pids, expected in (
        ((zero, one, two), 21 + 22),
        ((zero, two), 22),
        ((one, three), 21 + 23),
        ((zero, three), 23),
        ((two, three, two), 23),
    ):
        words = [word for pid in pids for word in ("--pid", pid)]
        assert_peak(recording, source, {"held": expected}, *words)
    # Without history it is not known, and that is said.
    recording = record(python, source, options=["--no-history"])
    zero, one, two, three = recording.out.split()
    assert_peak(recording, source, {"held": 21 + 23})
    totals = peak_of(recording, "--pid", zero, "--pid", two)["totals"]
    assert 42 * MEGABYTE < totals["peak_bytes"] < 43 * MEGABYTE and totals["peak_time"] is None
    assert_own_peaks_are_told(recording, "--pid", zero, "--pid", two)


def assert_own_peaks_are_told(recording, *options):
    text = run([BUILD / "heapline", "report", *options, recording.file], check=0).out
    assert "each one's own peak, added up: that of the sum is not known" in " ".join(text.split())


def test_every_view_says_the_same(python, program, record):
    source = program(OVERLAPPING)
    recording = record(python, source)
    report = peak_of(recording)
    peak, time = report["totals"]["peak_bytes"], report["totals"]["peak_time"]
    for by in ("file", "function", "stack", "module", "package", "thread", "allocator", "size", "process"):
        other = peak_of(recording, "--by", by)
        assert other["totals"] == report["totals"]
        assert harness.sum_of(other["rows"]).bytes == peak == other["view"]["bytes"]
    assert peak_of(recording, "--cumulative")["view"]["bytes"] == peak
    parts = peak_of(recording, "--by", "process")["rows"]
    for part in parts:
        alone = peak_of(recording, "--pid", part["pid"])
        own = alone["processes"][0]["peak_bytes"]
        assert alone["totals"]["peak_bytes"] == alone["view"]["bytes"] == own >= part["bytes"]
    assert run([BUILD / "heapline", "tree", "--json", "--at", "peak", recording.file], check=0).json["bytes"] == peak
    told = run([BUILD / "heapline", "timeline", "--json", recording.file], check=0).json
    assert (told["peak_bytes"], told["peak_time"]) == (peak, time)
    assert max(sample["most_bytes"] for sample in told["sum"]) <= peak
    drawn = run([BUILD / "heapline", "timeline", recording.file], check=0).out.splitlines()
    assert "3 processes, added up, ▲ peak: " in drawn[-2] and sum("▲" in line for line in drawn) == 2
    printed = run([BUILD / "heapline", "report", "--at", "peak", recording.file], check=0).out.splitlines()
    (size,) = [line.split()[2:4] for line in printed if line.startswith("  asked for ")]  # nobody has touched it
    assert printed[1] == "3 processes, added up" and size == printed[-1].split()[:2]
    assert " ".join(size) in drawn[-1]
    summary = harness.record([python.path, source], recording.file.with_name("summary.heapline")).err
    assert "(3 processes)" in summary and "peak " in summary
    # A span to the peak: what is kept until then and began in it is all that is held.
    span = peak_of(recording, "--between", "0s", "peak")["view"]
    assert span["bytes"] == peak and span["freed_bytes"] == 0 and span["time"] == time
    span = peak_of(recording, "--between", "peak", "exit")
    leaked = span["totals"]["leaked_bytes"]
    assert span["view"]["net_bytes"] == leaked - peak
    assert run([BUILD / "heapline", "report", "--between", "exit", "peak", recording.file]).status == 1


def test_what_a_child_inherits_is_beside_it(python, program, record):
    source = program(ONE_AFTER_THE_OTHER.replace("48_000_000", "80_000_000"))
    recording = record(python, source)
    report = assert_peak(recording, source, {"child": 80})
    both = peak_of(recording, "--inherited")
    assert both["totals"] == report["totals"]
    # The child still has what its parent has freed meanwhile.
    assert blocks_of(both, source) == {"child": 80, "parent": 64}
    assert harness.sum_of(both["rows"]).bytes == both["view"]["bytes"]


def changed(recording, *statements):
    with sqlite3.connect(recording.file) as database:
        for statement in statements:
            database.execute(statement)
    database.close()
    return recording


OLDER = ("DROP TABLE run_peak", "DROP TABLE run_peak_process")


def test_recordings_of_older_versions(python, program, record, options):
    """They do not say what the peak of the sum was; where there is a history, that does."""
    source = program(OVERLAPPING)
    recording = record(python, source, options=options)
    before = peak_of(recording)
    after = peak_of(changed(recording, *OLDER))
    if not options:
        assert after["rows"] == before["rows"] and after["processes"] == before["processes"]
        assert after["totals"].pop("peak_time") == pytest.approx(before["totals"].pop("peak_time"), abs=2e-6)
        assert after["totals"] == before["totals"]
    else:
        own = sum(process["peak_bytes"] for process in before["processes"])
        assert after["totals"]["peak_bytes"] == after["view"]["bytes"] == own
        assert after["totals"]["peak_time"] is None
        assert_own_peaks_are_told(recording)
    run([BUILD / "heapline", "check", "--verify", recording.file], check=0)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE run_peak SET bytes = bytes - 1",
        "DELETE FROM run_peak",
        "DELETE FROM run_peak_process WHERE process = 2",
        "UPDATE run_peak_process SET events = events + (1 << 40)",
        "UPDATE run_peak_process SET bytes = -5",
        "UPDATE run_peak_process SET events = 0 WHERE process = 1",
    ],
)
def test_nonsense_is_refused(python, program, record, change):
    recording = changed(record(python, program(OVERLAPPING)), change)
    ran = run([BUILD / "heapline", "report", "--json", "--at", "peak", recording.file])
    assert (ran.status, ran.out) == (1, "") and "damaged" in ran.err


def test_verifying(python, program, record):
    """The parts still add up, but no history says so."""
    recording = record(python, program(OVERLAPPING))
    changed(
        recording,
        "UPDATE run_peak_process SET bytes = bytes - 7",
        "UPDATE run_peak SET bytes = (SELECT sum(bytes) FROM run_peak_process)",
    )
    ran = run([BUILD / "heapline", "check", "--verify", recording.file])
    assert ran.status in (1, 2) and ("peak of the run" in ran.err)


def test_a_child_that_is_waited_for(interpreter, program, record):
    """The collector's clock need not have moved: the parent lets go of its memory after the child."""
    source = program(
        """
        import os
        kept = bytes(20_000_000)  #: parent
        pid = os.fork()
        if pid == 0:
            own = bytes(30_000_000)  #: child
            os._exit(0)
        os.waitpid(pid, 0)
        del kept
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    assert_peak(recording, source, {"parent": 20, "child": 30})
