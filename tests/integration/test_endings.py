"""How processes end: each one's status or signal, and that nothing they did is missing."""

import ctypes
import json
import os
import re
import select
import signal
import struct
import time

import harness
import pytest
import stand_in
from cgroups import memory_cgroup
from harness import BUILD, BYTES_HEADER, assert_complete, heapline_run, run, start
from terminal import Terminal

# Blocks of a size that nobody else asks for.
BLOCKS, SIZE = 50, 77_777

# Ends in one of the ways, after it has allocated.
WAYS = f"""
    import ctypes, os, signal, sys
    def hold():
        held = [None] * {BLOCKS}
        for number in range({BLOCKS}):
            held[number] = bytes({SIZE})
        return held
    def end(way):
        held = hold()
        if way == "exit":
            sys.exit(3)
        if way == "raise":
            raise ValueError("no")
        if way == "_exit":
            os._exit(4)
        if way == "abort":
            os.abort()
        if way == "segv":
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            ctypes.string_at(1)
        if way == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()
    if __name__ == "__main__":
        end(sys.argv[1])
"""
# As subprocess has them.
ENDS = {
    "return": 0,
    "exit": 3,
    "raise": 1,
    "_exit": 4,
    "abort": -signal.SIGABRT,
    "segv": -signal.SIGSEGV,
    "kill": -signal.SIGKILL,
}


def processes(file, *options):
    return run([BUILD / "heapline", "processes", "--json", *options, file], check=0).json["processes"]


def status_of(row):
    """As subprocess has it; None where neither is known."""
    return row["exit_status"] if row["signal"] is None else -row["signal"]


def tree_of(file, *options):
    return run([BUILD / "heapline", "processes", *options, file], check=0).out


def words_in_tree(file):
    """[(pid, word for the ending)] as the tree has them."""
    return [(int(pid), word) for pid, word in re.findall(r"^ *(\d+) +(\S+)  ", tree_of(file), re.M)]


def word_of(status):
    return str(status) if status >= 0 else signal.Signals(-status).name


def blocks_of(file):
    """{process: (allocated, freed)} of the blocks of our size."""
    query = f"""SELECT process, sum(kind = 'allocation') AS made, sum(kind = 'free') AS freed FROM events
                WHERE size = {SIZE + BYTES_HEADER} GROUP BY process"""
    rows = run([BUILD / "heapline", "sql", "--json", file, query], check=0).json
    return {row["process"]: (row["made"], row["freed"]) for row in rows}


def verify(file):
    run([BUILD / "heapline", "check", "--verify", file], check=0)


def read_until(file, row_is_there):
    """Waits for the collector's next writing, and the ones after it."""
    end = time.monotonic() + harness.TIME_LIMIT
    while time.monotonic() < end:
        rows = processes(file)
        if any(row_is_there(row) for row in rows):
            return rows
        time.sleep(0.02)
    raise AssertionError(f"never written: {rows}")


def end(process, text=None):
    out, err = process.communicate(text, timeout=harness.TIME_LIMIT)
    return harness.Ran(process.returncode, out, err)


# --- every way to end --------------------------------------------------------------------------


@pytest.mark.parametrize("way", ENDS)
def test_the_command_itself(python, way, program, record):
    source = program(WAYS, "ways.py")
    recording = record(python, source, way, status=ENDS[way])
    assert_complete(recording)
    (row,) = processes(recording.file)
    assert status_of(row) == ENDS[way]
    assert row["ending"] == ("exited" if ENDS[way] >= 0 else "killed")
    assert words_in_tree(recording.file) == [(row["pid"], word_of(ENDS[way]))]
    ((made, freed),) = blocks_of(recording.file).values()
    assert made == BLOCKS and (freed == 0 or way in ("return", "exit", "raise"))
    # What is said of it: nothing where it ended well.
    text = run([BUILD / "heapline", "report", recording.file], check=0).out
    for words in (text, recording.err):
        if ENDS[way] > 0:
            assert f"ended with status {ENDS[way]}" in words
        if ENDS[way] < 0:
            words = " ".join(words.split())
            assert re.search(rf"was killed by {word_of(ENDS[way])} when it held \d", words)
            assert f"heapline report --at exit {recording.file}" in words


