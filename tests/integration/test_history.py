"""Every event of a run, in order, and what was held at any moment."""

import collections
import csv
import io
import json
import math
import os
import signal
import sqlite3

import harness
import pytest
from harness import BUILD, Program, assert_complete, run

pytestmark = pytest.mark.few_interpreters

MOMENTS = 50

EVENTS = """
    SELECT e.sequence, e.time, e.kind, e.block, e.size, e.lifetime, s.line
    FROM events AS e JOIN stacks AS s ON s.stack = e.stack
    WHERE e.allocator = 'malloc' AND s.file = '{file}' ORDER BY e.sequence
"""


def sql(file, query, *options, check=0):
    return run([BUILD / "heapline", "sql", *options, file, query], check=check)


def rows_of(file, query):
    return sql(file, query, "--json").json


def refused(recording, *options, status=1):
    ran = run([BUILD / "heapline", "report", *options, recording.file], check=status)
    assert ran.out == "" and ran.err.startswith("heapline report: ")
    return ran.err


class Held:
    """What each line holds while events are played."""

    def __init__(self):
        self.lines = collections.Counter()

    def play(self, event):
        sign = -1 if event["kind"] == "free" else 1
        self.lines[event["line"]] += sign * event["size"]

    @property
    def now(self):
        return {line: size for line, size in self.lines.items() if size}


@pytest.fixture
def timeline(record):
    """timeline(interpreter, seed): a recording of timeline.py, and its events by its lines."""

    def timeline(interpreter, seed):
        program = Program.named("timeline.py")
        recording = record(interpreter, program, seed)
        assert_complete(recording)
        events = rows_of(recording.file, EVENTS.format(file=program))
        return program, recording, [e for e in events if e["line"] in program.by_number]

    return timeline


@pytest.mark.parametrize("seed", [1, 2])
def test_every_event_in_order(interpreter, seed, timeline):
    program, recording, events = timeline(interpreter, seed)
    seen = [[e["kind"], program.by_number[e["line"]], e["size"]] for e in events]
    assert seen == recording.json
    born = {}
    for event in events:
        if event["kind"] == "allocation":
            assert event["block"] not in born and event["lifetime"] is None
            born[event["block"]] = event
        elif event["kind"] == "free":
            first = born[event["block"]]
            assert (first["size"], first["line"]) == (event["size"], event["line"])
            assert event["lifetime"] == pytest.approx(event["time"] - first["time"], abs=2e-6)
    sequences = [e["sequence"] for e in events]
    times = [e["time"] for e in events]
    assert sequences == sorted(set(sequences)) and times == sorted(times)


@pytest.mark.parametrize("seed", [3, 4])
def test_fifty_moments(interpreter, seed, timeline):
    """What each line holds at a time is what its events up to then leave."""
    program, recording, events = timeline(interpreter, seed)
    length = recording.summary["run"]["seconds"]
    held, left = Held(), list(events)
    for number in range(MOMENTS + 1):
        at = f"{number * length / MOMENTS:.6f}s"
        while left and left[0]["time"] <= float(at[:-1]):
            held.play(left.pop(0))
        lines = recording.per_line(program, at, ["malloc"])
        seen = {line: sums.bytes for line, sums in lines.items() if line in program.by_number}
        assert seen == held.now, at
    assert not left


