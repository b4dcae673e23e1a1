"""What fails on the way between a program and its daemon: calls of the kernel, memory,
descriptors, disks, clocks, peers that stop or say nothing, and peers of another version."""

import contextlib
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import threading
from pathlib import Path

import harness
import pytest
import sanitized
import wire
from harness import BUILD, BYTES_HEADER, run, start
from test_daemon import GREETING, TOKEN, Daemon, frame, frees, greet, hello, preloaded, verified, welcome_of
from wire import VERSION

SHIM = BUILD / "libheapline.so"
LOST = "heapline: the connection to the collector is lost; the program goes on untraced\n"
SILENT = "heapline: the collector does not answer; the program goes on untraced\n"
LIMITED = "heapline: the collector has reached a limit, heapline run or the log says which; this process runs untraced\n"
WAYS = ("unix", "unix-stream", "tcp")
STREAMS = WAYS[1:]


@pytest.fixture
def daemon(tmp_path):
    return Daemon(tmp_path)


@pytest.fixture
def faulty(compiled):
    """faulty(fault, libraries before it…): variables that make calls go wrong, see faults.c."""
    library = compiled("faults.c", "libfaults.so", "-shared", "-fPIC")

    def variables(fault, *before):
        return {"LD_PRELOAD": ":".join(str(path) for path in (*before, library)), "FAULTS": fault}

    return variables


@pytest.fixture
def threads(compiled):
    return compiled("threads.c", "libthreads.so", "-shared", "-fPIC")


def traced(daemon, way, **variables):
    """The environment of a program that comes to the daemon this way."""
    address = daemon.tcp if way == "tcp" else daemon.socket.replace("unix", way, 1)
    return {**preloaded(address, HEAPLINE_TOKEN=TOKEN), **variables}


def says(process, line):
    assert process.stdout.readline() == line + "\n"


def tell(process):
    process.stdin.write("\n")
    process.stdin.flush()


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT) if is_child(pid) else await_state(pid, "T")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def is_child(pid):
    return parent_of(pid) == os.getpid()


def stat_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def parent_of(pid):
    return int(stat_of(pid)[1])


def await_state(pid, state):
    while stat_of(pid)[0] != state:
        select.select([], [], [], 0.001)


def session_of(daemon):
    return int(daemon.await_event("run_begins")["session"])


# 20,000 blocks at the peak: more than a ring holds, counted exactly.
KEEPS = """
    import sys
    print("here", flush=True)
    sys.stdin.readline()
    kept = [bytes(5_000 + n) for n in range(20_000)]  #: kept
    del kept[10_000:]
    if len(sys.argv) > 1:  # more than a ring and a socket hold
        for n in range(int(sys.argv[1])):
            bytes(n % 700)
    print("done", flush=True)
"""
MUCH = "1000000"
KEPT_PEAK = sum(5_000 + n + BYTES_HEADER for n in range(20_000))


def about(file):
    return verified(file).summary["run"]


def is_complete(file):
    return about(file)["complete"] and about(file)["lost_events"] == 0


def missing(file):
    """How many processes are missing from a recording from which nothing else is."""
    found = about(file)
    count = sum(found["absences"].values())
    assert found["lost_events"] == 0 and found["complete"] == (count == 0), found
    return count


def check_keeps(file, source):
    assert is_complete(file), about(file)
    held = verified(file).line(source, "kept").bytes
    assert KEPT_PEAK <= held < KEPT_PEAK + 400_000


# --- calls of sockets ------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["short", "eintr"])
@pytest.mark.parametrize("side", ["program", "daemon"])
@pytest.mark.parametrize("way", WAYS)
def test_calls_that_do_not_do_all(tmp_path, python, program, faulty, fault, side, way):
    source = program(KEEPS)
    daemon = Daemon(tmp_path, variables=faulty(fault) if side == "daemon" else None)
    more = faulty(fault, SHIM) if side == "program" else {}
    ran = run([python.path, source], traced(daemon, way, **more), check=0)
    assert (ran.out, ran.err) == ("here\ndone\n", "")
    daemon.await_event("run_ends")
    check_keeps(daemon.recordings()[0], source)
    daemon.end()


