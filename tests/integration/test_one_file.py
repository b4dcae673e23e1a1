"""Another program has the recording open, reads it or locks it: the recording is whole, and one file."""

import os
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

import harness
import pytest
from harness import BUILD, BYTES_HEADER, heapline_run, run, start

pytestmark = pytest.mark.one_interpreter

# Goes on at each line that it reads; in between it lives through more than one snapshot (one a
# second), and through more children than wait in the collector's memory otherwise.
STEPS = """
    import os
    import sys
    import time
    print("ready", flush=True)
    sys.stdin.readline()
    kept = [None] * 1000
    for n in range(1000):
        kept[n] = bytes(1000 + n)  #: kept
    for _ in range({children}):
        child = os.fork()
        if not child:
            own = bytes(10_000)  #: child
            os._exit(0)
        os.waitpid(child, 0)
    time.sleep(2.5)
    print("done", flush=True)
    sys.stdin.readline()
    last = bytes(2_000_002)  #: last
"""


def begin(interpreter, source, tmp_path, *options):
    file = tmp_path / "run.heapline"
    process = start(heapline_run([interpreter.path, source], file, options), env=harness.environment(), cwd=tmp_path)
    assert process.stdout.readline() == "ready\n"
    return process, file


def say(process, text="go\n"):
    process.stdin.write(text)
    process.stdin.flush()


def go_on(process):
    """To where the program has lived through its snapshots."""
    say(process)
    assert process.stdout.readline() == "done\n"


def end(process):
    out, err = process.communicate("end\n", timeout=harness.TIME_LIMIT)
    return harness.Ran(process.returncode, out, err)


def beside(file):
    return sorted(path.name for path in file.parent.iterdir() if path.name.startswith(file.name))


def lock(file, statement="BEGIN EXCLUSIVE"):
    database = sqlite3.connect(file, isolation_level=None)
    database.execute(statement)
    return database


def check(file, source, children):
    recording = harness.Recording(file)
    harness.assert_complete(recording)
    held = recording.line(source, "kept", "end")
    assert (held.bytes, held.blocks) == (sum(1000 + n + BYTES_HEADER for n in range(1000)), 1000)
    assert recording.line(source, "last", "end").bytes == 2_000_002 + BYTES_HEADER
    assert len(recording.summary["processes"]) == 1 + children
    if children:
        child = recording.line(source, "child", "end")
        assert (child.bytes, child.blocks) == (children * (10_000 + BYTES_HEADER), children)


def test_locked_for_a_while(interpreter, program, tmp_path):
    source = program(STEPS.format(children=0))
    process, file = begin(interpreter, source, tmp_path)
    database = lock(file)
    go_on(process)
    database.close()
    ran = end(process)
    assert ran.status == 0
    check(file, source, 0)
    assert beside(file) == [file.name]


def test_reports_all_along(python, program, tmp_path):
    """Whoever opens it tries to fold the WAL in, and leaves it alone as long as somebody writes."""
    source = program(STEPS.format(children=0))
    process, file = begin(python, source, tmp_path)
    say(process)
    done = []
    reader = threading.Thread(target=lambda: done.append(process.stdout.readline()))
    reader.start()
    while reader.is_alive():
        run([BUILD / "heapline", "report", "--json", file], check=0)
    assert done == ["done\n"]
    assert end(process).status == 0
    check(file, source, 0)
    assert beside(file) == [file.name]


def test_locked_while_many_processes_end(python, program, tmp_path):
    source = program(STEPS.format(children=300))
    process, file = begin(python, source, tmp_path)
    database = lock(file)
    go_on(process)
    database.close()
    assert end(process).status == 0
    check(file, source, 300)


def test_locked_over_the_end(python, program, tmp_path):
    """The collector says what it waits for, and writes all once it may."""
    source = program(STEPS.format(children=0))
    process, file = begin(python, source, tmp_path)
    database = lock(file)
    go_on(process)
    say(process, "end\n")
    assert "waiting for another program" in process.stderr.readline()
    database.close()
    assert end(process).status == 0
    check(file, source, 0)
    assert beside(file) == [file.name]


