"""Who is missing from a recording is counted in it."""

import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import harness
import pytest
from harness import BUILD, BYTES_HEADER, assert_complete, run


def about(recording):
    return recording.summary["run"]


def check_missing(recording, **absences):
    """It is said by the recording, by every report and by the summary."""
    facts = about(recording)
    assert facts["complete"] is False and facts["absences"] == absences, facts
    text = " ".join(run([BUILD / "heapline", "report", recording.file], check=0).out.split())
    page = run([BUILD / "heapline", "html", "-o", "-", recording.file], check=0).out
    for words in facts["trouble"].split("; "):
        assert words in text and words in page and words in recording.err
    assert recording.sql("SELECT reason, processes FROM absence ORDER BY reason") == sorted(absences.items())


def test_a_forked_child_out_of_reach(interpreter, program, record):
    """It has no descriptor left to say hello with."""
    source = program(
        """
        import os, resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 4096))
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
        """
    )
    recording = record(interpreter, source)
    check_missing(recording, unheard=3)
    assert about(recording)["trouble"].startswith("3 processes were never heard of")


@pytest.mark.parametrize("way", ["spawn", "subprocess", "execv"])
def test_a_python_that_says_no_hello(way, interpreter, program, record, tmp_path):
    """Its name says that it is one; it takes no shim."""
    folder = tmp_path / "bin"
    folder.mkdir()
    silent = folder / "python3.9"
    (tmp_path / "silent.c").write_text("int main(void) { return 3; }\n")
    subprocess.run(["cc", "-static", "-o", silent, tmp_path / "silent.c"], check=True)
    source = program(
        """
        import os, subprocess, sys
        way, silent = sys.argv[1:]
        if way == "spawn":
            os.waitpid(os.posix_spawn(silent, [silent], os.environ), 0)
        elif way == "subprocess":
            subprocess.run([silent])
        else:
            os.execv(silent, [silent])
        """
    )
    recording = record(interpreter, source, way, silent, status=3 if way == "execv" else 0)
    check_missing(recording, unheard=1)


