"""Memory over time, sampled from outside."""

import contextlib
import csv
import io
import shutil
import sqlite3
import time

import harness
import pytest
from harness import BUILD, assert_complete, run

pytestmark = pytest.mark.of_readers

STAGES = """
    import time
    kept = []
    for number in range(5):
        kept.append(bytearray(20_000_000))
        time.sleep(0.1)  # some samples
    del kept[1:]
    time.sleep(0.1)
"""

# Each line that it reads ends a stage, so that the test can wait until the recording shows it.
STAGES_ON_DEMAND = """
    import sys
    kept = []
    for number in range(5):
        kept.append(bytearray(20_000_000))
        kept[-1][::4096] = bytes(4883)  # touch the pages
        sys.stdin.readline()
    del kept[1:]
    sys.stdin.readline()
"""


def timeline(file, *options, check=0, **more):
    return run([BUILD / "heapline", "timeline", *options, file], check=check, **more)


def samples_of(recording):
    (process,) = timeline(recording.file, "--json").json["processes"]
    return process["samples"]


def await_sample(process, file, condition):
    """Waits until the recording that is being written has a sample of which `condition` is true."""
    deadline = time.monotonic() + harness.TIME_LIMIT
    while True:
        with contextlib.suppress(sqlite3.OperationalError):  # not there yet, or being written
            with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
                if database.execute(f"SELECT 1 FROM sample WHERE {condition}").fetchone():
                    return
        assert process.poll() is None and time.monotonic() < deadline, condition
        time.sleep(0.01)


def test_stages(interpreter, program, record):
    recording = record(interpreter, program(STAGES))
    assert_complete(recording)
    samples = samples_of(recording)
    totals = recording.totals
    times = [s["time"] for s in samples]
    assert times == sorted(set(times))
    assert max(s["most_bytes"] for s in samples) == totals["peak_bytes"]
    last = samples[-1]
    assert sum(last[name] for name in ("malloc", "raw", "mem", "object", "mmap")) == totals["leaked_bytes"]


def test_every_stage_is_seen(python, program, tmp_path):
    file = tmp_path / "run.heapline"
    process = harness.start(harness.heapline_run([python.path, program(STAGES_ON_DEMAND)], file))
    for number in range(1, 6):
        held = number * 20_000_000
        await_sample(process, file, f"resident > {held} AND proportional > {held} AND object > {held}")
        print(file=process.stdin, flush=True)
    after_the_most = "time > (SELECT max(time) FROM sample WHERE resident > 100000000)"
    await_sample(process, file, f"resident < 60000000 AND object < 40000000 AND {after_the_most}")
    process.communicate("\n", timeout=harness.TIME_LIMIT)
    samples = timeline(file, "--json").json["processes"][0]["samples"]
    # The bytearrays' memory comes from the object domain up to 3.12.
    held = {s["object"] // 20_000_000 for s in samples}
    assert held == {0, 1, 2, 3, 4, 5}
    most = max(s["resident"] or 0 for s in samples)
    assert 100_000_000 < max(s["proportional"] or 0 for s in samples) <= most + (1 << 20)


HOLDS = """
    import os, sys
    held = bytearray(int(sys.argv[1]))
    print(os.getpid(), flush=True)
    sys.stdin.readline()
"""


def test_the_sum_of_two(python, program, tmp_path):
    file, source = tmp_path / "run.heapline", program(HOLDS)
    both = f"exec 3<&0; {python.path} {source} 20000000 <&3 & {python.path} {source} 30000000; wait"
    process = harness.start(harness.heapline_run(["sh", "-c", both], file), cwd=tmp_path)
    first, second = sorted(int(process.stdout.readline()) for _ in range(2))
    await_sample(process, file, "object > 20000000 AND object < 30000000")
    await_sample(process, file, "object > 30000000")
    process.communicate("\n\n", timeout=harness.TIME_LIMIT)
    told = timeline(file, "--json").json
    assert sorted(p["pid"] for p in told["processes"]) == [first, second]
    times = {s["time"] for p in told["processes"] for s in p["samples"]}
    assert [s["time"] for s in told["sum"]] == sorted(times)
    most = max(told["sum"], key=lambda sample: sample["object"])
    assert 50_000_000 < most["object"] <= most["most_bytes"] < 60_000_000
    alone = max(s["resident"] or 0 for p in told["processes"] for s in p["samples"])
    assert max(s["resident"] or 0 for s in told["sum"]) > alone
    alone = timeline(file, "--json", "--pid", first).json
    for summed, sample in zip(alone["sum"], alone["processes"][0]["samples"]):
        assert {**sample, "most_bytes": summed["most_bytes"], "touched": summed["touched"]} == summed


def test_csv_has_what_json_has(python, program, record):
    recording = record(python, program(STAGES))
    samples = samples_of(recording)
    rows = list(csv.DictReader(io.StringIO(timeline(recording.file, "--csv").out)))
    assert len(rows) == len(samples)
    for row, sample in zip(rows, samples):
        assert float(row["time"]) == pytest.approx(sample["time"], abs=1e-6)
        for name in ("malloc", "raw", "mem", "object", "mmap", "most_bytes", "resident", "proportional", "swapped"):
            assert row[name] == ("" if sample[name] is None else str(sample[name])), name


@pytest.mark.parametrize("width", [40, 100, 200])
def test_drawing(python, program, record, width):
    recording = record(python, program(STAGES))
    env = harness.environment(COLUMNS=width)
    lines = timeline(recording.file, env=env).out.splitlines()
    assert max(map(len, lines[1:-1])) <= width
    drawn = lines[1:14]
    assert sum("▲" in line for line in drawn) == 1 and "▲" in drawn[-1]
    # Five stages up and most of it down again: the area is highest in the middle.
    heights = [sum(line[column] in "▁▂▃▄▅▆▇█" for line in drawn) for column in range(11, 11 + width - 11)]
    top = heights.index(max(heights))
    assert heights[:top] == sorted(heights[:top]) and heights[-1] < heights[top] / 2
    assert drawn[-1].index("▲") - 11 >= top - 1
    assert "peak: " in lines[-1] and "\x1b" not in "".join(lines)


def test_wrong_usage(python, program, record, tmp_path):
    recording = record(python, program("pass"))
    timeline(recording.file, "--json", "--csv", check=2)
    timeline(recording.file, "--pid", "x", check=2)
    assert "no process" in timeline(recording.file, "--pid", "999999999", check=1).err
    timeline(tmp_path / "none.heapline", check=1)
    assert run([BUILD / "heapline", "timeline", "--help"], check=0).out


def test_a_table_with_nonsense(python, program, record, tmp_path):
    recording = record(python, program("pass"))
    for table, change in (
        ("sample_total", "time = -1"),
        ("sample_total", "most_bytes = 1 << 60"),
        ("sample_total", "resident = -5"),
        ("sample_part", "bytes = -1"),
        ("sample_part", "allocator = 99"),
        ("sample_part", "time = time + 1"),
    ):
        shutil.copy(recording.file, tmp_path / "damaged.heapline")
        with sqlite3.connect(tmp_path / "damaged.heapline") as database:
            database.execute(f"UPDATE {table} SET {change} WHERE time = (SELECT max(time) FROM {table})")
        database.close()
        assert "damaged" in timeline(tmp_path / "damaged.heapline", check=1).err