def test_signals_while_it_connects_anew(daemon, python, program):
    """Signals come all the time, and the program closes our descriptor again and again."""
    source = program(
        """
        import os, signal
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for step in range(30):
            os.closerange(100, 4096)
            kept = [bytes(1_000) for n in range(3_000)]
        signal.setitimer(signal.ITIMER_REAL, 0)
        del kept
        kept = bytes(50_000_000)  #: kept
        """
    )
    ran = run([python.path, source], traced(daemon, "tcp"), check=0)
    assert ran.err == ""
    daemon.await_event("run_ends")
    (file,) = daemon.recordings()
    assert is_complete(file)
    assert verified(file).line(source, "kept").bytes == 50_000_000 + BYTES_HEADER
    daemon.end()


def test_a_frame_is_not_ended_in_a_foreign_socket(daemon, python, program, native, threads):
    """A thread waits in the middle of a frame when another one opens a socket in the place of
    ours. The stream begins the frame again elsewhere."""
    source = program(
        """
        import ctypes, os, socket, sys, threading
        native = ctypes.CDLL(os.environ["NATIVE"])
        replace = ctypes.CDLL(sys.argv[1]).replace_when_told
        print("here", flush=True)
        sys.stdin.readline()
        (ours,) = [int(n) for n in os.listdir("/proc/self/fd") if int(n) > 100]
        ends = socket.socketpair()
        work = threading.Thread(target=native.hold_many, args=(100, 500_000))
        work.start()
        replace(ends[0].fileno(), ours)
        work.join()
        kept = bytes(50_000_000)  #: kept
        ends[1].setblocking(False)
        try:
            print("got", len(ends[1].recv(100)))
        except BlockingIOError:
            print("got nothing")
        """
    )
    process = start([python.path, source, threads], traced(daemon, "tcp", NATIVE=str(native)))
    session = session_of(daemon)
    says(process, "here")
    with stopped(session):
        tell(process)
        await_call(other_thread(process.pid), SENDMSG)
        before = sockets_of(process.pid)
        tell(process)
        while sockets_of(process.pid) == before:
            select.select([], [], [], 0.0005)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "got nothing\n", "")
    daemon.await_event("run_ends")
    (file,) = daemon.recordings()
    assert is_complete(file)
    assert verified(file).line(source, "kept").bytes == 50_000_000 + BYTES_HEADER
    daemon.end()


SENDMSG, FUTEX = {"x86_64": ("46", "202"), "aarch64": ("211", "98")}.get(os.uname().machine, ("", ""))


def await_call(thread, call):
    """Until the thread has been found waiting in this call of the kernel."""
    while Path(f"/proc/{thread}/syscall").read_text().split()[0] != call:
        select.select([], [], [], 0.0005)


def other_thread(pid):
    """The second thread of a process, once there is one."""
    while len(threads := os.listdir(f"/proc/{pid}/task")) < 2:
        select.select([], [], [], 0.0005)
    return max(int(thread) for thread in threads)


def sockets_of(pid):
    """What a program's descriptors are."""
    return {number: os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}


def test_children_leave_the_stream_alone(daemon, python, program):
    """The child of a vfork closes all descriptors before it executes something. It shares our
    memory, and must not connect in its parent's name."""
    source = program(
        """
        import os, subprocess, time
        before = sorted(os.listdir("/proc/self/fd"))
        for _ in range(20):
            kept = [bytes(5_000 + n) for n in range(200)]
            subprocess.run(["true"], check=True)
        assert sorted(os.listdir("/proc/self/fd")) == before
        kept = bytes(50_000_000)  #: kept
        """
    )
    assert run([python.path, source], traced(daemon, "tcp"), check=0).err == ""
    daemon.await_event("run_ends")
    (file,) = daemon.recordings()
    assert is_complete(file)
    (process,) = verified(file).report()["processes"]
    assert process["peak_bytes"] > 50_000_000
    daemon.end()


