"""What changed between two runs, or between two moments of one."""

import csv
import io
import tracemalloc

import pytest
from harness import BUILD, BYTES_HEADER, assert_complete, run

pytestmark = pytest.mark.of_readers

OLD = """
    def load(count):
        return [bytes(10_000) for _ in range(count)]  #: load

    def twice():
        return bytes(20_000), bytes(1)
        return None

    kept = load(50)
    gone = bytes(300_000)  #: gone
    same = bytearray(1_000)
    first = bytes(400_000)
    second = bytes(500_000)
"""
NEW = """
    # Two lines more at the top:
    # nothing below is where it was.
    def load(count):
        return [bytes(10_000) for _ in range(count)]  #: load

    kept = load(80)
    same = bytearray(1_000)
    fresh = bytes(200_000)  #: fresh
"""


def diff(*arguments, check=0, **more):
    return run([BUILD / "heapline", "diff", *arguments], check=check, **more)


@pytest.fixture
def two_runs(program, record):
    """Two versions of one file, recorded one after the other."""

    def two_runs(interpreter):
        old = program(OLD)
        before = record(interpreter, old)
        new = program(NEW)
        after = record(interpreter, new)
        assert_complete(before), assert_complete(after)
        return old, new, before, after

    return two_runs


def rows_of(*arguments):
    report = diff("--json", "-n", "0", *arguments).json
    assert report["rows_omitted"] == 0
    return report


def test_lines_that_have_moved(interpreter, two_runs):
    old, new, before, after = two_runs(interpreter)
    rows = [r for r in rows_of("--at", "end", before.file, after.file)["rows"] if r["file"] == str(new)]

    # The list itself is of the same line, from another function in some versions.
    loads = [r for r in rows if r["line"] == new.lines["load"] and r["function"] != "<module>"]
    blocks = sum(r["blocks_change"] for r in loads)
    assert 30 <= blocks <= 31
    assert 30 * (10_000 + BYTES_HEADER) <= sum(r["bytes_change"] for r in loads) <= 30 * (10_000 + BYTES_HEADER) + 1000
    assert not any(r["bytes"] and r["line"] == old.lines["load"] for r in rows)
    # The module's dictionary may grow on any of its lines.
    (fresh,) = [r for r in rows if r["bytes"] > 200_000 and r["line"] == new.lines["fresh"]]
    assert 0 <= fresh["bytes_change"] - 200_000 - BYTES_HEADER < 1000
    (gone,) = [r for r in rows if r["bytes_change"] < -200_000 and r["line"] == old.lines["gone"]]
    assert 0 <= -gone["bytes_change"] - 300_000 - BYTES_HEADER < 1000


def test_changes_add_up(python, two_runs):
    _, _, before, after = two_runs(python)
    for by in ("line", "file", "function", "stack", "thread", "allocator", "size", "process"):
        report = rows_of("--by", by, before.file, after.file)
        rows, old, new = report["rows"], report["old"], report["new"]
        assert sum(r["bytes"] for r in rows) == new["bytes"] == after.totals["peak_bytes"], by
        assert sum(r["bytes_change"] for r in rows) == new["bytes"] - old["bytes"], by
        assert sum(r["blocks_change"] for r in rows) == new["blocks"] - old["blocks"], by
        changes = [(abs(r["bytes_change"]), r["bytes"]) for r in rows]
        assert changes == sorted(changes, reverse=True), by


def test_with_itself_nothing_has_changed(python, two_runs):
    _, _, before, _ = two_runs(python)
    for by in ("line", "stack"):
        assert all(
            r["bytes_change"] == r["blocks_change"] == 0
            for r in rows_of("--by", by, before.file, before.file)["rows"]
        )


def test_two_moments_of_one_run(python, program, record):
    source = program("big = bytes(1_000_000)  #: big\ndel big\nkept = bytes(300_000)  #: kept")
    recording = record(python, source)
    for arguments in (
        [recording.file, "--at", "peak", "end"],
        ["--at", "peak", "end", recording.file],
        ["--at=peak", "end", recording.file],
    ):
        report = rows_of(*arguments)
        rows = {r["line"]: r["bytes_change"] for r in report["rows"] if r["file"] == str(source)}
        assert rows[source.lines["big"]] == -1_000_000 - BYTES_HEADER
        # The module's dictionary may grow on that line.
        assert 0 <= rows[source.lines["kept"]] - 300_000 - BYTES_HEADER < 1000
        assert (report["old"]["at"], report["new"]["at"]) == ("peak", "end")
    assert rows_of("--at", "0%", "100%", recording.file)["old"]["bytes"] == 0


def test_as_tracemalloc_prints_it(python, two_runs):
    """Word for word what str() of a tracemalloc.StatisticDiff says of the same numbers."""
    _, new, before, after = two_runs(python)
    lines = diff(before.file, after.file, "-n", "0").out.splitlines()
    rows = rows_of(before.file, after.file)["rows"]
    assert len(lines) == len(rows) + 1
    frame = tracemalloc.Traceback(((str(new), 1),))
    for line, row in zip(lines, rows):
        expected = str(
            tracemalloc.StatisticDiff(
                frame, row["bytes"], row["bytes_change"], row["blocks"], row["blocks_change"]
            )
        )
        assert line.endswith(expected.split(": ", 1)[1]), (line, expected)
    assert lines[-1].startswith("total: size=")


def test_limit_and_csv(python, two_runs):
    _, _, before, after = two_runs(python)
    lines = diff(before.file, after.file, "-n", "3").out.splitlines()
    assert len(lines) == 5 and "more rows: size=" in lines[3]
    rows = list(csv.DictReader(io.StringIO(diff(before.file, after.file, "--csv", "-n", "3").out)))
    report = diff(before.file, after.file, "--json", "-n", "3").json
    assert [int(r["bytes_change"]) for r in rows] == [r["bytes_change"] for r in report["rows"]]
    assert report["rows_omitted"] > 0
    stacks = diff(before.file, after.file, "--by", "stack", "-n", "1").out.splitlines()
    assert stacks[0].startswith("size=") and stacks[1].startswith("  ")


def test_filters(python, two_runs):
    _, new, before, after = two_runs(python)
    rows = rows_of(before.file, after.file, "--include", new.path.name)["rows"]
    assert rows and all(r["file"] == str(new) for r in rows)


def test_wrong_usage(python, two_runs, tmp_path):
    _, _, before, after = two_runs(python)
    diff(check=2)
    diff(before.file, check=2)
    diff(before.file, "--at", "peak", check=2)
    diff(before.file, after.file, "--at", "peak", "end", check=2)
    diff(before.file, after.file, before.file, check=2)
    diff(before.file, after.file, "--by", "nothing", check=2)
    assert "none.heapline" in diff(before.file, tmp_path / "none.heapline", check=1).err
    assert "after the end" in diff(before.file, "--at", "0s", "1h", check=1).err
    assert diff("--help").out
