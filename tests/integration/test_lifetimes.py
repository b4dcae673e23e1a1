"""How long blocks live, how often they come, what is kept of them."""

import csv
import io

import pytest
from harness import BUILD, assert_complete, run

pytestmark = pytest.mark.of_readers

# Sizes beyond pymalloc's and bytes objects' free lists: each is one block of malloc's or object's
# domain. The clock of a recording moves every millisecond; the pauses are far longer.
SOURCE = """
    import time
    once = bytes(1_000_000)  #: once
    long = bytes(8_000)  #: long
    time.sleep(0.12)
    del long
    leaked = []
    window = [None] * 50
    for number in range(150):
        bytes(5_000)  #: at-once
        window[number % 50] = bytes(6_000)  #: window
        leaked.append(bytes(7_000))  #: leaked
        time.sleep(0.003)
"""


def lifetimes(file, *options, check=0):
    return run([BUILD / "heapline", "report", "--lifetimes", *options, file], check=check)


def rows_by_name(report, source):
    names = {line: name for name, line in source.lines.items()}
    return {names[r["line"]]: r for r in report["rows"] if r["file"] == str(source) and r["line"] in names}


def test_exact(interpreter, program, record):
    source = program(SOURCE)
    recording = record(interpreter, source)
    assert_complete(recording)
    report = lifetimes(recording.file, "--json", "-n", "0", "--allocator", "object").json
    assert report["lived_allocations_up_to"] == [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, None]
    assert report["lived_seconds_below"][:7] == pytest.approx([0.001, 0.01, 0.1, 1, 10, 100, 1000])
    assert report["lived_seconds_below"][7:] == [None]
    rows = rows_by_name(report, source)
    assert (rows["at-once"]["allocations"], rows["at-once"]["frees"]) == (150, 150)
    assert rows["at-once"]["lived_allocations"] == [150, 0, 0, 0, 0, 0, 0, 0]
    # 100 of them were replaced after fifty rounds of 3 ms, beyond 0.1 s; the rest lives to the end
    # and is then of any age up to that.
    assert rows["window"]["allocations"] == 150
    assert (rows["window"]["blocks"], rows["window"]["bytes"]) == (50, 50 * (6_000 + 33))
    assert sum(rows["window"]["lived_seconds"][:3]) <= 50 and sum(rows["window"]["lived_seconds"][3:]) >= 100
    assert rows["leaked"]["shape"] == "grows" and rows["leaked"]["blocks"] == 150
    assert rows["once"]["shape"] == "once"
    assert sum(rows["long"]["lived_seconds"][:3]) == 0 and rows["long"]["frees"] == 1
    for row in report["rows"]:
        assert sum(row["lived_allocations"]) == sum(row["lived_seconds"]) == row["frees"] <= row["allocations"]
    assert [r["allocations"] for r in report["rows"]] == sorted((r["allocations"] for r in report["rows"]), reverse=True)


def decade(value):
    return next(k for k in range(8) if k == 7 or value <= 10**k)


def test_agrees_with_the_events(python, program, record):
    """The events, one by one, fall into the same classes."""
    recording = record(python, program(SOURCE))
    (row,) = lifetimes(recording.file, "--json", "--by", "process").json["rows"]
    query = "SELECT time, kind, block, lifetime FROM events ORDER BY sequence"
    events = run([BUILD / "heapline", "sql", "--json", recording.file, query], check=0).json
    allocations, ages, times = 0, [0] * 8, [0] * 8
    for event in events:
        if event["kind"] == "allocation":
            allocations += 1
        if event["kind"] != "free":
            continue
        ages[decade(allocations - event["block"])] += 1
        died, born = round(event["time"] * 1e6), round((event["time"] - event["lifetime"]) * 1e6)
        times[decade(died // 1000 - born // 1000 + 1)] += 1
    assert (row["lived_allocations"], row["lived_seconds"]) == (ages, times)
    totals = recording.totals
    assert (row["allocations"], row["frees"]) == (totals["allocations"], totals["frees"])
    assert (row["bytes"], row["blocks"]) == (totals["end_bytes"], totals["end_blocks"])


def test_forms(python, program, record):
    source = program(SOURCE)
    recording = record(python, source)
    text = lifetimes(recording.file, "--include", "program.py", "-n", "0").out
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if f":{source.lines['once']} " in line)
    assert "allocated once and kept" in lines[at + 2] and "once = bytes" in lines[at + 1]
    assert "|  grows" in text and "≥ 1000 s" in text and "█" in text
    (first,) = csv.DictReader(io.StringIO(lifetimes(recording.file, "--csv", "-n", "1", "--by", "file").out))
    assert int(first["allocations"]) >= int(first["frees"]) and first["lived_below_1000_ms"]
    for by in ("function", "file", "stack", "module", "package", "thread", "allocator", "size", "process"):
        assert lifetimes(recording.file, "--json", "--by", by).json["by"] == by
        assert lifetimes(recording.file, "--by", by).out
    by_bytes = lifetimes(recording.file, "--json", "--sort", "bytes").json["rows"]
    assert [r["bytes"] for r in by_bytes] == sorted((r["bytes"] for r in by_bytes), reverse=True)
    assert "no row" in lifetimes(recording.file, "--include", "nowhere.py").out


def test_wrong_usage(python, program, record):
    recording = record(python, program("pass"))
    for options in (["--at", "end"], ["--growing"], ["--cumulative"], ["--temporary"], ["--format", "tracemalloc"]):
        lifetimes(recording.file, *options, check=2)
    without = record(python, program("pass"), options=["--no-history"])
    assert "--no-history" in lifetimes(without.file, check=1).err