@pytest.mark.parametrize("way", WAYS)
def test_a_thread_that_is_cancelled(daemon, python, program, threads, way):
    """Sending is a point of cancellation, allocating is none."""
    source = program(
        """
        import ctypes, sys
        work = ctypes.CDLL(sys.argv[1]).cancelled_after_its_work
        work.argtypes = [ctypes.c_size_t]
        assert work(200_000) == 1
        kept = [bytes(5_000 + n) for n in range(20_000)]  #: kept
        """
    )
    ran = run([python.path, source, threads], traced(daemon, way), check=0)
    assert ran.err == ""
    daemon.await_event("run_ends")
    check_keeps(daemon.recordings()[0], source)
    daemon.end()


class SlowRelay:
    """A relay to a daemon that takes its time with all but the first connection."""

    def __init__(self, daemon, seconds):
        self.daemon, self.seconds, self.count = daemon, seconds, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "tcp:127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = self.daemon.dial().thing
                # Hellos and welcomes are quick; what follows from the program is late.
                late = self.seconds if self.count else 0
                self.count += 1
                threading.Thread(target=self.pass_on, args=(near, far, late), daemon=True).start()
                threading.Thread(target=self.pass_on, args=(far, near, 0), daemon=True).start()

    @staticmethod
    def pass_on(source, target, late):
        first = True
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if late and not first:
                    select.select([], [], [], late)
                    late = 0
                first = False
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def test_last_words_that_are_late(daemon, python, program):
    """heapline run says that the command has ended before the last of its stream has come."""
    source = program("kept = bytes(50_000_000)  #: kept\nmore = bytes(1_000_000)  #: more\n")
    relay = SlowRelay(daemon, 0.3)
    command = [BUILD / "heapline", "run", "--daemon", relay.address, "--", python.path, source]
    ran = run(command, harness.environment(HEAPLINE_TOKEN=TOKEN), check=0)
    relay.listener.close()
    (file,) = daemon.recordings()
    assert is_complete(file)
    for name, size in (("kept", 50_000_000), ("more", 1_000_000)):
        assert verified(file).line(source, name).bytes >= size + BYTES_HEADER, ran.err
    daemon.end()


# --- memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_no_memory_for_a_ring_in_the_program(daemon, python, program, faulty, way):
    source = program(KEEPS)
    ran = run([python.path, source], traced(daemon, way, **faulty("ring", SHIM)), check=0)
    assert ran.out == "here\ndone\n"
    assert ran.err == "heapline: no memory to trace this process; it runs untraced\n"
    daemon.await_event("run_ends")
    assert run([python.path, source], traced(daemon, way), check=0).err == ""
    daemon.await_event("run_ends")
    daemon.end()


def test_a_kernel_that_cannot_seal_against_writing(tmp_path, python, program, faulty):
    """What the program could write is not shared with it: a stream takes the ring's place."""
    daemon = Daemon(tmp_path, variables=faulty("seal"))
    source = program(KEEPS)
    assert run([python.path, source], traced(daemon, "unix"), check=0).err == ""
    assert daemon.await_event("process_ends")["carrier"] == "stream"
    daemon.await_event("run_ends")
    assert is_complete(daemon.recordings()[0])
    check_keeps(daemon.recordings()[0], source)
    daemon.end()


def test_a_child_that_is_over_before_its_collector_goes_on(tmp_path, python, program, faulty):
    """The collector has not read that there is a fork when the child says hello, lets it in and is kept from
    its work then. What the parent does behind the child's end is not read before what the child has done."""
    file = tmp_path / "late"
    daemon = Daemon(tmp_path, variables={**faulty("late"), "FAULTS_FILE": str(file)})
    source = program(
        f"""
        import os
        kept = bytes(20_000_000)
        open("{file}", "w").close()
        while not os.path.exists("{file}.waits"):
            pass
        pid = os.fork()
        if pid == 0:
            own = bytes(30_000_000)
            os._exit(0)
        os.waitpid(pid, 0)
        del kept
        open("{file}.done", "w").close()
        """
    )
    assert run([python.path, source], traced(daemon, "unix"), check=0).err == ""
    daemon.await_event("run_ends")
    assert is_complete(daemon.recordings()[0])
    peak = harness.report(daemon.recordings()[0])["totals"]["peak_bytes"]
    assert 50_000_000 < peak < 58_000_000  # and an interpreter
    daemon.end()