@pytest.mark.parametrize("seed", [5, 6])
def test_between_two_moments(python, seed, timeline):
    program, recording, events = timeline(python, seed)
    length = recording.summary["run"]["seconds"]
    times = [round(number * length / 7, 6) for number in range(8)]  # as the options say them
    for first, second in [(a, b) for a in times for b in times if a <= b]:
        live, fresh, kept, allocated, freed = {}, {}, Held(), Held(), Held()
        for event in events:
            if event["time"] > second:
                break
            block, line, size = event["block"], event["line"], event["size"]
            inside = event["time"] > first
            if event["kind"] == "allocation":
                fresh[block] = inside
                allocated.lines[line] += inside * size
            if event["kind"] == "free":
                del live[block]
            else:
                live[block] = event
            if inside and not fresh[block]:
                freed.lines[line] += size if event["kind"] == "free" else -size
        for block, event in live.items():
            kept.lines[event["line"]] += fresh[block] * event["size"]
        options = ["--between", f"{first:.6f}s", f"{second:.6f}s", "--allocator", "malloc", "-n", "0"]
        rows = [
            row
            for row in harness.report(recording.file, *options)["rows"]
            if row["file"] == str(program) and row["line"] in program.by_number
        ]
        assert {r["line"]: r["bytes"] for r in rows if r["bytes"]} == kept.now
        assert {r["line"]: r["freed_bytes"] for r in rows if r["freed_bytes"]} == freed.now
        assert {r["line"]: r["allocated_bytes"] for r in rows if r["allocated_bytes"]} == allocated.now
        assert all(r["net_bytes"] == r["bytes"] - r["freed_bytes"] for r in rows)


def test_named_moments_between(python, timeline):
    _, recording, _ = timeline(python, 7)
    totals = recording.totals
    view = harness.report(recording.file, "--between", "0s", "exit")["view"]
    assert (view["bytes"], view["freed_bytes"]) == (totals["leaked_bytes"], 0)
    assert (view["from"], view["to"], view["at"]) == ("0s", "exit", None)
    view = harness.report(recording.file, "--between", "end", "exit")["view"]
    assert view["net_bytes"] == totals["leaked_bytes"] - totals["end_bytes"]
    text = run([BUILD / "heapline", "report", "--between", "peak", "end", recording.file], check=0).out
    assert "Between the peak and the end of the program, by line" in text
    assert "net" in text and "freed" in text