def read_over_the_end(interpreter, source, tmp_path):
    """The recording, and who reads it from before its end on."""
    process, file = begin(interpreter, source, tmp_path)
    reader = sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT complete FROM run").fetchall() == [(0,)]
    go_on(process)
    ran = end(process)
    assert ran.status == 0
    assert f"{file}-wal" in ran.err
    return file, reader


def test_read_over_the_end(python, program, tmp_path):
    """What it leaves beside the file is folded in by the next who opens it, not while it is read."""
    source = program(STEPS.format(children=0))
    file, reader = read_over_the_end(python, source, tmp_path)
    check(file, source, 0)
    assert f"{file.name}-wal" in beside(file)
    reader.close()
    check(file, source, 0)
    assert beside(file) == [file.name]


def test_open_over_the_end(python, program, tmp_path):
    """Who has read and only has it open keeps no part of it from its place."""
    source = program(STEPS.format(children=0))
    process, file = begin(python, source, tmp_path)
    reader = sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)
    assert reader.execute("SELECT complete FROM run").fetchall() == [(0,)]
    go_on(process)
    ran = end(process)
    assert ran.status == 0 and "-wal" not in ran.err
    copy = tmp_path / "copy.heapline"
    shutil.copy(file, copy)
    check(copy, source, 0)
    reader.close()


def blocks_in_a_copy(file, source):
    """How many blocks of the program the recording has by now. It is written on meanwhile, and the copy may
    be none."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (file, Path(f"{file}-wal")):
            shutil.copy(path, folder)
        ran = run([BUILD / "heapline", "report", "--json", "-n", "0", "--at", "end", Path(folder) / file.name])
    rows = ran.json["rows"] if ran.status == 0 else []
    return sum(row["blocks"] for row in rows if (row["file"], row["line"]) == (str(source), source.lines["kept"]))


def killed_collector(python, program, tmp_path):
    """Nobody has opened the recording since: not even for a summary."""
    source = program(STEPS.format(children=0))
    process, file = begin(python, source, tmp_path, "-q")
    go_on(process)
    until = time.monotonic() + harness.TIME_LIMIT
    while blocks_in_a_copy(file, source) != 1000:
        assert time.monotonic() < until
        time.sleep(0.05)
    os.kill(harness.collector_of(process.pid), signal.SIGKILL)
    assert end(process).status == 0
    assert (file.parent / f"{file.name}-wal").stat().st_size
    return source, file


def held_by_kept(file, source):
    recording = harness.Recording(file)
    assert recording.summary["run"]["complete"] is False
    return recording.line(source, "kept", "end").blocks


def test_alone_after_the_collectors_death(python, program, tmp_path):
    """The file by itself says what it is; with its WAL it has what was written last."""
    source, file = killed_collector(python, program, tmp_path)
    alone = tmp_path / "alone.heapline"
    shutil.copy(file, alone)
    assert harness.report(alone)["run"]["complete"] is False
    assert held_by_kept(file, source) == 1000
    assert beside(file) == [file.name]
    assert held_by_kept(file, source) == 1000


# root without the capability that makes every folder its own.
AS_ANYBODY = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []


def test_where_it_may_not_write(python, program, tmp_path):
    """The report reads a copy, and leaves nothing behind."""
    source, file = killed_collector(python, program, tmp_path)
    folder, temporary = tmp_path / "shown", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{file}{suffix}", folder / f"run.heapline{suffix}")
    folder.chmod(0o555)
    shown = folder / "run.heapline"
    ran = run([*AS_ANYBODY, BUILD / "heapline", "report", "--json", "--at", "end", shown],
              env=harness.environment(TMPDIR=str(temporary)), check=0)
    assert ran.json["run"]["complete"] is False
    (kept,) = (row for row in ran.json["rows"] if row["line"] == source.lines["kept"])
    assert kept["blocks"] == 1000
    assert list(temporary.iterdir()) == []
    assert beside(shown) == ["run.heapline", "run.heapline-wal"]
    folder.chmod(0o755)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_nothing_is_folded_from_elsewhere(python, program, tmp_path, suffix):
    """A link beside the file leads where the user did not want to write."""
    _, file = killed_collector(python, program, tmp_path)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    beside_it = file.parent / f"{file.name}{suffix}"
    beside_it.unlink(missing_ok=True)
    beside_it.symlink_to(precious)
    run([BUILD / "heapline", "report", "--json", file])
    assert precious.read_text() == "precious"
    assert beside_it.is_symlink()


def refused(python, file, *options):
    """A second run into the file, which is not to begin."""
    mark = file.parent / "mark"
    ran = run(heapline_run([python.path, "-c", f"open({str(mark)!r}, 'w')"], file, options), check=125)
    assert not mark.exists()
    assert ran.err.count("\n") == 1
    return ran.err


def test_not_replaced_while_written(interpreter, program, tmp_path):
    source = program(STEPS.format(children=0))
    process, file = begin(interpreter, source, tmp_path)
    assert f"{file} is being written by another run; choose another name with -o" in refused(interpreter, file, "-f")
    assert f"{file} exists" in refused(interpreter, file)
    go_on(process)
    assert f"{file} is being written by another run" in refused(interpreter, file, "-f")
    assert end(process).status == 0
    check(file, source, 0)
    assert beside(file) == [file.name]
    run(heapline_run([interpreter.path, "-c", "1"], file, ["-f"]), check=0)
    harness.assert_complete(harness.Recording(file))


@pytest.mark.parametrize("options", [[], ["-f"]])
def test_name_of_a_deleted_one(python, program, tmp_path, options):
    """What stands beside the name is still the first one's."""
    process, file = begin(python, program(STEPS.format(children=0)), tmp_path)
    file.unlink()
    assert f"was called {file} is still written or read" in refused(python, file, *options)
    assert not file.exists()
    go_on(process)
    assert end(process).status == 0
    assert beside(file) == []
    run(heapline_run([python.path, "-c", "1"], file), check=0)
    harness.assert_complete(harness.Recording(file))