@pytest.mark.parametrize("way", WAYS)
def test_no_memory_for_a_ring_in_the_daemon(tmp_path, python, program, faulty, way):
    daemon = Daemon(tmp_path, variables=faulty("ring"))
    ran = run([python.path, program(KEEPS)], traced(daemon, way), check=0)
    assert (ran.out, ran.err) == ("here\ndone\n", LIMITED)
    assert daemon.await_event("refused")["reason"] == "no memory or descriptors for another process"
    assert daemon.await_event("run_ends")["processes"] == "0"
    daemon.end()


# --- descriptors -----------------------------------------------------------------------------------


def with_descriptors(limit):
    def prepare():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    return prepare


def test_no_descriptors_in_the_daemon(tmp_path, python, program):
    """It says so once, lets nobody in for as long as it lasts, and goes on then."""
    daemon = Daemon(tmp_path, preexec_fn=with_descriptors(32))
    source = program(KEEPS)
    with contextlib.ExitStack() as silent:
        for _ in range(40):
            silent.enter_context(daemon.dial())
        assert daemon.await_event("cannot_accept")["reason"] == "Too many open files"
        process = start([python.path, source], traced(daemon, "unix"))
    daemon.await_event("accepts_again")
    assert process.communicate("\n") == ("here\ndone\n", "")
    daemon.await_event("run_ends")
    assert [seen["event"] for seen in daemon.seen].count("cannot_accept") == 1
    check_keeps(daemon.recordings()[0], source)
    daemon.end()


def test_no_descriptors_in_a_session(tmp_path, python, program):
    """Who does not find room is told; the others do not notice."""
    daemon = Daemon(tmp_path, preexec_fn=with_descriptors(24))
    source = program("import sys; print('here', flush=True); sys.stdin.read()")
    env = traced(daemon, "unix", HEAPLINE_SESSION="many")
    processes = [start([python.path, source], env) for _ in range(12)]
    for process in processes:
        says(process, "here")
    complaints = [process.communicate()[1] for process in processes]
    assert all(process.returncode == 0 for process in processes)
    inside = complaints.count("")
    for _ in range(inside):
        daemon.await_event("process_ends")
    daemon.end()
    assert 1 < inside < 12
    assert all(line.endswith("this process runs untraced\n") for line in complaints if line)
    (file,) = daemon.recordings()
    assert missing(file) == 12 - inside and len(verified(file).report()["processes"]) == inside


@pytest.mark.parametrize("way", WAYS)
def test_no_descriptors_in_the_program(daemon, python, program, way):
    """Its child cannot connect, and says so."""
    source = program(
        """
        import os, resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        kept = bytes(1_000_000)  #: kept
        pid = os.fork()
        if pid == 0:
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        """
    )
    ran = run([python.path, source], traced(daemon, way), check=0)
    cause = "the limit on open files (ulimit -n) leaves too few to trace with"
    assert ran.err == f"heapline: {cause}; this process runs untraced\n"
    daemon.await_event("run_ends")
    (file,) = daemon.recordings()
    assert missing(file) == 1
    assert verified(file).line(source, "kept").bytes == 1_000_000 + BYTES_HEADER
    daemon.end()


# --- disks -----------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here (not root)")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


LARGE = """
    import sys
    kept = []
    for n in range(9000):
        exec("def f_%d():\\n    kept.append(bytes(%d))\\nf_%d()" % (n, n, n))
    print("done", len(kept))
    sys.exit(6)
"""


