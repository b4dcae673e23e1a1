"""The collector dies, stops, or cannot write: the program goes on as if nothing had been."""

import os
import select
import signal
import subprocess

import harness
import pytest
from harness import BUILD, BYTES_HEADER, heapline_run, run, start

pytestmark = pytest.mark.one_interpreter

# Says that it is ready, waits for a word, allocates far more than the ring holds, and ends.
STEPS = """
    import sys
    before = bytes(1_000_001)  #: before
    print("ready", flush=True)
    sys.stdin.readline()
    total = 0
    for number in range(300_000):
        total += len(bytes(number % 700))
    after = bytes(2_000_002)  #: after
    print("done", total, flush=True)
    sys.stdin.readline()
    sys.exit(5)
"""
PATIENCE = {"HEAPLINE_PATIENCE": "300"}


def begin(interpreter, source, tmp_path, *options):
    command = heapline_run([interpreter.path, source], tmp_path / "run.heapline", options)
    process = start(command, env=harness.environment(**PATIENCE), cwd=tmp_path)
    assert process.stdout.readline() == "ready\n"
    return process, harness.collector_of(process.pid)


def say(process, text):
    process.stdin.write(text)
    process.stdin.flush()


def end(process):
    out, err = process.communicate("end\n", timeout=harness.TIME_LIMIT)
    return harness.Ran(process.returncode, out, err)


def test_killed(interpreter, program, tmp_path):
    source = program(STEPS)
    process, collector = begin(interpreter, source, tmp_path)
    os.kill(collector, signal.SIGKILL)
    say(process, "go\n")
    ran = end(process)
    assert ran.status == 5
    assert ran.out.startswith("done ")
    assert "collector" in ran.err and "heapline" in ran.err
    assert "Traceback" not in ran.err


def test_killed_before_the_program_began(python, program, tmp_path):
    """Its socket is still there, and nobody answers."""
    source = program("import sys; print('ready', flush=True); sys.stdin.readline()")
    process, collector = begin(python, source, tmp_path)
    os.kill(collector, signal.SIGKILL)
    ran = end(process)
    assert ran.status == 0


def test_what_was_written_stays_readable(python, program, tmp_path):
    """Killed late: the file is a recording or says that it is none, never something between."""
    source = program(STEPS)
    process, collector = begin(python, source, tmp_path)
    say(process, "go\n")
    assert process.stdout.readline().startswith("done")
    os.kill(collector, signal.SIGKILL)
    assert end(process).status == 5
    ran = run([BUILD / "heapline", "report", "--json", tmp_path / "run.heapline"])
    assert ran.status in (0, 1)
    if ran.status == 0:
        assert ran.json["run"]["complete"] is False


def test_stopped(interpreter, program, tmp_path):
    """SIGSTOP: the program waits for room in the ring, but not for ever."""
    source = program(STEPS)
    process, collector = begin(interpreter, source, tmp_path)
    os.kill(collector, signal.SIGSTOP)
    try:
        say(process, "go\n")
        assert process.stdout.readline().startswith("done"), "while the collector is stopped"
    finally:
        os.kill(collector, signal.SIGCONT)
    ran = end(process)
    assert ran.status == 5
    assert "heapline" in ran.err
    report = harness.report(tmp_path / "run.heapline")
    assert report["run"]["complete"] is False or report["run"]["lost_events"] > 0


def test_stopped_for_good(python, program, tmp_path):
    """Nobody wakes it: `run` ends all the same, with the program's status."""
    source = program(STEPS)
    process, collector = begin(python, source, tmp_path)
    os.kill(collector, signal.SIGSTOP)
    say(process, "go\n")
    ran = end(process)
    assert ran.status == 5
    assert "heapline" in ran.err


def test_stopped_for_a_moment(python, program, tmp_path):
    """Within the patience nothing is lost."""
    source = program(STEPS.replace("300_000", "3000"))
    process, collector = begin(python, source, tmp_path)
    os.kill(collector, signal.SIGSTOP)
    say(process, "go\n")
    assert process.stdout.readline().startswith("done")
    os.kill(collector, signal.SIGCONT)
    assert end(process).status == 5
    recording = harness.Recording(tmp_path / "run.heapline")
    harness.assert_complete(recording)
    assert recording.line(source, "after", "end").bytes == 2_000_002 + BYTES_HEADER


