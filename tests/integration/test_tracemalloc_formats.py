"""Statistics as tracemalloc prints them, and snapshots that it loads."""

import subprocess

import pytest
from harness import BUILD, assert_complete, run

pytestmark = pytest.mark.of_readers

SOURCE = """
    def make(size):
        return bytes(size)  #: make

    kept = [make(1000 * n) for n in range(100)]  #: kept
    more = [bytes(77) for n in range(50)], (lambda: bytes(5000))()  #: more
"""

# Loads a snapshot and prints what tracemalloc itself makes of it.
LOAD = """
    import json, sys, tracemalloc
    snapshot = tracemalloc.Snapshot.load(sys.argv[1])
    result = {"size": sum(t.size for t in snapshot.traces), "count": len(snapshot.traces)}
    for key in ("lineno", "filename", "traceback"):
        result[key] = [str(s) for s in snapshot.statistics(key)]
    only = snapshot.filter_traces([tracemalloc.Filter(True, sys.argv[2])])
    result["own"] = [[s.traceback[0].lineno, s.size, s.count] for s in only.statistics("lineno")]
    if len(sys.argv) > 3:
        old = tracemalloc.Snapshot.load(sys.argv[3])
        result["compared"] = [[str(d), d.size_diff] for d in snapshot.compare_to(old, "lineno")]
    print(json.dumps(result))
"""


def export(file, output, *options, check=0, format="tracemalloc"):
    command = [BUILD / "heapline", "export", "--format", format, "-o", output, *options, file]
    return run(command, check=check)


@pytest.fixture
def load(program):
    script = program(LOAD, "load.py")

    def load(interpreter, *arguments):
        if interpreter.version < (3, 9):
            pytest.skip("snapshots of CPython 3.8 are of another form")
        return run([interpreter.path, script, *arguments], check=0).json

    return load


@pytest.mark.parametrize("at", ["peak", "end", "50%"])
def test_the_same_lines_as_tracemalloc_itself(interpreter, at, program, record, load, tmp_path):
    source = program(SOURCE)
    recording = record(interpreter, source)
    assert_complete(recording)
    snapshot = tmp_path / "snapshot"
    export(recording.file, snapshot, "--at", at)
    loaded = load(interpreter, snapshot, source)
    view = recording.report(at)["view"]
    assert (loaded["size"], loaded["count"]) == (view["bytes"], view["blocks"])
    for by, key in (("line", "lineno"), ("file", "filename"), ("stack", "traceback")):
        command = [BUILD / "heapline", "report", "--format", "tracemalloc", "--at", at, "--by", by]
        printed = run([*command, "-n", "0", recording.file], check=0).out.splitlines()
        assert printed == loaded[key], by
    own = {line: [size, count] for line, size, count in loaded["own"]}
    lines = recording.per_line(source, at)
    assert own == {line: [sums.bytes, sums.blocks] for line, sums in lines.items() if sums.blocks}


def test_compare_to(python, program, record, load, tmp_path):
    source = program(SOURCE)
    recording = record(python, source)
    old, new = tmp_path / "old", tmp_path / "new"
    export(recording.file, old, "--at", "50%")
    export(recording.file, new, "--at", "end")
    compared = load(python, new, source, old)["compared"]
    view = {at: recording.report(at)["view"]["bytes"] for at in ("50%", "end")}
    assert sum(change for _, change in compared) == view["end"] - view["50%"]


def test_many_and_large_blocks(python, program, record, load, tmp_path):
    """More blocks of one line than pickle takes at a time, and one of more than 2 GiB."""
    source = program("kept = [object() for _ in range(5000)]  #: kept\nlarge = bytearray(3 << 30)  #: large")
    recording = record(python, source)
    snapshot = tmp_path / "snapshot"
    export(recording.file, snapshot, "--at", "end")
    own = {line: (size, count) for line, size, count in load(python, snapshot, source)["own"]}
    assert own[source.lines["kept"]][1] >= 5000
    assert own[source.lines["large"]][0] >= 3 << 30


def test_filters_and_standard_output(python, program, record, tmp_path):
    source = program(SOURCE)
    recording = record(python, source)
    file = tmp_path / "snapshot"
    export(recording.file, file, "--include", source.path.name)
    command = [BUILD / "heapline", "export", "--format", "tracemalloc", "-o", "-"]
    command += ["--include", source.path.name, recording.file]
    out = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True).stdout
    assert out == file.read_bytes()


def test_mprof(python, program, record, tmp_path):
    recording = record(python, program("import time; kept = bytearray(50_000_000); time.sleep(0.1)"))
    file = tmp_path / "mprofile.dat"
    export(recording.file, file, format="mprof")
    lines = file.read_text().splitlines()
    assert lines[0].startswith("CMDLINE ") and "program.py" in lines[0]
    samples = [line.split() for line in lines[1:]]
    assert all(kind == "MEM" for kind, _, _ in samples) and len(samples) > 3
    times = [float(time) for _, _, time in samples]
    started = recording.sql("SELECT started FROM run")[0][0]
    assert times == sorted(times) and started <= times[0] < started + 10
    assert max(float(memory) for _, memory, _ in samples) > 40
    none = export(recording.file, file, "--pid", "999999999", format="mprof")
    assert none.status == 0 and len(file.read_text().splitlines()) == 1
    for options in (["--at", "end"], ["--between", "0s", "end"], ["--include", "x"], ["--allocator", "raw"]):
        assert "only --pid" in export(recording.file, file, *options, format="mprof", check=2).err


def test_a_span(python, program, record, load, tmp_path):
    source = program(SOURCE)
    recording = record(python, source)
    file = tmp_path / "snapshot"
    export(recording.file, file, "--between", "0s", "end", "--include", source.path.name)
    span = file.read_bytes()
    export(recording.file, file, "--at", "end", "--include", source.path.name)
    assert span == file.read_bytes()  # from nothing
    export(recording.file, file, "--between", "end", "end", "--include", source.path.name)
    assert len(file.read_bytes()) < len(span)


def test_wrong_usage(python, program, record, tmp_path):
    recording = record(python, program("pass"))
    command = [BUILD / "heapline", "export"]
    run([*command, recording.file], check=2)
    run([*command, "--format", "tracemalloc", recording.file], check=2)
    run([*command, "--format", "nothing", "-o", "x", recording.file], check=2)
    assert export(tmp_path / "none.heapline", tmp_path / "x", check=1).err
    assert not (tmp_path / "x").exists()
    assert "No such file" in export(recording.file, tmp_path / "no" / "x", check=1).err
    assert "after the end" in export(recording.file, tmp_path / "x", "--at", "1h", check=1).err
    assert not (tmp_path / "x").exists()
    report = [BUILD / "heapline", "report", "--format", "tracemalloc"]
    for options in (["--by", "thread"], ["--json"], ["--cumulative"], ["--between", "0s", "1ms"]):
        run([*report, *options, recording.file], check=2)
    run([BUILD / "heapline", "report", "--format", "x", recording.file], check=2)
    assert run([*command, "--help"], check=0).out