def test_children(interpreter, program, record):
    """Forked, by subprocess and by multiprocessing: what their parent is told stands in the file."""
    program(WAYS, "ways.py")
    source = program(
        f"""
        import json, multiprocessing, os, subprocess, sys
        import ways
        def forked(way):
            pid = os.fork()
            if pid == 0:
                ways.end(way)
                sys.exit(0)
            status = os.waitpid(pid, 0)[1]
            return pid, -(status & 127) if status & 127 else status >> 8
        def started(way):
            child = subprocess.Popen([sys.executable, ways.__file__, way])
            return child.pid, child.wait()
        def by_multiprocessing(way):
            child = multiprocessing.get_context("fork").Process(target=ways.end, args=(way,))
            child.start()
            child.join()
            return child.pid, child.exitcode
        ends = []
        for way in {list(ENDS)}:
            for begin in forked, started, by_multiprocessing:
                ends.append([way, *begin(way)])
        print(json.dumps(ends))
        """
    )
    env = harness.environment(PYTHONPATH=source.path.parent, PYTHONFAULTHANDLER=None)
    recording = record(interpreter, source, env=env)
    assert_complete(recording)
    told = recording.json
    assert all(status == ENDS[way] for way, _, status in told)
    rows = processes(recording.file)
    latest = {row["pid"]: row for row in rows}
    assert {pid: status_of(latest[pid]) for _, pid, _ in told} == {pid: status for _, pid, status in told}
    assert all(row["parent"] == rows[0]["pid"] and row["depth"] == 1 for row in rows[1:])
    words = dict(words_in_tree(recording.file))
    assert all(words[pid] == word_of(status) for _, pid, status in told)
    # Up to 3.9 subprocess forks: what it forked has made place for the program.
    replaced = [row for row in rows if row is not latest[row["pid"]]]
    assert len(replaced) == (0 if interpreter.version >= (3, 10) else len(ENDS))
    assert all(row["ending"] == "exec" and status_of(row) is None for row in replaced)
    assert tree_of(recording.file).count("replaced itself (exec)") == len(replaced)
    # Each has allocated what it should, to the last block, whatever became of it.
    made = [made for made, _ in blocks_of(recording.file).values()]
    assert made == [BLOCKS] * len(told)


def test_programs_one_after_the_other(python, program, record):
    """exec: a row for each, and the last one's status is the command's."""
    source = program(
        """
        import os, sys
        left = int(sys.argv[1])
        if left:
            os.execv(sys.executable, [sys.executable, __file__, str(left - 1)])
        sys.exit(6)
        """
    )
    recording = record(python, source, 3, status=6)
    rows = processes(recording.file)
    assert [row["ending"] for row in rows] == ["exec"] * 3 + ["exited"]
    assert [status_of(row) for row in rows] == [None] * 3 + [6]
    assert len({row["pid"] for row in rows}) == 1


def test_one_that_lives_on(python, program, tmp_path):
    source = program(
        """
        import os, signal
        ready, say_ready = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(say_ready, b"x")
            signal.pause()
        os.read(ready, 1)
        print(pid, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        """
    )
    read, write = os.pipe()
    process = start(heapline_run([python.path, source], tmp_path / "run.heapline"), stderr=write)
    child = int(process.stdout.readline())
    process.wait(harness.TIME_LIMIT)
    os.kill(child, signal.SIGKILL)
    os.close(write)
    with open(read) as stream:
        assert f"process {child} was still running when the recording ended" in stream.read()
    rows = processes(tmp_path / "run.heapline")
    assert [row["ending"] for row in rows] == ["killed", "running"]
    assert rows[1]["ended"] is None and status_of(rows[1]) is None and rows[0]["signal"] == signal.SIGTERM
    text = tree_of(tmp_path / "run.heapline")
    assert "still running" in text and "running" in text.split()


# --- from outside ------------------------------------------------------------------------------

FAMILY = f"""
    import os, signal, sys
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ready, say_ready = os.pipe()
    held = [None] * {BLOCKS}
    child = os.fork()
    for number in range({BLOCKS}):
        held[number] = bytes({SIZE})
    if child == 0:
        os.write(say_ready, b"x")
        signal.pause()
    os.read(ready, 1)
    def gone(*_):
        # The child has the signal too; it is waited for, so that its end is seen.
        os.waitpid(child, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, gone)
    signal.signal(signal.SIGHUP, gone)
    print("ready", flush=True)
    while True:
        signal.pause()
"""


