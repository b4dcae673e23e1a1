"""What grows steadily is told, and only that."""

import csv
import io
import textwrap

import pytest
from harness import BUILD, assert_complete, run

pytestmark = pytest.mark.of_readers

# A leak among things that look like one for a while. Steps begin at times that are given, over two
# seconds: a machine that lets nobody see the clock for a tenth of one moves few of them.
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
    begin = time.monotonic()
    for number in range(200):
        step(number)
        time.sleep(max(begin + (number + 1) * 0.01 - time.monotonic(), 0))
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
    for options in (["--at", "end"], ["--cumulative"], ["--format", "tracemalloc"]):
        growing(recording.file, *options, check=2)
    assert growing(recording.file, "--json").json["rows"] is not None


# --- the battery ----------------------------------------------------------------------------------
#
# Leaks of different shapes, and what looks like one for a while. Rounds begin at times that are given;
# one that a busy machine is late with delays none of the others. Each program lives for two to three
# seconds. Shapes whose answer turns on a round that comes a little late are in unit/test_rising.c.

BEGIN = """
    import collections, functools, os, random, signal, sys, threading, time
    kept, cache, pool = [], {}, []

    def rounds(count, seconds=0.02):
        begin = time.monotonic()
        for number in range(count):
            yield number
            time.sleep(max(begin + (number + 1) * seconds - time.monotonic(), 0))

    def leak(number=0, size=10_000):
        kept.append(bytearray(size))  #: leak

    def work(number):
        return [str(number * n) for n in range(20)]

    def in_a_child(function, *arguments, ending=os._exit):
        pid = os.fork()
        if pid == 0:
            function(*arguments)
            ending(0)
        return pid

    def killed(status):
        os.kill(os.getpid(), signal.SIGKILL)
"""

LEAKS = {
    "steady": """
        for number in rounds(100): leak()
    """,
    "twelve rounds in three seconds": """
        for number in rounds(12, 0.25): leak(size=100_000)
    """,
    "eight rounds": """
        for number in rounds(8, 0.25): leak(size=100_000)
    """,
    "then idle for as long": """
        for number in rounds(60): leak()
        time.sleep(1.2)
    """,
    "begins after half": """
        for number in rounds(80): work(number)
        for number in rounds(50): leak()
    """,
    "begins late after sleep, then idle": """
        time.sleep(1)
        for number in rounds(60): leak()
        time.sleep(0.6)
    """,
    "in stretches": """
        for stretch in range(4):
            for number in rounds(15): leak()
            for number in rounds(15): work(number)
    """,
    "in stretches with nothing between": """
        for stretch in range(4):
            for number in rounds(15): leak()
            time.sleep(0.3)
    """,
    "in bursts": """
        for burst in range(6):
            for number in range(100): leak()
            for number in rounds(20): work(number)
    """,
    "beside a load at the start": """
        first = [bytearray(5_000_000)]
        for number in range(50): leak()
        for number in rounds(100): leak(size=2_000)
    """,
    "among what is given back": """
        def step(number):
            return [bytes(2_000) for n in range(40)] if number % 2 else [bytes(2_000) for n in range(4)]
        for number in rounds(100):
            step(number)
            leak(size=1_000)
    """,
    "in a thread while the main one waits": """
        def run():
            for number in rounds(100): leak()
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    """,
    "in a worker that is killed": """
        def run():
            for number in rounds(75): leak()
        os.waitpid(in_a_child(run, ending=killed), 0)
        time.sleep(1.5)
    """,
    "in workers, one after the other": """
        def run():
            for number in rounds(60): leak()
        for worker in range(3): os.waitpid(in_a_child(run), 0)
    """,
    "in workers side by side": """
        def run():
            for number in rounds(80): leak()
        for pid in [in_a_child(run) for worker in range(3)]: os.waitpid(pid, 0)
        for number in rounds(20): work(number)
    """,
    "in workers that are recycled": """
        def run():
            for number in rounds(40): leak()
        for turn in range(2):
            for pid in [in_a_child(run, ending=killed) for worker in range(2)]: os.waitpid(pid, 0)
    """,
    "in the master, whose workers come and go": """
        def run(): work(1)
        for number in range(40):
            leak()
            os.waitpid(in_a_child(run), 0)
            time.sleep(0.03)
    """,
}

