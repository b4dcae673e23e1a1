"""A time of a run is the same for all its processes: who has ended by then holds nothing any more."""

import csv
import io

import harness
import pytest
from harness import BUILD, BYTES_HEADER, run

# Each child holds a block until it is gone; the parent waits for it before it goes on. The clock is
# awaited where an order is to be seen.
SOURCE = """
    import collector_clock, os, signal, sys, time

    def pause():
        collector_clock.wait()
        time.sleep(0.05)  # PAUSE
        collector_clock.wait()

    for way in ("left", "killed", "raised"):
        pid = os.fork()
        if pid == 0:
            kept = bytes(3_000_000)  #: child
            pause()
            if way == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if way == "left":
                os._exit(0)
            sys.stderr.close()
            sys.exit(1)
        os.waitpid(pid, 0)
        pause()
    mine = bytes(1_000_000)  #: parent
    pause()
"""
PAUSE = 0.05
BLOCK = 3_000_000 + BYTES_HEADER
# A module's dictionary may grow where a name is new.
DICTIONARY = 4_000


@pytest.fixture(params=["history", "slices"])
def recorded(request, interpreter, program, record):
    options = () if request.param == "history" else ("--no-history",)
    source = program(SOURCE)
    return source, record(interpreter, source, options)


def lives(recording):
    """Times within the children's pauses, and in the middle of the parent's behind each."""
    query = "SELECT started, end_time, ended FROM process WHERE parent_pid IS NOT NULL ORDER BY started"
    rows = recording.sql(query)
    (end,) = recording.sql("SELECT ended FROM process WHERE parent_pid IS NULL")[0]
    after = [*(started for started, _, _ in rows[1:]), end]
    return [(last - PAUSE / 2, (gone + then) / 2) for (_, last, gone), then in zip(rows, after, strict=True)]


def of_line(source, report, name):
    rows = [r for r in report["rows"] if r["file"] == str(source) and r["line"] == source.lines[name]]
    return [row for row in rows if row["bytes"] > 900_000 or row.get("freed_bytes", 0) > 900_000]


def at(recording, *moments):
    option = "--at" if len(moments) == 1 else "--between"
    words = [m if isinstance(m, str) else f"{m:.6f}s" for m in moments]
    report = harness.report(recording.file, option, *words, "-n", "0")
    sums = harness.sum_of(report["rows"])
    assert (sums.bytes, sums.blocks) == (report["view"]["bytes"], report["view"]["blocks"])
    return report


def test_who_has_ended_holds_nothing(recorded):
    source, recording = recorded
    for during, after in lives(recording):
        (row,) = of_line(source, at(recording, during), "child")
        assert row["bytes"] == BLOCK and row["blocks"] == 1
        assert not of_line(source, at(recording, after), "child")
        assert at(recording, after)["view"]["bytes"] < recording.totals["peak_bytes"]
    # What each held at its own end it held.
    (row,) = of_line(source, recording.report("end"), "child")
    assert row["bytes"] == 3 * BLOCK


def test_a_span_over_an_end(recorded):
    """What was allocated in it is not kept, and what was there at its start is freed."""
    source, recording = recorded
    (first, behind_first), (second, behind_second), _ = lives(recording)
    before = at(recording, first)["view"]["bytes"]
    after = at(recording, behind_second)["view"]["bytes"]
    span = at(recording, first, behind_second)
    assert span["view"]["net_bytes"] == after - before
    (row,) = of_line(source, span, "child")
    assert (row["bytes"], row["freed_bytes"]) == (0, BLOCK)
    assert BLOCK <= row["allocated_bytes"] < BLOCK + DICTIONARY
    span = at(recording, behind_first, second)
    (row,) = of_line(source, span, "child")
    assert (row["bytes"], row["freed_bytes"]) == (BLOCK, 0)
    span = at(recording, behind_first, behind_second)
    assert not of_line(source, span, "child")


def test_a_span_to_the_peak(interpreter, program, record):
    """A child that has ended before the peak of all holds nothing at it."""
    source = program(SOURCE.replace("1_000_000", "9_000_000"))
    recording = record(interpreter, source)
    (first, _), *_ = lives(recording)
    span = at(recording, first, "peak")
    (row,) = of_line(source, span, "child")
    assert (row["bytes"], row["freed_bytes"]) == (0, BLOCK)
    assert 2 * BLOCK <= row["allocated_bytes"] < 2 * (BLOCK + DICTIONARY)
    (row,) = of_line(source, span, "parent")
    assert row["bytes"] == 9_000_000 + BYTES_HEADER


def test_the_end_of_the_run_is_the_end_of_the_last(recorded):
    source, recording = recorded
    main = recording.sql("SELECT leaked_bytes FROM process WHERE parent_pid IS NULL")[0][0]
    assert at(recording, "100%")["view"]["bytes"] == main


def test_a_command_that_goes_on_without_python(python, program, tmp_path):
    source = program("kept = bytes(2_000_000)  #: kept")
    command = ["sh", "-c", f"{python.path} {source}; sleep 0.6"]
    recording = harness.record(command, tmp_path / "run.heapline")
    assert at(recording, "90%")["view"]["bytes"] == 0
    assert at(recording, "100%")["view"]["bytes"] == recording.totals["leaked_bytes"]