def test_a_disk_that_fills(small_disk, tmp_path, python, program):
    """Its run says so, the program does not notice, and who comes later finds room again."""
    daemon = Daemon(tmp_path)
    small = program(KEEPS, "small.py")
    beside = start([python.path, small], traced(daemon, "unix"))
    says(beside, "here")
    ran = run([python.path, program(LARGE)], traced(daemon, "tcp"))
    assert (ran.status, ran.out, ran.err) == (6, "done 9000\n", "")
    ended = daemon.await_event("run_ends", level="warning")
    assert "full" in ended["trouble"]
    assert beside.communicate("\n") == ("done\n", "")
    verified(daemon.await_event("run_ends")["file"])  # it may have met the full disk as well
    for file in small_disk.iterdir():
        file.unlink()
    assert run([python.path, small], traced(daemon, "unix"), check=0).err == ""
    check_keeps(daemon.await_event("run_ends")["file"], small)
    daemon.end()


# --- stopped ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_session_that_is_stopped(tmp_path, python, program, way):
    """The program waits for a bounded time and says one line; other runs go on; and what the
    session finds when it is continued it writes, and that it is not all."""
    daemon = Daemon(tmp_path, variables={"HEAPLINE_PATIENCE": "300"})
    source = program(KEEPS + "    sys.stdin.readline()\n")
    process = start([python.path, source, MUCH], traced(daemon, way))
    session = session_of(daemon)
    says(process, "here")
    with stopped(session):
        tell(process)
        says(process, "done")
        other = run([python.path, program("", "other.py")], traced(daemon, way), check=0)
        assert other.err == ""
        assert is_complete(daemon.await_event("run_ends")["file"])
    _, err = process.communicate("\n")
    assert (process.returncode, err) == (0, SILENT)
    file = daemon.await_event("run_ends", level="warning")["file"]
    assert about(file)["complete"] is False
    # What its ring held, or the socket and the stream's own ring, is not lost.
    assert verified(file).line(source, "kept").bytes > KEPT_PEAK // 2
    daemon.end()


@pytest.mark.parametrize("way", STREAMS)
def test_a_session_that_is_stopped_for_a_moment(daemon, python, program, way):
    """Within the patience nothing is lost."""
    source = program(KEEPS)
    process = start([python.path, source, MUCH], traced(daemon, way))
    session = session_of(daemon)
    says(process, "here")
    with stopped(session):
        tell(process)
        await_call(process.pid, SENDMSG)
    assert process.communicate() == ("done\n", "")
    check_keeps(daemon.await_event("run_ends")["file"], source)
    daemon.end()


@pytest.mark.parametrize("way", WAYS)
def test_a_program_that_is_stopped(tmp_path, python, program, way):
    """For longer than any patience: the time is not its own, and nobody else waits."""
    daemon = Daemon(tmp_path, variables={"HEAPLINE_PATIENCE": "300"})
    source = program(KEEPS)
    process = start([python.path, source], traced(daemon, way, HEAPLINE_SESSION="both"))
    says(process, "here")
    with stopped(process.pid):
        beside = run([python.path, program("", "other.py")], traced(daemon, way, HEAPLINE_SESSION="both"), check=0)
        assert beside.err == ""
        daemon.await_event("process_ends")
    assert process.communicate("\n") == ("done\n", "")
    daemon.await_event("process_ends")
    daemon.end()
    check_keeps(daemon.recordings()[0], source)


@pytest.mark.parametrize("way", WAYS)
def test_forks_while_the_session_is_stopped(tmp_path, python, program, way):
    """A fork waits for what is written to be sent, but not each one anew."""
    daemon = Daemon(tmp_path, variables={"HEAPLINE_PATIENCE": "300"})
    source = program(
        """
        import os, sys
        print("here", flush=True)
        sys.stdin.readline()
        for number in range(5):
            pid = os.fork()
            if pid == 0:
                os._exit(number)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == number
        print("done", flush=True)
        """
    )
    process = start([python.path, source], traced(daemon, way))
    session = session_of(daemon)
    says(process, "here")
    with stopped(session):
        tell(process)
        says(process, "done")
    _, err = process.communicate()
    assert process.returncode == 0
    line = "heapline: the collector does not answer; this process runs untraced\n"
    assert err == 5 * line
    verified(daemon.await_event("run_ends")["file"])
    daemon.end()