OTHERS = {
    "a cache that fills": """
        for number in rounds(120):
            if number % 40 not in cache: cache[number % 40] = bytes(20_000)
            work(number)
    """,
    "a cache that fills to two thirds of the run": """
        for number in rounds(120):
            if number % 75 not in cache: cache[number % 75] = bytes(20_000)
            work(number)
    """,
    "a cache filled at random": """
        random.seed(1)
        for number in rounds(120):
            key = random.randrange(30)
            if key not in cache: cache[key] = bytes(20_000)
            work(number)
    """,
    "a bounded cache that goes on": """
        @functools.lru_cache(maxsize=40)
        def make(key): return bytes(20_000)
        for number in rounds(120): make(number)
    """,
    "a pool that warms up in steps": """
        for number in rounds(120):
            if number in (0, 10, 20, 35, 50): pool.append([bytearray(5_000) for n in range(20)])
            work(number)
    """,
    "a ring of the latest": """
        latest = collections.deque(maxlen=30)
        for number in rounds(120): latest.append(bytes(10_000))
    """,
    "a buffer that is emptied": """
        buffer = []
        for number in rounds(113):
            buffer.append(bytes(10_000))
            if len(buffer) == 20: buffer.clear()
    """,
    "a buffer that is emptied but for a few": """
        buffer, few = [], [1, 1, 2, 2, 3, 3, 3]
        for number in rounds(130):
            buffer.append(bytes(10_000))
            if len(buffer) == 20: del buffer[few.pop(0):]
    """,
    "batches of different lengths": """
        random.seed(2)
        for batch in range(9):
            buffer = []
            for number in rounds(random.randrange(8, 16)): buffer.append(bytes(20_000))
    """,
    "once at the start": """
        table = [bytes(1_000) for n in range(2_000)]
        for number in rounds(100): work(number)
    """,
    "once at the end": """
        for number in rounds(100): work(number)
        table = [bytes(1_000) for n in range(2_000)]
    """,
    "three phases, each loads once": """
        tables = []
        for phase in range(3):
            tables.append([bytes(1_000) for n in range(500)])
            for number in rounds(35): work(number)
    """,
    "processes that come and go": """
        def run():
            held = [bytes(10_000) for n in range(50)]
            time.sleep(0.05)
        for number in range(25): os.waitpid(in_a_child(run), 0)
    """,
    "processes side by side that come and go": """
        def run(count):
            held = [bytes(10_000) for n in range(50)]
            time.sleep(0.1 * count)
        for turn in range(5):
            for pid in [in_a_child(run, count) for count in (1, 2, 4)]: os.waitpid(pid, 0)
    """,
    "workers that fill a cache each": """
        def run():
            for number in rounds(75):
                if number % 20 not in cache: cache[number % 20] = bytes(20_000)
                work(number)
        for pid in [in_a_child(run) for worker in range(3)]: os.waitpid(pid, 0)
    """,
    "a worker that fills a table, waits and is killed": """
        def run():
            for number in rounds(30, 0.03): pool.append(bytes(2_000))
            while True: time.sleep(10)
        pid = in_a_child(run)
        time.sleep(3.5)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    """,
    "a worker that fills a table, waits and leaves at once": """
        def run():
            for number in rounds(30, 0.03): pool.append(bytes(2_000))
            time.sleep(2.5)
        os.waitpid(in_a_child(run), 0)
    """,
    "a pool of two, one of which is replaced": """
        def run():
            for number in rounds(30): pool.append([bytes(500) for n in range(3)])
            while True: time.sleep(10)
        workers = [in_a_child(run) for number in range(2)]
        time.sleep(2.5)
        os.kill(workers[0], signal.SIGKILL)
        os.waitpid(workers[0], 0)
        workers[0] = in_a_child(run)
        time.sleep(2.5)
        for pid in workers: os.kill(pid, signal.SIGKILL)
        for pid in workers: os.waitpid(pid, 0)
    """,
    "a table that is dropped and filled again": """
        def fill(table):
            for number in rounds(30): table.append(bytes(10_000))
        fill(kept)
        fill(pool)
        time.sleep(1.5)
        pool.clear()
        fill(pool)
    """,
    "interpreters that only start": """
        import subprocess
        for number in range(6): subprocess.run([sys.executable, "-c", "import json, unittest, decimal"])
    """,
    "sessions that begin and end": """
        random.seed(3)
        sessions = []
        for number in rounds(130):
            sessions.append(bytes(20_000))
            if len(sessions) > 15: sessions.pop(random.randrange(15))
    """,
}