def test_other_commands_too(python, program, record):
    source = program(SOURCE)
    recording = record(python, source)
    (during, after), *_ = lives(recording)
    times = [f"{during:.6f}s", f"{after:.6f}s"]
    held = [at(recording, moment)["view"]["bytes"] for moment in (during, after)]
    difference = run([BUILD / "heapline", "diff", "--json", "--at", *times, recording.file], check=0).json
    assert [difference["old"]["bytes"], difference["new"]["bytes"]] == held
    for moment, bytes_held in zip(times, held, strict=True):
        export = [BUILD / "heapline", "export", "--format", "csv", "-o", "-", "--at", moment]
        rows = list(csv.DictReader(io.StringIO(run([*export, recording.file], check=0).out)))
        assert sum(int(row["bytes"]) for row in rows) == bytes_held
        tree = run([BUILD / "heapline", "tree", "--json", "--at", moment, recording.file], check=0).json
        assert tree["bytes"] == bytes_held


# --- the end of the program ------------------------------------------------------------------------


@pytest.mark.each_interpreter
def test_interpreters_that_are_open_at_the_end(interpreter, program, record):
    """What they hold is held at the end, whoever then tears them down."""
    if not (interpreter.has("_interpreters") or interpreter.has("_xxsubinterpreters")):
        pytest.skip("no sub-interpreters")
    source = program(
        """
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        made = [interpreters.create() for _ in range(3)]
        for name in made:
            assert not interpreters.run_string(name, "kept = [bytearray(700_000) for _ in range(3)]")
        mine = bytearray(800_000)  #: mine
        """
    )
    recording = record(interpreter, source)
    assert recording.line(source, "mine", "end").bytes > 800_000
    rows = [r for r in recording.rows("end") if r["file"] in ("<string>", "<script>")]
    assert 9 * 700_000 < harness.sum_of(rows).bytes < 9 * 700_000 + 50_000
    assert not [r for r in recording.rows("exit") if r["bytes"] > 700_000]


@pytest.mark.each_interpreter
def test_a_pool_of_interpreters_that_nobody_closed(interpreter, program, record):
    """Its interpreters are closed by its own threads, after the main one's code has ended."""
    if interpreter.version < (3, 14):
        pytest.skip("no InterpreterPoolExecutor")
    source = program(
        """
        import builtins
        from concurrent.futures import InterpreterPoolExecutor

        def keep(number):
            builtins.kept = bytearray(700_000 + number)  #: kept

        if __name__ == "__main__":
            pool = InterpreterPoolExecutor(2)
            list(pool.map(keep, range(40)))
        """
    )
    recording = record(interpreter, source)
    kept = recording.line(source, "kept", "end")
    assert kept.bytes > 700_000 and recording.totals["end_bytes"] > kept.bytes


def test_threads_that_go_on_after_the_main_one(interpreter, program, record):
    """The program's own code has ended when the last of them has, and exit callbacks have run."""
    source = program(
        """
        import atexit, threading
        import collector_clock
        kept = []
        main = threading.main_thread()

        def work():
            main.join()
            collector_clock.wait()
            kept.append(bytearray(600_000))  #: thread

        atexit.register(lambda: kept.append(bytearray(500_000)))  #: callback
        threading.Thread(target=work).start()
        """
    )
    recording = record(interpreter, source)
    assert recording.line(source, "thread", "end").bytes > 600_000
    assert recording.line(source, "callback", "end").bytes > 500_000


def peak_of(recording, allocators):
    """The most that blocks of these came to at any time: every event added up."""
    names = "(" + ", ".join(f"'{name}'" for name in allocators) + ")"
    query = f"SELECT kind, size FROM events WHERE allocator IN {names} ORDER BY sequence"
    held = most = 0
    for row in run([BUILD / "heapline", "sql", "--json", recording.file, query], check=0).json:
        held += -row["size"] if row["kind"] == "free" else row["size"]
        most = max(most, held)
    return most


@pytest.mark.few_interpreters
def test_the_peak_of_a_selection(interpreter, program, record):
    source = program(
        """
        import re
        early = [bytes(1000) for _ in range(5000)]
        big = bytearray(3 << 20)
        del early, big
        re.compile("(a|b)*c{3}[^d-g]" * 20)
        late = bytearray(1 << 20)
        more = [bytes(1000) for _ in range(6000)]
        """
    )
    recording = record(interpreter, source)
    for allocators in ["raw"], ["mem", "malloc"], ["object"], ["file"]:
        chosen = [word for name in allocators for word in ("--allocator", name)]
        answer = recording.report("selection-peak", "line", *chosen)
        assert answer["view"]["at"] == "selection-peak"
        assert answer["view"]["bytes"] == peak_of(recording, allocators)
        assert answer["view"]["bytes"] >= recording.report("peak", "line", *chosen)["view"]["bytes"]
    own = recording.report("selection-peak", "line", "--include", str(source))["view"]["bytes"]
    assert own > recording.report("peak", "line", "--include", "re*")["view"]["bytes"]
    everything = recording.report("selection-peak")
    assert everything["view"]["bytes"] == everything["totals"]["peak_bytes"]
    text = run([BUILD / "heapline", "report", "--allocator", "raw", recording.file], check=0).out
    assert "selection-peak" in text


def test_where_a_selection_has_no_peak(python, program, record):
    recording = record(python, program("pass"), options=["--no-history"])
    refused = run([BUILD / "heapline", "report", "--at", "selection-peak", recording.file])
    assert refused.status == 1 and "--no-history" in refused.err
    refused = run([BUILD / "heapline", "report", "--between", "selection-peak", "end", recording.file])
    assert refused.status == 2 and "--at alone" in refused.err