def test_overflow_drop(python, program, tmp_path):
    """With --overflow=drop nobody waits, and what was dropped is counted and said."""
    source = program(STEPS)
    process, collector = begin(python, source, tmp_path, "--overflow=drop")
    os.kill(collector, signal.SIGSTOP)
    try:
        say(process, "go\n")
        assert process.stdout.readline().startswith("done")
    finally:
        os.kill(collector, signal.SIGCONT)
    ran = end(process)
    assert ran.status == 5
    report = harness.report(tmp_path / "run.heapline")
    assert report["run"]["lost_events"] > 1000
    assert report["run"]["complete"] is False
    text = run([BUILD / "heapline", "report", tmp_path / "run.heapline"], check=0)
    assert "lost" in text.out + text.err
    recording = harness.Recording(tmp_path / "run.heapline")
    reasons = dict(recording.sql("SELECT reason, times FROM damage"))
    assert sum(reasons.values()) == report["run"]["lost_events"] and reasons["dropped"] > 1000
    pid = report["processes"][0]["pid"]
    told = run([BUILD / "heapline", "check", "--verify", tmp_path / "run.heapline"], check=0).out.splitlines()
    assert len(told) == 1 + len(reasons)
    line = f"process {pid} lost {reasons['dropped']} records that the process had to drop"
    assert any(text.endswith(line) for text in told)


@pytest.fixture
def small_disk(tmp_path):
    """A file system that is soon full."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here (not root)")
    yield folder
    subprocess.run(["umount", folder], check=True)


# Stacks, code and source enough for a file of several megabytes.
LARGE = """
    import sys
    kept = []
    def down(n, depth):
        if depth == 0:
            kept.append(bytes(n % 100))
        elif n % 2:
            down(n // 2, depth - 1)
        else:
            down(n // 2, depth - 1)
    for n in range(60_000):
        down(n, 16)
    for n in range(3000):
        exec("def f_%d():\\n    kept.append(bytes(%d))\\nf_%d()" % (n, n, n))
    print("done", len(kept))
    sys.exit(6)
"""


def test_disk_full(python, program, small_disk):
    source = program(LARGE)
    file = small_disk / "run.heapline"
    ran = run(heapline_run([python.path, source], file))
    assert (ran.status, ran.out) == (6, "done 63000\n")
    assert "heapline" in ran.err and ("full" in ran.err or "space" in ran.err), ran.err
    report = run([BUILD / "heapline", "report", "--json", file])
    assert report.status in (0, 1)
    if report.status == 0:
        assert report.json["run"]["complete"] is False


def test_disk_full_from_the_start(python, program, small_disk):
    with open(small_disk / "filler", "wb", buffering=0) as filler:
        with pytest.raises(OSError):
            while True:
                filler.write(bytes(4096))
    source = program("open('ran', 'w')\n")
    ran = run(heapline_run([python.path, source], small_disk / "run.heapline"), cwd=source.path.parent)
    assert ran.status == 125
    assert "heapline" in ran.err
    assert not (source.path.parent / "ran").exists()


def test_folder_removed_in_the_middle(python, program, tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    source = program(STEPS)
    process = start(
        heapline_run([python.path, source], folder / "run.heapline"),
        env=harness.environment(**PATIENCE),
    )
    assert process.stdout.readline() == "ready\n"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    say(process, "go\n")
    ran = end(process)
    assert ran.status == 5 and ran.out.startswith("done")


def test_a_collector_that_cannot_be_started(python, program, tmp_path):
    """heaplined missing: 125, before the program starts."""
    lonely = tmp_path / "bin"
    lonely.mkdir()
    (lonely / "heapline").write_bytes((BUILD / "heapline").read_bytes())
    (lonely / "heapline").chmod(0o755)
    source = program("open('ran', 'w')\n")
    ran = run(
        heapline_run([python.path, source], tmp_path / "x.heapline", build=lonely), cwd=tmp_path
    )
    assert ran.status == 125 and "heapline" in ran.err
    assert not (tmp_path / "ran").exists()


def test_stopped_at_the_end(python, program, tmp_path):
    """A program that has ended is not held for long, and nobody tells what it no longer was."""
    source = program(
        """
        import sys
        kept = [bytes(1000) for _ in range(50_000)]
        print("ready", flush=True)
        sys.stdin.readline()
        print("done", flush=True)
        """
    )
    process, collector = begin(python, source, tmp_path)
    (target,) = [pid for pid, name in harness.descendants(process.pid).items() if name.startswith("python")]
    ended = os.pidfd_open(target)
    os.kill(collector, signal.SIGSTOP)
    try:
        say(process, "go\n")
        assert process.stdout.readline().startswith("done")
        assert select.select([ended], [], [], harness.TIME_LIMIT)[0], "it ends while the collector is stopped"
    finally:
        os.kill(collector, signal.SIGCONT)
        os.close(ended)
    assert end(process).status == 0
    harness.assert_complete(harness.Recording(tmp_path / "run.heapline"))
    looked = run([BUILD / "heapline", "resident", "--json", tmp_path / "run.heapline"])
    assert looked.status == 1 or looked.json["view"]["at"] == "peak"