@pytest.mark.parametrize("shape", LEAKS)
def test_a_leak_is_found(python, program, record, shape):
    source = program(textwrap.dedent(BEGIN) + textwrap.dedent(LEAKS[shape]))
    recording = record(python, source)
    rows = growing(recording.file, "--json", "-n", "0").json["rows"]
    assert {r["line"] for r in rows if r["file"] == str(source)} == {source.lines["leak"]}, growing(recording.file).out


@pytest.mark.parametrize("shape", OTHERS)
def test_what_is_no_leak_is_not_named(python, program, record, shape):
    source = program(textwrap.dedent(BEGIN) + textwrap.dedent(OTHERS[shape]))
    recording = record(python, source)
    report = growing(recording.file)
    rows = growing(recording.file, "--json", "-n", "0").json["rows"]
    assert not [r for r in rows if r["file"] == str(source)], report.out


def test_in_which_process(python, program, record):
    """Where nothing grows in the sum, each row says in how many processes it does, and of one its figures."""
    source = program(textwrap.dedent(BEGIN) + textwrap.dedent(LEAKS["in workers, one after the other"]))
    recording = record(python, source)
    report = growing(recording.file, "--json").json
    (row,) = [r for r in report["rows"] if r["file"] == str(source)]
    (process,) = [p for p in report["processes"] if p["pid"] == row["pid"]]
    assert row["growing_processes"] == 3 and process["parent"]
    assert row["bytes"] >= row["bytes_over_time"][-1] >= row["gained_bytes"] >= 50 * 10_000
    assert (row["times"][0], row["times"][-1]) == pytest.approx((process["started"], row["last_seen"]), abs=1e-6)
    assert process["started"] <= row["first_seen"] < row["last_gained"] <= row["last_seen"] <= process["ended"]
    assert f"in each of 3 processes, the most in process {row['pid']}" in growing(recording.file).out


def test_within_a_span(python, program, record):
    """A leak in one half of the run; the other is like a program without."""
    source = program(
        textwrap.dedent(BEGIN)
        + textwrap.dedent(
            """
            for number in rounds(60): leak()
            kept = kept[:]
            for number in rounds(180): work(number)
            """
        )
    )
    recording = record(python, source)
    found = lambda *options: [
        r["line"] for r in growing(recording.file, "--json", *options).json["rows"] if r["file"] == str(source)
    ]
    assert found() == []
    assert found("--between", "0s", "20%") == [source.lines["leak"]]
    assert found("--between", "50%", "end") == []
    (row,) = growing(recording.file, "--json", "--between", "0s", "20%", "--include", source.path.name).json["rows"]
    at = recording.line(source, "leak", "20%")
    assert (row["bytes"], row["blocks"]) == (at.bytes, at.blocks)


def test_the_outer_object(python, program, record):
    """What reports in JSON have in common."""
    recording = record(python, program(SOURCE))
    report, plain = growing(recording.file, "--json").json, recording.report("end")
    for name in ("heapline", "run", "processes", "totals", "modules"):
        assert report[name] == plain[name]


def test_what_was_not_met(python, program, record):
    """Where nothing grows, the report says which rule each row did not meet, and of which row."""
    source = program(textwrap.dedent(BEGIN) + textwrap.dedent(OTHERS["a cache that fills"]))
    recording = record(python, source)
    text = " ".join(growing(recording.file, "--include", source.path.name).out.split())
    assert text.startswith("Nothing grows steadily. Rows that hold 16.0 KiB at the end: 1, of which 1 gained nothing")
    assert "levelled off" not in text and source.path.name in text


def test_what_went_on_a_little_has_not_stopped(python, program, record):
    source = program(
        textwrap.dedent(BEGIN)
        + textwrap.dedent(
            """
            def filled(size): return bytearray(size)  #: filled
            for number in rounds(40): kept.append(filled(200_000))
            for number in rounds(80):
                if number % 10 == 0: kept.append(filled(1_000))
                work(number)
            """
        )
    )
    recording = record(python, source)
    text = " ".join(growing(recording.file, "--include", source.path.name).out.split())
    assert "1 gained hardly anything any more" in text and "gained nothing" not in text


def test_no_most_of_nothing(python, program, record):
    source = program("import time\nkept = [bytes(100_000)]\ntime.sleep(0.3)\nkept.append([])")
    recording = record(python, source)
    text = " ".join(growing(recording.file, "--between", "80%", "100%", "--include", source.path.name).out.split())
    assert text.endswith("of which 1 gained less than that")
