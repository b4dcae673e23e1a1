"""Memory over time where no history is kept: to the slice of time, and net."""

import contextlib
import sqlite3
import time

import harness
import pytest
from harness import BUILD, run

# Grows by one block every few milliseconds until its input ends; another line always holds one.
SOURCE = """
    import select, sys
    leaked, latest, number = [None] * 100_000, None, 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0.005)[0]:
        leaked[number] = bytes(100_000)  #: leaked
        number += 1
        latest = bytes(50_000)  #: replaced
"""
LEAKED, REPLACED = 100_000 + harness.BYTES_HEADER, 50_000 + harness.BYTES_HEADER


def slices_of(file):
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        return database.execute("SELECT DISTINCT event, time FROM slice_chunk ORDER BY event").fetchall()


@pytest.fixture
def sliced(python, program, tmp_path):
    """The program, and its recording with ten slices and more, of which its start, however long that
    took, is a small part."""
    source, file = program(SOURCE), tmp_path / "run.heapline"
    command = harness.heapline_run([python.path, source], file, ["--no-history"])
    began = time.monotonic()
    process = harness.start(command, cwd=tmp_path)
    assert process.stdout.readline() == "ready\n"
    start_up = time.monotonic() - began
    deadline = time.monotonic() + harness.TIME_LIMIT
    while True:
        with contextlib.suppress(sqlite3.OperationalError):  # not there yet
            slices = slices_of(file)
            if len(slices) > 10 and slices[-1][1] > 5 * start_up:
                break
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.communicate("\n", timeout=harness.TIME_LIMIT)
    assert process.returncode == 0
    return source, file


def line(report, source, name):
    rows = [r for r in report["rows"] if r["file"] == str(source) and r["line"] == source.lines[name]]
    return rows[0] if rows else None


def test_every_slice(sliced):
    source, file = sliced
    held, before = [], None
    for _, moment in slices_of(file):
        report = harness.report(file, "--at", f"{moment + 1e-6:.6f}s", "-n", "0")
        view = report["view"]
        assert view["time"] == pytest.approx(moment) and view["exact"] is False
        assert sum(r["bytes"] for r in report["rows"]) == view["bytes"]
        leaked = line(report, source, "leaked") or {"blocks": 0, "bytes": 0}
        held.append(leaked["blocks"])
        assert leaked["bytes"] == leaked["blocks"] * LEAKED
        replaced = line(report, source, "replaced") or {"blocks": 0, "bytes": 0}
        assert replaced["blocks"] in (0, 1, 2) and replaced["bytes"] == replaced["blocks"] * REPLACED
        if before:
            words = [f"{t + 1e-6:.6f}s" for t in (before["time"], moment)]
            span = harness.report(file, "--between", *words)["view"]
            assert span["net_bytes"] == view["bytes"] - before["bytes"]
            assert span["exact"] is False
        before = view
    assert held == sorted(held) or held[-1] == 0  # teardown frees it
    assert len(set(held)) > 5
    assert line(harness.report(file, "-n", "0"), source, "leaked")["blocks"] >= max(held)


def test_named_moments_are_exact(sliced):
    source, file = sliced
    for at in ("peak", "end", "exit"):
        assert harness.report(file, "--at", at)["view"]["exact"] is True
    span = harness.report(file, "--between", "0s", "end", "-n", "0")
    end = harness.report(file, "--at", "end", "-n", "0")
    assert span["view"]["bytes"] == end["view"]["bytes"] and span["view"]["freed_bytes"] == 0
    leaked = line(span, source, "leaked")
    assert leaked == line(end, source, "leaked") | {"freed_bytes": 0, "freed_blocks": 0, "net_bytes": leaked["bytes"]}
    assert leaked["allocated_bytes"] == leaked["allocations"] * LEAKED == leaked["bytes"]
    assert run([BUILD / "heapline", "check", "--verify", file], check=0).out.endswith(
        "its slices of time agree with the sums\n"
    )


def test_views(sliced):
    source, file = sliced
    text = run([BUILD / "heapline", "report", "--at", "50%", file], check=0).out
    assert "Recorded with --no-history: as of the slice of time that ended after" in text
    text = " ".join(run([BUILD / "heapline", "report", "--between", "10%", "90%", file], check=0).out.split())
    assert "and net: what a line freed and allocated again is not seen" in text
    for command in (["tree", "--at", "50%"], ["lines", "--at", "50%"], ["diff", "--at", "20%", "80%"]):
        assert str(source.path.name) in run([BUILD / "heapline", *command, file], check=0).out
    rows = run([BUILD / "heapline", "report", "--growing", "--json", file], check=0).json["rows"]
    assert [r["line"] for r in rows if r["file"] == str(source)] == [source.lines["leaked"]]


def test_damage(sliced):
    _, file = sliced
    for change in ("data = x''", "count = count + 1", "count = -1", "data = zeroblob(50)"):
        with contextlib.closing(sqlite3.connect(file)) as database, database:
            database.execute(f"UPDATE slice_chunk SET {change} WHERE event = (SELECT min(event) FROM slice_chunk)")
        ran = run([BUILD / "heapline", "report", "--at", "90%", file], check=1)
        assert ran.out == "" and "damaged" in ran.err