def test_two_of_one_name(python, program, tmp_path):
    """All of the first one's files are deleted: its end takes nothing of the second's along."""
    source = program(STEPS.format(children=0))
    first, file = begin(python, source, tmp_path)
    for name in beside(file):
        (tmp_path / name).unlink()
    second, _ = begin(python, source, tmp_path)
    ran = end(first)
    go_on(second)
    assert "it was deleted while it was written, and is lost" in ran.err
    assert end(second).status == 0
    check(file, source, 0)
    assert beside(file) == [file.name]


def test_replaced_after_its_writer_died(interpreter, program, tmp_path):
    """Nothing that it has left comes into the new one."""
    source, file = killed_collector(interpreter, program, tmp_path)
    assert len(beside(file)) > 1
    new = program("kept = bytes(1_234_567)  #: kept")
    run(heapline_run([interpreter.path, new], file, ["-f"]), check=0)
    recording = harness.Recording(file)
    harness.assert_complete(recording)
    assert recording.line(new, "kept", "end").bytes == 1_234_567 + BYTES_HEADER
    assert beside(file) == [file.name]


@pytest.mark.parametrize("options", [[], ["-q"]])
@pytest.mark.parametrize("what", ["deleted", "folder", "renamed", "replaced"])
def test_gone_while_written(interpreter, program, tmp_path, what, options):
    """It is said, also to who wants to hear little, and the status stays the command's own."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere.heapline"
    folder.mkdir()
    file = folder / "run.heapline"
    source = program("import sys; print('ready', flush=True); sys.stdin.readline(); sys.exit(3)")
    process = start(heapline_run([interpreter.path, source], file, options))
    assert process.stdout.readline() == "ready\n"
    if what == "deleted":
        file.unlink()
    elif what == "folder":
        shutil.rmtree(folder)
    else:
        file.rename(elsewhere)
    if what == "replaced":
        file.write_text("mine")
    ran = end(process)
    fate = ("it was deleted while it was written, and is lost" if what in ("deleted", "folder") else
            f"it was renamed while it was written, and is now {elsewhere}")
    assert ran.err == f"heapline: the recording is no longer in {file}: {fate}\n"
    assert ran.status == 3
    if elsewhere.exists():
        harness.assert_complete(harness.Recording(elsewhere))
    if what == "replaced":
        assert file.read_text() == "mine"
    if folder.exists():
        assert [path.name for path in folder.iterdir()] == (["run.heapline"] if what == "replaced" else [])