def test_nobody_is_missing(interpreter, program, record):
    """Whatever the way, and where exec or fork fails there is nobody."""
    source = program(
        """
        import os, subprocess, sys
        subprocess.run([sys.executable, "-c", "pass"])
        subprocess.run([sys.executable, "-c", "pass"], preexec_fn=lambda: None)
        os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-c", "pass"], os.environ), 0)
        for missing in ("/nonexistent/python3", "python3.99"):
            try:
                os.execvp(missing, [missing])
            except OSError:
                pass
            try:
                subprocess.run([missing])
            except OSError:
                pass
        pid = os.fork()
        if pid == 0:
            os.execv(sys.executable, [sys.executable, "-c", "pass"])
        os.waitpid(pid, 0)
        os.execv(sys.executable, [sys.executable, "-c", "pass"])
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    assert about(recording)["absences"] == {} and about(recording)["trouble"] is None


def test_a_fork_that_fails(python, program, record):
    if os.geteuid() != 0:
        pytest.skip("the user's processes are counted, and root is none whom that limits")
    source = program(
        """
        import os, resource
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        os.setresuid(65534, 65534, 65534)
        try:
            os.fork()
        except BlockingIOError:
            print("none")
        """
    )
    recording = record(python, source)
    assert recording.out == "none\n"
    assert_complete(recording)


def test_a_child_with_no_room(python, program, record):
    """It says so itself."""
    source = program(
        """
        import os, resource, subprocess, sys
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (20 << 20, 20 << 20))
        code = "import os; os.write(1, b'here')"
        print(subprocess.run([sys.executable, "-S", "-c", code], preexec_fn=limit, stdout=-1).stdout)
        """
    )
    recording = record(python, source)
    check_missing(recording, own_limit=1)


def test_another_network_namespace(interpreter, program, tmp_path):
    """An abstract socket cannot be reached from there; its file can."""
    words = ["unshare", "-rn"]
    if run([*words, "true"]).status:
        pytest.skip("no network namespaces here")
    source = program("kept = bytes(3_000_000)  #: kept")
    recording = harness.record([*words, interpreter.path, source], tmp_path / "run.heapline")
    assert recording.err.count("cannot reach") == 0
    assert_complete(recording)
    assert recording.line(source, "kept").bytes == 3_000_000 + BYTES_HEADER


def test_the_sockets_file_goes_with_the_run(python, program, tmp_path):
    source = program("import sys; print('here', flush=True); sys.stdin.read()")
    process = harness.start(harness.heapline_run([python.path, source], tmp_path / "run.heapline"))
    assert process.stdout.readline() == "here\n"
    variables = b"".join(Path(f"/proc/{pid}/environ").read_bytes() for pid in harness.descendants(process.pid))
    name = re.search(rb"HEAPLINE_DAEMON=unix:@(heapline-[0-9a-f]{32})", variables)[1].decode()
    assert Path("/tmp", name).is_socket()
    process.communicate("", timeout=harness.TIME_LIMIT)
    assert not Path("/tmp", name).exists()


def test_who_goes_on(python, program, record):
    source = program(
        """
        import os, sys
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(write, b"x")
                for stream in (0, 1, 2):
                    os.dup2(os.open("/dev/null", os.O_RDWR), stream)
                import select
                select.select([], [], [], 5)
            os._exit(0)
        os.read(read, 1)
        """
    )
    recording = record(python, source)
    check_missing(recording, went_on=1)
    assert "1 process went on after the recording's end" in recording.err


DAEMON = """
    import os, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open("/dev/null", os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            while os.getppid() == int(sys.argv[1]) or os.path.exists(sys.argv[2]):
                time.sleep(0.01)
            leak = [bytes(50_000 + n) for n in range(100)]  #: leak
        os._exit(0)
"""


@pytest.mark.parametrize("options", [["--wait"], ["--for", "10m"]], ids=["wait", "for"])
def test_a_program_that_daemonizes(options, interpreter, program, tmp_path):
    """It is followed to its end, and is its starter's grandchild."""
    source = program(DAEMON)
    flag = tmp_path / "flag"
    flag.touch()
    words = harness.heapline_run([interpreter.path, source, "0", flag], tmp_path / "run.heapline", options)
    process = harness.start(words)
    while not (tmp_path / "run.heapline").exists() or len(pids_of(tmp_path / "run.heapline")) < 3:
        assert process.poll() is None
        time.sleep(0.05)
    flag.unlink()
    _, err = process.communicate()
    assert process.returncode == 0 and "went on" not in err
    recording = harness.Recording(tmp_path / "run.heapline")
    assert_complete(recording)
    assert recording.line(source, "leak", at="end").bytes > 5_000_000
    first, second, third = recording.summary["processes"]
    assert (second["parent"], third["parent"]) == (first["pid"], second["pid"])


def pids_of(file):
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        try:
            return database.execute("SELECT pid FROM process").fetchall()
        except sqlite3.OperationalError:
            return []


@pytest.mark.parametrize("how", ["limit", "interrupt"])
def test_a_wait_that_ends(how, python, program, tmp_path):
    source = program(DAEMON)
    flag = tmp_path / "flag"
    flag.touch()
    options = ["--for", "1"] if how == "limit" else ["--wait"]
    words = harness.heapline_run([python.path, source, "0", flag], tmp_path / "run.heapline", options)
    process = harness.start(words)
    while how == "interrupt" and process.poll() is None:
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    flag.unlink()
    facts = harness.Recording(tmp_path / "run.heapline").summary["run"]
    assert facts["absences"] == {"went_on": 1} and facts["complete"] is False
    assert "1 process went on" in err and "--wait" in err


@pytest.mark.parametrize("way", ["shell", "detached"])
def test_parents_through_shells(way, interpreter, program, record):
    source = program(
        """
        import os, subprocess, sys
        if len(sys.argv) == 2:
            line = '"$0" "$1" 1 2; true'
            if sys.argv[1] == "detached":
                line = '(while kill -0 $PPID; do sleep 0.01; done; exec "$0" "$1" 1 2) 2>/dev/null & true'
            subprocess.Popen(["/bin/sh", "-c", line, sys.executable, sys.argv[0]], stdout=1).wait()
        """
    )
    options = {"options": ["--wait"]} if way == "detached" else {}
    recording = record(interpreter, source, way, **options)
    rows = recording.summary["processes"]
    rows = {row["pid"]: row for row in rows}  # before 3.10 the shell is a forked child first
    ancestors = [list(rows)[-1]]
    while rows[ancestors[-1]]["parent"]:
        ancestors.append(rows[ancestors[-1]]["parent"])
    assert ancestors[-1] == list(rows)[0] and len(ancestors) == len(rows) >= 2
    assert_complete(recording)