def test_a_front_that_is_stopped(tmp_path, python, program):
    """Who is inside goes on, a child too, though untraced; who comes waits, and gets in."""
    daemon = Daemon(tmp_path, variables={"HEAPLINE_PATIENCE": "300"})
    source = program(
        KEEPS
        + """
    import os
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    print("forked", flush=True)
    """
    )
    inside = start([python.path, source], traced(daemon, "unix"))
    says(inside, "here")
    with stopped(daemon.process.pid):
        tell(inside)
        says(inside, "done")
        says(inside, "forked")
        late = start([python.path, program("", "late.py")], traced(daemon, "unix"))
        assert inside.wait(harness.TIME_LIMIT) == 0
    assert inside.stderr.read() == "heapline: the collector does not answer; this process runs untraced\n"
    assert late.communicate() == ("", "")
    files = [daemon.await_event("run_ends")["file"] for _ in range(2)]
    assert sorted(missing(file) for file in files) == [0, 1]  # the child
    daemon.end()


# --- those who say nothing -------------------------------------------------------------------------


def test_silent_peers_keep_nobody_out(daemon, python, program):
    """More than there are places for those who have not said hello."""
    source = program(KEEPS)
    with contextlib.ExitStack() as silent:
        for _ in range(200):
            silent.enter_context(daemon.dial())
        ran = run([python.path, source], traced(daemon, "unix"), check=0)
        assert ran.err == ""
        check_keeps(daemon.await_event("run_ends")["file"], source)
    daemon.end()


def greet_as_run(connection):
    connection.sendall(hello(GREETING, carrier=wire.RUN))
    return connection.recv(wire.CONTROL.size, socket.MSG_WAITALL)


def test_a_run_has_one_command(daemon):
    """A second one that knows its key does not take its place, and a half message hurts nobody."""
    with daemon.dial() as first:
        assert wire.CONTROL.unpack(greet_as_run(first)).kind == wire.READY
        with daemon.dial() as second:
            assert greet_as_run(second) == b""
        started, ended = wire.CONTROL.pack(kind=wire.STARTED, value=4242), wire.CONTROL.pack(kind=wire.ENDED)
        first.sendall(started[:8])
        with daemon.dial() as program:
            greet(program)
            program.sendall(frame(0, frees(5)))
        first.sendall(started[8:] + ended)
        assert wire.CONTROL.unpack(first.recv(wire.CONTROL.size, socket.MSG_WAITALL)).kind == wire.DONE
    assert daemon.await_event("run_ends")["processes"] == "1"
    assert is_complete(daemon.recordings()[0])
    daemon.end()


def test_two_programs_with_one_number_at_once(daemon):
    """In containers every first process is number 1. Neither's file has been made yet when the
    other's is named."""
    greetings = [(f"token={TOKEN}", f"run={key}", f"machine={key}", "argument=app") for key in "ab"]
    with daemon.dial() as first, daemon.dial() as second:
        with stopped(daemon.process.pid):
            first.sendall(hello(greetings[0]))
            second.sendall(hello(greetings[1]))
        assert [welcome_of(peer).verdict for peer in (first, second)] == [wire.ACCEPTED] * 2
    for _ in range(2):
        daemon.await_event("run_ends")
    assert [file.name for file in daemon.recordings()] == ["app.4242-2.heapline", "app.4242.heapline"]
    daemon.end()


# --- clocks ----------------------------------------------------------------------------------------


def check_times(file, most):
    recording = verified(file)
    report = recording.report()
    assert 0 <= report["totals"]["peak_time"] <= report["run"]["seconds"] < most
    points = run([BUILD / "heapline", "timeline", "--json", file], check=0).json
    assert points


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("offset", [1_000_000, -1000])
def test_another_time_namespace(daemon, python, program, way, offset):
    source = program(KEEPS)
    unshare = ["unshare", "--time", "--monotonic", offset, "--"]
    if run([*unshare, "true"]).status:
        pytest.skip("no time namespaces here (not root, or an old kernel)")
    assert run([*unshare, python.path, source], traced(daemon, way), check=0).err == ""
    file = daemon.await_event("run_ends")["file"]
    check_keeps(file, source)
    check_times(file, 600)
    assert verified(file).report()["totals"]["peak_time"] > 0
    daemon.end()