def test_many_chunks_and_checkpoints(python, program, record):
    """Millions of events: moments far from each other are rebuilt from checkpoints."""
    source = program(
        """
        kept = []
        for number in range(2000):
            kept.append(bytes(1000))  #: kept
            [object() for _ in range(1000)]
        """
    )
    recording = record(python, source)
    assert_complete(recording)
    events = recording.sql("SELECT events FROM process")[0][0]
    assert events > 4_000_000
    assert recording.sql("SELECT count(DISTINCT event) FROM checkpoint_chunk")[0][0] >= 1
    chunks = recording.sql("SELECT first_event, started_us FROM history_chunk ORDER BY 1")
    for first, started in chunks[:: len(chunks) // 8]:
        at = (started - 1) / 1e6
        if at <= 0:
            continue
        counted = rows_of(
            recording.file,
            f"""SELECT coalesce(sum(CASE kind WHEN 'free' THEN -size ELSE size END), 0) AS bytes
            FROM events WHERE time <= {at:.6f}""",
        )
        assert harness.report(recording.file, "--at", f"{at:.6f}s")["view"]["bytes"] == counted[0]["bytes"]


def test_bounds_change_nothing_but_the_work(python, timeline):
    """A condition gives the same rows when the table may use it and when it cannot."""
    _, recording, events = timeline(python, 8)
    some = events[len(events) // 2]
    (stack,) = rows_of(recording.file, f"SELECT stack FROM events WHERE sequence = {some['sequence']}")
    conditions = [
        f"sequence = {some['sequence']}",
        f"sequence >= {some['sequence']} AND sequence < {some['sequence'] + 100}",
        f"time = {some['time']!r}",
        f"time > {some['time']!r}",
        f"time BETWEEN 0 AND {some['time']!r}",
        f"stack = {stack['stack']}",
        "process = 1",
        "process = 2",
        "stack = -1",
        "sequence < 0",
        f"time > {some['time']!r} AND stack = {stack['stack']} AND kind = 'free'",
    ]
    for condition in conditions:
        plain = condition
        for column in ("sequence", "time", "stack", "process"):
            plain = plain.replace(column, "+" + column)
        query = "SELECT count(*), sum(sequence), sum(size) FROM events WHERE "
        assert rows_of(recording.file, query + condition) == rows_of(recording.file, query + plain), condition


def test_temporary(interpreter, timeline):
    """By the definition, played by hand over every event of the process."""
    program, recording, _ = timeline(interpreter, 9)
    every = rows_of(
        recording.file,
        """SELECT e.kind, e.block, e.size, e.thread, e.allocator, s.file, s.line
        FROM events AS e LEFT JOIN stacks AS s ON s.stack = e.stack ORDER BY e.sequence""",
    )
    for n in (1, 2, 3, 10):
        latest, expected = collections.defaultdict(list), collections.Counter()
        for event in every:
            blocks = latest[event["thread"]]
            if event["kind"] == "allocation":
                blocks.append(event["block"])
                del blocks[:-n]
            elif event["block"] in blocks and (event["file"], event["allocator"]) == (str(program), "malloc"):
                expected[event["line"]] += event["size"] if event["kind"] == "free" else -event["size"]
        option = "--temporary" if n == 1 else f"--temporary={n}"
        report = harness.report(recording.file, option, "--allocator", "malloc", "-n", "0")
        rows = [r for r in report["rows"] if r["file"] == str(program) and r["bytes"]]
        assert {r["line"]: r["bytes"] for r in rows} == {line: size for line, size in expected.items() if size}, n
        assert report["view"]["temporary"] == n and report["view"]["at"] is None


def test_temporary_and_kept_lines(interpreter, program, record):
    source = program(
        """
        kept = []
        for number in range(1000):
            bytes(5000 + number)  #: thrown
            kept.append(bytes(5000 + number))  #: kept
        """
    )
    recording = record(interpreter, source)
    report = harness.report(recording.file, "--temporary", "--include", source.path.name, "-n", "0")
    rows = {r["line"]: r for r in report["rows"]}
    total = sum(5000 + number + harness.BYTES_HEADER for number in range(1000))
    assert total <= rows[source.lines["thrown"]]["bytes"] < total + 100_000
    assert rows[source.lines["kept"]]["bytes"] < 100_000
    text = run([BUILD / "heapline", "report", "--temporary=5", recording.file], check=0).out
    assert "Freed before the thread's 5 next allocations, by line" in text
    for option in ("--temporary=0", "--temporary=x", "--temporary=1001"):
        refused(recording, option, status=2)
    refused(recording, "--temporary", "--at", "end", status=2)


def test_without_history(interpreter, program, record):
    source = program("kept = [bytes(100_000) for _ in range(100)]  #: kept")
    with_it = record(interpreter, source)
    without = record(interpreter, source, options=["--no-history"])
    assert_complete(without)
    for at in ("peak", "end", "exit"):
        assert without.line(source, "kept", at) == with_it.line(source, "kept", at)
    assert without.sql("SELECT count(*) FROM history_chunk") == [(0,)]
    assert rows_of(without.file, "SELECT count(*) AS n FROM events") == [{"n": 0}]
    assert "--no-history" in refused(without, "--temporary=2")
    assert harness.report(without.file, "--temporary")["view"] == harness.report(without.file, "--temporary=1")["view"]
    assert without.file.stat().st_size <= with_it.file.stat().st_size


def test_moments_that_are_none(python, program, record):
    recording = record(python, program("pass"))
    assert "after the end of the run" in refused(recording, "--at", "1000s")
    assert "after the end of the run" in refused(recording, "--between", "0s", "3h")
    assert "earlier one first" in refused(recording, "--between", "90%", "10%")
    for word in ("-1s", "1x", "101%", "", "nan", "0x10", "soon", "1e3", "1.2.3s"):
        assert "is no moment" in refused(recording, "--at", word, status=2)
    refused(recording, "--between", "1s", status=2)
    refused(recording, "--at", "end", "--between", "0s", "1ms", status=2)


def test_shares_and_units(python, program, record):
    recording = record(python, program("import time; time.sleep(0.05)"))
    length = recording.summary["run"]["seconds"]
    for word, seconds in [("50%", length / 2), ("20ms", 0.02), ("0.02", 0.02), ("100%", length), ("0min", 0)]:
        view = harness.report(recording.file, "--at", word)["view"]
        assert view["time"] == pytest.approx(seconds, abs=1e-9)
        assert view["at"] == word


def test_a_killed_collector_leaves_history_and_sums_that_agree(python, program, tmp_path):
    source = program(
        """
        import os
        print(os.getpid(), flush=True)
        while True:
            [object() for _ in range(1000)]
        """
    )
    file = tmp_path / "run.heapline"
    process = harness.start(harness.heapline_run([python.path, source], file), cwd=tmp_path)
    pid = int(process.stdout.readline())
    collector = harness.collector_of(process.pid)
    # Wait until some history is in the file.
    while True:
        try:
            with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
                if database.execute("SELECT count(*) FROM history_chunk").fetchone()[0] > 20:
                    break
        except sqlite3.OperationalError:
            pass
    os.kill(collector, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=harness.TIME_LIMIT)
    checked = run([BUILD / "heapline", "check", "--verify", file])
    assert checked.status == 0, checked
    report = harness.report(file)
    assert report["run"]["complete"] is False
    assert harness.report(file, "--at", "100%")["view"]["bytes"] == report["totals"]["leaked_bytes"]


# --- heapline sql, heapline check -----------------------------------------------------------------


def test_sql_prints_rows(python, program, record):
    recording = record(python, program("kept = bytes(123_456)"))
    query = "SELECT 1 AS one, 'a,\"b\"' AS text, NULL AS absent, 2.5 AS half, x'00ff' AS blob"
    assert rows_of(recording.file, query) == [
        {"one": 1, "text": 'a,"b"', "absent": None, "half": 2.5, "blob": "(2 bytes)"}
    ]
    values = list(csv.reader(io.StringIO(sql(recording.file, query, "--csv").out)))
    assert values == [["one", "text", "absent", "half", "blob"], ["1", 'a,"b"', "", "2.5", "(2 bytes)"]]
    text = sql(recording.file, "SELECT pid, peak_bytes FROM processes").out.splitlines()
    assert text[0].split() == ["pid", "peak_bytes"] and len(text) == 2
    assert rows_of(recording.file, "SELECT 1 AS a WHERE 0") == []
    assert sql(recording.file, "SELECT 1 AS a; SELECT 2 AS b").out.split() == ["a", "1", "b", "2"]


LOADED = """
    import sqlite3, sys
    database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    database.enable_load_extension(True)
    database.load_extension(sys.argv[2])
    print(*database.execute("SELECT count(*), sum(size) FROM events").fetchone())
    print(database.execute("SELECT count(*) FROM stacks").fetchone()[0])
    try:
        database.execute("UPDATE events SET size = 1")
    except sqlite3.OperationalError:
        print("read-only")
"""


def test_the_extension_in_other_programs(python, program, record):
    """Python's own sqlite3 module sees the same rows as heapline sql."""
    recording = record(python, program("kept = [bytes(n) for n in range(1000)]"))
    script = program(LOADED, "load.py")
    ran = run([python.path, script, recording.file, BUILD / "heapline_events.so"], check=0)
    (counts,) = rows_of(recording.file, "SELECT count(*) AS n, sum(size) AS size FROM events")
    (stacks,) = rows_of(recording.file, "SELECT count(*) AS n FROM stacks")
    assert ran.out.split() == [str(counts["n"]), str(counts["size"]), str(stacks["n"]), "read-only"]


def test_sql_changes_nothing(python, program, record):
    recording = record(python, program("pass"))
    before = recording.file.read_bytes()
    for query in ("DELETE FROM process", "CREATE TABLE t (a)", "PRAGMA user_version = 9", "SELEKT 1"):
        assert sql(recording.file, query, check=1).err.startswith("heapline sql: ")
        assert recording.file.read_bytes() == before


def test_sql_wrong_usage(python, program, record, tmp_path):
    recording = record(python, program("pass"))
    assert run([BUILD / "heapline", "sql"], check=2).err
    assert run([BUILD / "heapline", "sql", recording.file, "SELECT 1", "SELECT 2"], check=2).err
    assert run([BUILD / "heapline", "sql", tmp_path / "none.heapline", "SELECT 1"], check=1).err
    newest = run([BUILD / "heapline", "sql", "--json", "SELECT 1 AS one"], cwd=tmp_path, check=0)
    assert json.loads(newest.out) == [{"one": 1}] and "run.heapline" in newest.err


CHANGES = {
    "UPDATE process SET end_events = end_events - 1": 1,
    "UPDATE process SET events = events + 1": 2,
    "DELETE FROM history_chunk": 2,
    "UPDATE history_chunk SET first_block = first_block + 1": 2,
    "UPDATE history_chunk SET summary = x''": 2,
    "UPDATE history_chunk SET data = zeroblob(100)": 2,
    "UPDATE history_chunk SET data = summary": 2,
    "UPDATE history_chunk SET events = events + 1": 2,
    "UPDATE history_chunk SET events = 1 << 40": 2,
    "UPDATE history_chunk SET first_event = first_event + 1": 2,
    "UPDATE history_chunk SET started_us = -1": 2,
}


@pytest.mark.parametrize("change", CHANGES)
def test_check_notices(python, program, record, change):
    """The history and the sums disagree, or one cannot be read; reports of moments never crash."""
    source = program("kept = [bytes(n) for n in range(1000)]")
    recording = record(python, source)
    assert "agree" in run([BUILD / "heapline", "check", "--verify", recording.file], check=0).out
    with sqlite3.connect(recording.file) as database:
        database.execute(change)
    database.close()
    checked = run([BUILD / "heapline", "check", "--verify", recording.file])
    assert checked.status == CHANGES[change], checked
    assert str(recording.file) in checked.err
    for options in (["--at", "50%"], ["--between", "10%", "exit"]):
        ran = run([BUILD / "heapline", "report", *options, recording.file])
        assert ran.status in (0, 1), ran
    assert sql(recording.file, "SELECT max(lifetime) FROM events", check=None).status in (0, 1)


def test_check_wrong_usage(tmp_path):
    assert run([BUILD / "heapline", "check"], check=2).err
    assert run([BUILD / "heapline", "check", "--verify"], cwd=tmp_path, check=2).err
    assert run([BUILD / "heapline", "check", "--verify", "a", "b"], check=2).err
    assert run([BUILD / "heapline", "check", "--help"], check=0).out


# --- a run that never ends ------------------------------------------------------------------------


@pytest.mark.parametrize("history", ["history", "no-history"])
def test_a_long_run_is_bounded(tmp_path, history):
    """A minute, whose events come as fast as they are decoded: what does not depend on the number
    of events must not grow with it."""
    file = tmp_path / "run.heapline"
    ran = run([BUILD / "tests" / "long_run", 6_000_000, 60, history, file], check=0)
    tenths = [json.loads(line) for line in ran.out.splitlines()]
    before, last = tenths[7], tenths[9]  # by then most of its stacks have been seen
    assert last["events"] == 6_000_000 and len(tenths) == 10
    # A chunk on its way, and the allocator's own play; by events it would be fifty times as much.
    assert last["resident"] <= before["resident"] + (2 << 20)
    # What is not history is replaced, except for samples, of which there are more up to a number.
    rest = [tenth["file"] - tenth["history"] for tenth in (before, last)]
    assert rest[1] <= rest[0] * 1.1
    if history == "no-history":  # 64 slices of 20 ms, then 64 of 40 ms, and so on
        with sqlite3.connect(file) as database:
            ((slices,),) = database.execute("SELECT count(DISTINCT event) FROM slice_chunk")
        assert slices <= 64 * (1 + math.log2(60 / (64 * 0.02) + 1)) + 1  # and the last one
    run([BUILD / "heapline", "check", "--verify", file], check=0)
    (line,) = harness.report(file, "--at", "50%", "-n", "1")["rows"]
    assert line["file"].startswith("/made/module")