@pytest.mark.parametrize("how", ["ctrl-c", "closed"])
def test_the_terminal(python, how, program, tmp_path):
    """Ctrl-C goes to the whole group; a terminal that is closed sends SIGHUP."""
    file = tmp_path / "run.heapline"
    terminal = Terminal(python, heapline_run([python.path, program(FAMILY)], file, ["-q"]), tmp_path)
    terminal.expect("ready\n")
    ended = os.pidfd_open(harness.collector_of(terminal.shell.pid))
    if how == "ctrl-c":
        terminal.press(b"\x03")
        assert terminal.reported() == f"killed {int(signal.SIGINT)}"
        terminal.close()
    else:
        terminal.hang_up()
    assert select.select([ended], [], [], harness.TIME_LIMIT)[0]
    os.close(ended)
    verify(file)
    parent, child = processes(file)
    assert parent["signal"] == signal.SIGINT
    assert child["signal"] == (signal.SIGINT if how == "ctrl-c" else signal.SIGHUP)
    assert blocks_of(file) == {1: (BLOCKS, 0), 2: (BLOCKS, 0)}


# Says that it is ready, goes on when it is told to, and has a child that does the same.
TWO = f"""
    import os, sys
    def hold():
        held = [None] * {BLOCKS}
        for number in range({BLOCKS}):
            held[number] = bytes({SIZE})
        return held
    first = hold()
    go_on, say_go_on = os.pipe()
    child = os.fork()
    if child == 0:
        own = hold()
        os.read(go_on, 1)
        os._exit(9)
    print("ready", flush=True)
    sys.stdin.readline()
    second = hold()
    os.write(say_go_on, b"x")
    print("child", os.waitpid(child, 0)[1] >> 8, flush=True)
    sys.stdin.readline()
    sys.exit(7)
"""


def test_run_killed(python, program, tmp_path):
    """The program goes on, and the file has all of it, its status too."""
    file = tmp_path / "run.heapline"
    process = start(heapline_run([python.path, program(TWO)], file, ["-q"]))
    assert process.stdout.readline() == "ready\n"
    ended = os.pidfd_open(harness.collector_of(process.pid))
    process.kill()
    process.wait()
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "child 9\n"
    process.stdin.close()
    assert select.select([ended], [], [], harness.TIME_LIMIT)[0]
    os.close(ended)
    assert process.stdout.read() == "" and process.stderr.read() == ""
    process.stdout.close()
    process.stderr.close()
    verify(file)
    assert [status_of(row) for row in processes(file)] == [7, 9]
    assert blocks_of(file)[1][0] == 2 * BLOCKS and blocks_of(file)[2] == (BLOCKS, 0)
    assert harness.report(file)["run"]["complete"] is True


def test_collector_killed(python, program, tmp_path):
    """The program goes on with its output and its status; the file ends at the last commit, which has
    all that had happened before it."""
    file = tmp_path / "run.heapline"
    process = start(heapline_run([python.path, program(TWO)], file))
    assert process.stdout.readline() == "ready\n"
    collector = harness.collector_of(process.pid)
    exact = SIZE + BYTES_HEADER
    rows = read_until(file, lambda row: row["depth"] == 1 and row["peak_bytes"] >= BLOCKS * exact)
    os.kill(collector, signal.SIGKILL)
    assert status_of(rows[0]) is None and rows[0]["ending"] == "running"
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "child 9\n"
    ran = end(process, "\n")
    assert ran.status == 7 and "collector ended unexpectedly" in ran.err
    verify(file)
    assert [row["ending"] for row in processes(file)] == ["running", "running"]
    assert blocks_of(file) == {1: (BLOCKS, 0), 2: (BLOCKS, 0)}
    assert "was still running when last recorded" in " ".join(tree_of(file, "--no-color").split())


# --- where the kernel forgets ------------------------------------------------------------------

PIDFD_GET_INFO = 0xC040FF0B  # ioctl of Linux 6.15
IOCTL_X86_64 = 16