@pytest.mark.parametrize("way", WAYS)
def test_a_clock_that_jumps(daemon, python, program, faulty, way):
    """The program's clock goes an hour ahead and back, again and again."""
    source = program(KEEPS)
    process = start([python.path, source, MUCH], traced(daemon, way, **faulty("clock", SHIM)))
    session = session_of(daemon)
    says(process, "here")
    with stopped(session):  # until it has to wait
        tell(process)
        await_call(process.pid, FUTEX if way == "unix" else SENDMSG)
    assert process.communicate() == ("done\n", "")
    file = daemon.await_event("run_ends")["file"]
    check_keeps(file, source)
    check_times(file, 600)
    daemon.end()


# --- other versions --------------------------------------------------------------------------------


def test_an_older_shim(daemon):
    """A hello of version 1: 24 bytes; it reads 16, of which the first fields have not moved."""
    with daemon.dial() as connection:
        connection.sendall(struct.pack("=IIIIII", wire.HELLO_MAGIC, 1, 0x030C0100, 0, 4242, 1))
        magic, version, verdict, _ = struct.unpack("=IIII", connection.recv(16, socket.MSG_WAITALL))
        assert (magic, version, verdict) == (wire.HELLO_MAGIC, wire.WIRE_VERSION, VERSION)
    assert daemon.await_event("dropped")["reason"] == "another version of heapline"
    daemon.end()


@pytest.mark.parametrize("closes", [True, False])
def test_an_older_daemon(python, tmp_path, closes):
    """It reads 24 bytes and says 16, of version 1."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        process = start([python.path, "-c", "print('fine')"], preloaded(f"unix:{tmp_path}/socket"))
        connection, _ = listener.accept()
        with connection:
            connection.recv(24, socket.MSG_WAITALL)
            connection.sendall(struct.pack("=IIII", wire.HELLO_MAGIC, 1, VERSION, 0))
            if closes:
                connection.close()
            assert process.communicate() == (
                "fine\n",
                "heapline: the collector is of another version of heapline than libheapline.so; "
                "this process runs untraced\n",
            )


# --- under the sanitizers --------------------------------------------------------------------------


def sanitized_daemon(tmp_path, **more):
    return Daemon(tmp_path, build=sanitized.build_of("asan"), variables=harness.SANITIZER_OPTIONS, **more)


def many_peers(daemon, python, source, count):
    """Some of each way, some killed, some that talk nonsense; then all that are left end."""
    processes = [start([python.path, source], traced(daemon, WAYS[n % 3])) for n in range(count)]
    for n in range(count):
        with daemon.dial() as connection:
            if n % 3 == 0:
                connection.sendall(os.urandom(1 + n * 40))
            elif n % 3 == 1:
                connection.sendall(hello((f"token={TOKEN}", f"run=nonsense{n}", "argument=peer")))
                connection.sendall(frame(0, frees(5)) + os.urandom(1000))
    for process in processes:
        says(process, "here")
    for process in processes[::5]:
        process.kill()
    for n, process in enumerate(processes):
        out, err = process.communicate("" if n % 5 == 0 else "\n")
        assert (process.returncode, err) == (-signal.SIGKILL if n % 5 == 0 else 0, "")


def test_many_connections(tmp_path, python, program):
    count = 25
    daemon = sanitized_daemon(tmp_path)
    source = program(KEEPS.replace("20_000", "2_000").replace("10_000", "1_000"))
    many_peers(daemon, python, source, count)
    rest = daemon.end()
    said = rest + str(daemon.seen)
    assert "Sanitizer" not in said and "runtime error" not in said and "session_died" not in said
    ended = {file.name for file in daemon.recordings()}
    assert len([name for name in ended if name.startswith("program")]) == count
    for file in daemon.recordings():
        verified(file)
