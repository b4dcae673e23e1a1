"""What grows steadily is told, and only that."""

import csv
import io

import pytest
from harness import BUILD, assert_complete, run

# A leak among things that look like one for a while. Each step ends with a pause, so that the steps
# are spread evenly over the run whatever the machine does meanwhile.
SOURCE = """
    import time
    leaked, cache, buffer = [], {}, []

    def step(number):
        leaked.append(bytes(4000))  #: leak
        leaked.append([number, bytes(500)])  #: slow
        if number < 40:
            cache[number] = bytes(20_000)  #: cache
        cache[number % 40] = bytes(20_000)  #: replaced
        buffer.append(bytes(9_000))  #: buffer
        if len(buffer) == 20:
            buffer.clear()
        [bytes(3_000) for _ in range(10)]  #: temporary

    once = [bytes(1_000_000)]  #: once
    for number in range(200):
        step(number)
        time.sleep(0.002)
    late = [bytes(2_000_000)]  #: late
"""


def growing(file, *options, check=0):
    return run([BUILD / "heapline", "report", "--growing", *options, file], check=check)


def test_only_the_leak(interpreter, program, record):
    source = program(SOURCE)
    recording = record(interpreter, source)
    assert_complete(recording)
    report = growing(recording.file, "--json", "-n", "0").json
    rows = [row for row in report["rows"] if row["file"] == str(source)]
    assert [row["line"] for row in rows] == [source.lines["leak"], source.lines["slow"]]
    leak = rows[0]
    end = recording.line(source, "leak", "end")
    assert (leak["bytes"], leak["blocks"]) == (end.bytes, end.blocks)
    assert leak["bytes_over_time"][-1] == leak["bytes"] and len(leak["bytes_over_time"]) == len(report["times"])
    assert leak["bytes_over_time"] == sorted(leak["bytes_over_time"])
    length = leak["last_seen"] - leak["first_seen"]
    assert leak["bytes_a_second"] == pytest.approx(leak["gained_bytes"] / length, rel=0.25)


def test_forms_and_groupings(python, program, record):
    source = program(SOURCE)
    recording = record(python, source)
    text = growing(recording.file).out
    assert f":{source.lines['leak']} step" in text and "/s" in text and "█" in text
    rows = list(csv.DictReader(io.StringIO(growing(recording.file, "--csv", "-n", "1").out)))
    assert [int(row["line"]) for row in rows] == [source.lines["leak"]]
    for by in ("function", "file", "stack", "module", "package", "allocator"):
        assert growing(recording.file, "--json", "--by", by).json["by"] == by
        assert growing(recording.file, "--by", by).out
    only = growing(recording.file, "--json", "--exclude", source.path.name).json["rows"]
    assert all(row["file"] != str(source) for row in only)


def test_nothing_grows(python, program, record):
    source = program("import time\nkept = [bytes(100_000)]\ntime.sleep(0.1)")
    recording = record(python, source)
    rows = growing(recording.file, "--json").json["rows"]
    assert all(row["file"] != str(source) for row in rows)
    assert "Nothing grows" in growing(recording.file, "--include", "nowhere.py").out


def test_wrong_usage(python, program, record):
    source = program("pass")
    recording = record(python, source)
    for options in (["--at", "end"], ["--between", "0s", "1ms"], ["--cumulative"], ["--format", "tracemalloc"]):
        growing(recording.file, *options, check=2)
    assert growing(recording.file, "--json").json["rows"] is not None