def as_on_an_older_kernel():
    """In the child: the ioctl that tells of reaped processes is one that nobody knows (ENOTTY)."""
    load, equal, answer = 0x20, 0x15, 0x06
    allow, fail = 0x7FFF0000, 0x00050000 | 25
    steps = [
        (load, 0, 0, 0),  # the call's number
        (equal, 0, 3, IOCTL_X86_64),
        (load, 0, 0, 24),  # the low half of its second argument
        (equal, 0, 1, PIDFD_GET_INFO),
        (answer, 0, 0, fail),
        (answer, 0, 0, allow),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, seccomp, by_filter = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(seccomp, by_filter, program, 0, 0):
        raise OSError(ctypes.get_errno(), "no seccomp filter")


def test_an_older_kernel(python, program, record):
    """What the parent was told is what stands in the file."""
    program(WAYS, "ways.py")
    source = program(
        f"""
        import json, os, subprocess, sys
        import ways
        ends = []
        for way in {list(ENDS)}:
            child = subprocess.Popen([sys.executable, ways.__file__, way], stderr=subprocess.DEVNULL)
            ends.append([child.pid, child.wait()])
        print(json.dumps(ends))
        sys.exit(2)
        """
    )
    env = harness.environment(PYTHONPATH=source.path.parent)
    recording = record(python, source, env=env, status=2, preexec_fn=as_on_an_older_kernel)
    rows = {row["pid"]: status_of(row) for row in processes(recording.file)[1:]}
    assert rows == {pid: status for pid, status in recording.json}
    assert list(rows.values()) == list(ENDS.values())


@pytest.mark.parametrize("text, ends", [("os._exit(5)", 5), ("os.kill(os.getpid(), 15)", -15)])
def test_a_zombie(python, program, text, ends, tmp_path):
    """Nobody has waited for it yet, and nobody but the kernel knows."""
    source = program(
        f"""
        import os, sys
        child = os.fork()
        if child == 0:
            {text}
        print("ready", flush=True)
        sys.stdin.readline()
        """
    )
    file = tmp_path / "run.heapline"
    process = start(heapline_run([python.path, source], file), preexec_fn=as_on_an_older_kernel)
    assert process.stdout.readline() == "ready\n"
    rows = read_until(file, lambda row: row["depth"] == 1 and row["ended"] is not None)
    assert [status_of(row) for row in rows] == [None, ends]
    assert end(process, "\n").status == 0


@pytest.mark.parametrize("text, ends", [("os._exit(5)", 5), ("os.kill(os.getpid(), 15)", -15)])
def test_only_the_parent_knows(python, program, text, ends, tmp_path):
    """It has been waited for before the collector could look: what the parent says is all there is."""
    source = program(
        f"""
        import os, sys
        go_on, say_go_on = os.pipe()
        child = os.fork()
        if child == 0:
            os.read(go_on, 1)
            {text}
        print("ready", flush=True)
        sys.stdin.readline()
        os.write(say_go_on, b"x")
        os.wait()
        print("waited", flush=True)
        sys.stdin.readline()
        """
    )
    file = tmp_path / "run.heapline"
    process = start(heapline_run([python.path, source], file), preexec_fn=as_on_an_older_kernel)
    assert process.stdout.readline() == "ready\n"
    read_until(file, lambda row: row["depth"] == 1)
    collector = harness.collector_of(process.pid)
    os.kill(collector, signal.SIGSTOP)
    try:
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "waited\n"
    finally:
        os.kill(collector, signal.SIGCONT)
    assert end(process, "\n").status == 0
    assert [status_of(row) for row in processes(file)] == [0, ends]


def test_a_child_that_was_gone_before_its_hello_was_read(python, program, tmp_path):
    """Its parent has killed it and waited for it. It had done nothing of its own, and is there."""
    source = program(
        """
        import os, sys
        kept = bytes(1_000_001)
        print("ready", flush=True)
        sys.stdin.readline()
        child = os.fork()
        if child == 0:
            os._exit(0)  # never comes so far
        waits = {"7", "45", "47", "271"}  # poll, recvfrom, recvmsg, ppoll
        while open(f"/proc/{child}/syscall").read().split()[0] not in waits:
            os.sched_yield()
        os.kill(child, 9)
        os.waitpid(child, 0)
        print("waited", flush=True)
        sys.stdin.readline()
        """
    )
    file = tmp_path / "run.heapline"
    process = start(heapline_run([python.path, source], file, ("-q",)))
    assert process.stdout.readline() == "ready\n"
    collector = harness.collector_of(process.pid)
    os.kill(collector, signal.SIGSTOP)
    try:
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "waited\n"
    finally:
        os.kill(collector, signal.SIGCONT)
    ended = end(process, "\n")
    assert (ended.status, ended.err) == (0, "")
    recording = harness.Recording(file, 0, "", "")
    harness.assert_complete(recording)
    parent, child = processes(file)
    assert (status_of(parent), status_of(child)) == (0, -9)
    assert child["parent"] == parent["pid"]


def test_another_program_in_its_place(interpreter, program, record):
    """What a process held goes when it becomes another program, also one that is no Python; not where that failed, nor
    with a vfork child, which shares its memory."""
    source = program(
        """
        import os, subprocess, sys
        try:
            os.execv("/nowhere", ["nowhere"])
        except FileNotFoundError:
            pass
        subprocess.run(["true"])
        started, go_on = os.pipe()
        child = os.fork()
        if child == 0:
            held = bytes(3_000_000)  #: held
            os.dup2(go_on, 1)
            os.execv("/bin/sh", ["sh", "-c", "echo x; exec sleep 1; exit 1"])
        os.read(started, 1)
        kept = bytes(2_000_000)  #: kept
        os.waitpid(child, 0)
        kept = bytes(4_000_000)  #: last
        """
    )
    recording = record(interpreter, source)
    harness.assert_complete(recording)
    parent, *_, child = processes(recording.file)  # before 3.10 subprocess forks
    assert (status_of(parent), child["ending"], child["leaked_bytes"]) == (0, "exec", 0)
    assert child["ended"] - child["started"] < 1
    assert recording.line(source, "held", "peak").blocks == 0
    assert recording.line(source, "last", "peak").bytes == 4_000_000 + harness.BYTES_HEADER


def test_a_program_behind_a_shell_in_its_place(python, program, record):
    """It is what the process was before the shell."""
    source = program(
        """
        import os, sys
        if len(sys.argv) == 1:
            held = bytes(3_000_000)  #: held
            os.execv("/bin/sh", ["sh", "-c", f"sleep 0.3; exec {sys.executable} {sys.argv[0]} again"])
        kept = bytes(2_000_000)  #: kept
        """
    )
    recording = record(python, source)
    harness.assert_complete(recording)
    before, after = processes(recording.file)
    assert (before["ending"], before["pid"], status_of(after)) == ("exec", after["pid"], 0)
    assert (before["parent"], before["leaked_bytes"]) == (after["parent"], 0)
    peak = recording.report()["totals"]["peak_bytes"]
    assert 3_000_000 < peak < 5_000_000


CHILD_ENDED, REFUSED = 5, 6


def test_what_the_shim_says_of_children(python, program, edition):
    """One mark for every end that the program learns of, by whatever function, and for nothing else."""
    source = program(
        """
        import ctypes, json, os, signal, sys, time
        libc = ctypes.CDLL(None)
        told = []
        def child(status):
            pid = os.fork()
            if pid == 0:
                if status < 0:
                    os.kill(os.getpid(), -status)
                os._exit(status)
            told.append([pid, status])
            return pid
        def stopped():
            pid = os.fork()
            if pid == 0:
                os.kill(os.getpid(), signal.SIGSTOP)
                os._exit(17)
            return pid
        os.waitpid(child(1), 0)
        os.waitpid(child(-15), 0)
        child(2); os.wait()
        child(3); os.wait3(0)
        os.wait4(child(-9), 0)
        os.waitid(os.P_PID, child(255), os.WEXITED)
        os.waitid(os.P_PID, child(-6), os.WEXITED)
        # Without a place for the status.
        child(4); libc.wait(None)
        libc.waitpid(child(5), None, 0)
        child(6); libc.wait3(None, 0, None)
        libc.wait4(child(7), None, 0, None)
        libc.waitid(os.P_PID, child(-10), None, os.WEXITED)
        # Nothing has ended, or it is only looked at.
        pid = stopped()
        assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        assert os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is None
        assert libc.waitid(os.P_PID, pid, None, os.WEXITED | os.WNOHANG) == 0
        os.kill(pid, signal.SIGCONT)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        told.append([pid, 17])
        os.waitpid(pid, 0)
        # In a handler of the signal.
        reaped = []
        def handler(*_):
            reaped.append(os.waitpid(-1, os.WNOHANG)[0])
        signal.signal(signal.SIGCHLD, handler)
        pid = child(8)
        while pid not in reaped:
            time.sleep(0.01)  # and not pause(): the signal may come between the look and the wait
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            os.wait()
            sys.exit("there is nobody left")
        except ChildProcessError:
            pass
        print(json.dumps(told))
        """
    )
    out, marks = stand_in.marks_of([python.path, source], CHILD_ENDED, edition)
    statuses = [(pid, status << 8 if status >= 0 else -status) for pid, status in json.loads(out)]
    seen = [(mark >> 16, mark & 0xFFFF & ~0x80) for mark in marks]  # with or without a core
    assert seen == statuses


# --- for want of memory ------------------------------------------------------------------------


GREEDY = """
    import os, signal, sys
    with open(sys.argv[1], "w") as file:
        file.write(str(os.getpid()))
    # One that somebody else kills, in the same cgroup and at the same time: no death by memory.
    other = os.fork()
    if other == 0:
        signal.pause()
    child = os.fork()
    if child == 0:
        held = []
        while True:
            held.append(b"x" * 1_000_003)  #: held
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    os.kill(other, signal.SIGKILL)
    os.waitpid(other, 0)
    print(other, child)
"""


def test_the_oom_killer(python, program, record):
    with memory_cgroup(64_000_000) as cgroup:
        recording = record(python, program(GREEDY), f"{cgroup}/cgroup.procs")
    other, child = map(int, recording.out.split())
    rows = {row["pid"]: row for row in processes(recording.file)}
    assert [rows[pid]["signal"] for pid in (other, child)] == [signal.SIGKILL] * 2
    assert [rows[pid]["out_of_memory"] for pid in (other, child)] == [False, True]
    assert rows[child]["leaked_bytes"] > 30_000_000
    text = " ".join(run([BUILD / "heapline", "report", recording.file], check=0).out.split())
    held = harness.run([BUILD / "heapline", "report", "--at", "exit", "--pid", child, recording.file], check=0).out
    for words in (text, recording.err):
        assert re.search(rf"rocess {child} was killed by the kernel for want of memory \(OOM\) when it held", words)
        assert f"--at exit --pid {child}" in words
        assert f"rocess {other} was killed by SIGKILL when it held" in words
    assert "held.append(b\"x\" * 1_000_003)" in held


def test_refused_memory(interpreter, program, record):
    """Allocations that fail under a limit are counted, and the largest is named."""
    source = program(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        for size in (5 << 30, 1 << 40, 6 << 30):
            try:
                bytes(size)  #: largest
            except MemoryError:
                print("refused")
        def last():
            bytes(7 << 30)
        last()
        """
    )
    recording = record(interpreter, source, status=1)
    assert recording.out == "refused\n" * 3 and "MemoryError" in recording.err
    assert_complete(recording)
    (row,) = processes(recording.file)
    assert (row["exit_status"], row["failed_allocations"]) == (1, 4)
    assert row["largest_failed_bytes"] == (1 << 40) + BYTES_HEADER
    line = source.lines["largest"]
    place = (row["largest_failed_file"], row["largest_failed_line"], row["largest_failed_function"])
    assert place == (str(source), line, "<module>")
    said = f"4 allocations failed, the largest of 1024 GiB at program.py:{line} <module>"
    assert said in recording.err
    text = run([BUILD / "heapline", "report", recording.file], check=0).out
    assert said in " ".join(text.split())
    assert "4 allocations failed" in " ".join(tree_of(recording.file).split())


def test_refused_in_c(python, program, edition):
    """Of malloc and its kin. What is refused for another reason is not for want of memory."""
    source = program(
        """
        import ctypes
        libc = ctypes.CDLL(None)
        for name in ("malloc", "calloc", "realloc", "aligned_alloc", "memalign", "valloc"):
            getattr(libc, name).restype = ctypes.c_void_p
        size = ctypes.c_size_t
        huge = 1 << 46
        assert not libc.malloc(size(huge))
        assert not libc.calloc(size(2), size(huge))
        assert not libc.realloc(None, size(huge + 1))
        block = ctypes.c_void_p(libc.malloc(size(100)))
        assert not libc.realloc(block, size(huge + 2))
        assert not libc.realloc(block, size(0))  # freed
        assert not libc.aligned_alloc(size(64), size(huge + 64))
        assert not libc.memalign(size(64), size(huge + 3))
        assert not libc.valloc(size(huge + 4))
        assert not libc.malloc(size((1 << 63) - 1))
        out = ctypes.c_void_p()
        assert libc.posix_memalign(ctypes.byref(out), size(3), size(100)) == 22
        """
    )
    _, marks = stand_in.marks_of([python.path, source], REFUSED, edition)
    huge = 1 << 46
    assert marks == [huge, 2 * huge, huge + 1, huge + 2, huge + 64, huge + 3, huge + 4, (1 << 48) - 1]


# --- heapline processes ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """A recording of a command with a tree of processes of different sizes and a hostile name."""
    folder = tmp_path_factory.mktemp("family")
    source = harness.Program.write(
        folder,
        r"""
        import os, subprocess, sys
        def down(depth, size):
            pid = os.fork()
            if pid == 0:
                held = bytes(size)
                if depth:
                    down(depth - 1, size // 2)
                os._exit(0)
            os.waitpid(pid, 0)
        down(2, 4_000_000)
        down(0, 9_000_000)
        subprocess.run([sys.executable, "-c", "x = 1\n\x1b[31m\x9b"], stderr=subprocess.DEVNULL)
        """,
    )
    return harness.record([harness_python(), source], folder / "run.heapline").file


def harness_python():
    return "/usr/bin/python3"


def test_the_tree(family):
    rows = processes(family)
    assert [row["depth"] for row in rows] == [0, 1, 2, 3, 1, 1] + [1] * (len(rows) - 6)
    for row in rows[1:]:
        (parent,) = [other for other in rows if other["pid"] == row["parent"] and other["ending"] != "exec"]
        assert parent["depth"] + 1 == row["depth"] and parent["started"] <= row["started"]
    assert all(row["ended"] >= row["started"] for row in rows)
    text = tree_of(family)
    column = text.splitlines()[1].index("command")
    starts = [line[column:] for line in text.splitlines()[2:8]]
    assert [re.match(r"[├└│ ]*", start)[0] for start in starts] == ["", "├ ", "│ └ ", "│   └ ", "├ ", "└ "]


def test_what_the_tree_shares_with_the_report(family):
    rows = {row["pid"]: row for row in processes(family)}
    for row in harness.report(family)["processes"]:
        other = rows[row["pid"]]
        assert {key: other[key] for key in row} == row


def test_sorted_and_limited(family):
    peaks = [row["peak_bytes"] for row in processes(family, "--sort", "peak") if row["depth"] == 1]
    assert peaks == sorted(peaks, reverse=True) and peaks != [
        row["peak_bytes"] for row in processes(family) if row["depth"] == 1
    ]
    ran = run([BUILD / "heapline", "processes", "--json", "-n", "2", family], check=0).json
    assert len(ran["processes"]) == 2 and ran["rows_omitted"] == len(processes(family)) - 2
    assert f"… {ran['rows_omitted']} more" in tree_of(family, "-n", "2")


def test_hostile_text(family):
    for options in ([], ["--csv"]):
        text = tree_of(family, *options)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text) and r"\n" in text
    for columns in (40, 80, 200):
        env = harness.environment(COLUMNS=columns)
        text = run([BUILD / "heapline", "processes", family], env=env, check=0).out
        assert all(len(line) <= columns for line in text.splitlines())


def test_csv(family):
    import csv

    rows = list(csv.DictReader(tree_of(family, "--csv").splitlines()))
    for row, other in zip(rows, processes(family), strict=True):
        for key in ("pid", "parent", "depth", "exit_status", "signal", "peak_bytes", "allocations"):
            assert row[key] == ("" if other[key] is None else str(other[key]))
        assert row["ending"] == other["ending"]


def test_statuses(family, tmp_path):
    command = [BUILD / "heapline", "processes"]
    assert "heapline processes" in run([*command, "--help"], check=0).out
    for wrong in (["--sort", "colour"], ["-n", "x"], ["--json", "--csv"], [family, family], ["--pid", "1"]):
        ran = run([*command, *wrong], check=2)
        assert ran.err and not ran.out
    broken = tmp_path / "broken.heapline"
    broken.write_bytes(family.read_bytes()[:20_000])
    for file in (broken, tmp_path / "missing"):
        ran = run([*command, file], check=1)
        assert str(file) in ran.err and not ran.out
    harness.record(["true"], tmp_path / "none.heapline")
    assert "No Python process was recorded." in run([*command, tmp_path / "none.heapline"], check=0).out
    assert processes(tmp_path / "none.heapline") == []


@pytest.mark.parametrize("name", ["format-1", "format-1-slices"])
def test_older_recordings(name):
    """From before more was known of endings than their status."""
    file = harness.TESTS / "data" / f"{name}.heapline"
    (row,) = processes(file)
    assert (row["ending"], row["exit_status"]) == ("exited", 0)
    assert row["out_of_memory"] is None and row["failed_allocations"] is None
    assert re.search(r" 0 .*app\.py", tree_of(file))
