"""Signals: the command gets each one once, whomever else it is sent to, and the recording goes on."""

import ctypes
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import termios
import time
from pathlib import Path

import harness
import pytest
from harness import BUILD, BYTES_HEADER, heapline_run, run, start

pytestmark = pytest.mark.one_interpreter

BLOCKS, SIZE = 50, 100_003

# Waits for signals: one that comes just before pause() would be handled after the next one only.
WAIT = """
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    print("ready", flush=True)
    while True:
        os.read(awake, 1)
"""

# A service that ends cleanly at SIGTERM: it saves its state, which takes a while, and exits.
SERVICE = f"""
    import os, signal, sys, time
    def stop(*_):
        os.write(1, b"stopping\\n")
        state = [bytes({SIZE}) for _ in range({BLOCKS})]
        time.sleep(0.1)  # a second signal would be handled here
        sys.exit(0)
    signal.signal(signal.SIGTERM, stop)
{WAIT}"""

# Tells of each signal as it comes, and how many there were of each when SIGALRM comes.
COUNTING = """
    import collections, json, os, signal, sys
    counts = collections.Counter()
    def count(number, _):
        counts[number] += 1
        os.write(1, b"got %d\\n" % number)
    def tell(*_):
        del counts[signal.SIGALRM]
        os.write(1, json.dumps(counts).encode() + b"\\n")
        os._exit(0)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGPIPE}:
        signal.signal(number, count)
    signal.signal(signal.SIGALRM, tell)
    if sys.argv[1:]:
        exec(sys.argv[1])
""" + WAIT

ORDINARY = ("TERM", "HUP", "INT", "QUIT", "USR1", "USR2", "CONT", "WINCH", "URG", "RTMIN")

# How the command leaves the group that it was started in.
LEAVING = {"stays": "", "setpgid": "os.setpgid(0, 0)", "setsid": "os.setsid()"}


def begin(python, source, tmp_path, *arguments, bare=False, **options):
    command = [python.path, source, *arguments]
    if not bare:
        command = heapline_run(command, tmp_path / "run.heapline", ["-q", "-f"])
    process = start(command, start_new_session=True, **options)
    assert process.stdout.readline() == "ready\n"
    return process


def end(process):
    out, err = process.communicate(timeout=harness.TIME_LIMIT)
    return harness.Ran(process.returncode, out, err)


def everybody(process):
    return [process.pid, *harness.descendants(process.pid)]


def send(process, number, how):
    if how == "alone":
        os.kill(process.pid, number)
    if how == "group":
        os.killpg(process.pid, number)
    if how == "everybody":  # as a service manager does it
        for pid in sorted(everybody(process)):
            os.kill(pid, number)
    if how == "leaves first":
        for pid in reversed(sorted(everybody(process))):
            os.kill(pid, number)
    if how == "timeout":  # as timeout(1) does it
        os.kill(process.pid, number)
        os.killpg(process.pid, number)
        os.kill(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGCONT)


def settle(process):
    """Waits until nothing is pending: a second signal of the same number would be one with the first."""
    names = harness.descendants(process.pid)
    for pid in [process.pid, *(pid for pid in names if names[pid] == "signals")]:
        while not re.search(r"^ShdPnd:\t0+$", Path(f"/proc/{pid}/status").read_text(), re.M):
            time.sleep(0.001)


def counted(process):
    """What the program has counted. Signals that were sent before have been passed on by now, if they
    ever are: those that wait are passed on in their order."""
    os.kill(process.pid, signal.SIGALRM)
    ended = end(process)
    assert (ended.status, ended.err) == (0, "")
    *told, counts = ended.out.splitlines()
    return json.loads(counts)


# --- once --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["group", "everybody", "leaves first", "alone", "timeout"])
def test_a_service_that_is_stopped(interpreter, how, program, tmp_path):
    """Its shutdown is not interrupted, and is recorded to the last block."""
    process = begin(interpreter, program(SERVICE), tmp_path)
    send(process, signal.SIGTERM, how)
    assert end(process) == (0, "stopping\n", "")
    recording = harness.Recording(tmp_path / "run.heapline")
    harness.assert_complete(recording)
    query = f"SELECT count(*) AS n FROM events WHERE kind = 'allocation' AND size = {SIZE + BYTES_HEADER}"
    assert run([BUILD / "heapline", "sql", "--json", recording.file, query], check=0).json == [{"n": BLOCKS}]


@pytest.mark.parametrize("name", ORDINARY)
@pytest.mark.parametrize("leaving", LEAVING)
@pytest.mark.parametrize("how", ["group", "everybody", "alone"])
def test_once(python, name, leaving, how, program, tmp_path):
    """Also a command that has left its group for one of its own: without heapline it would be the
    group's leader here, and could not have."""
    number = int(getattr(signal, f"SIG{name}"))
    process = begin(python, program(COUNTING), tmp_path, LEAVING[leaving])
    send(process, number, how)
    assert process.stdout.readline() == f"got {number}\n"
    assert counted(process) == {str(number): 1}


@pytest.mark.parametrize("first", ["group", "alone"])
@pytest.mark.parametrize("second", ["group", "alone"])
def test_each_of_two(python, first, second, program, tmp_path):
    """The second one as soon as the first has been handled."""
    process = begin(python, program(COUNTING), tmp_path)
    for how in (first, second):
        send(process, signal.SIGTERM, how)
        assert process.stdout.readline() == f"got {int(signal.SIGTERM)}\n"
        settle(process)
    assert counted(process) == {str(int(signal.SIGTERM)): 2}


@pytest.mark.skipif(not shutil.which("pkill"), reason="there is no pkill")
def test_by_the_command_line(python, program, tmp_path):
    """pkill -f finds heapline and the collector by the command's words, too; and the command alone
    is not meant by heapline's name."""
    source = program(COUNTING, f"service-{os.getpid()}.py")
    process = begin(python, source, tmp_path)
    run(["pkill", "-USR1", "-f", source.path.name], check=0)
    assert process.stdout.readline() == f"got {int(signal.SIGUSR1)}\n"
    run(["pkill", "-USR2", "-s", process.pid, "-f", "heapline run"], check=0)
    assert process.stdout.readline() == f"got {int(signal.SIGUSR2)}\n"
    assert counted(process) == {str(int(signal.SIGUSR1)): 1, str(int(signal.SIGUSR2)): 1}


def test_of_the_command_itself(python, program, tmp_path):
    """To its own group; and to its parent, who is another without heapline."""
    words = "os.killpg(0, signal.SIGUSR1); os.kill(os.getppid(), signal.SIGUSR2)"
    command = heapline_run([python.path, program(COUNTING), words], tmp_path / "run.heapline", ["-q"])
    process = start(command, start_new_session=True)
    while process.stdout.readline() != "ready\n":
        pass
    assert counted(process) == {str(int(signal.SIGUSR1)): 1}


def test_all_that_are_queued(python, program, tmp_path):
    """Real-time signals come one for one, with their values and from their sender."""
    source = program(
        """
        import ctypes, os, signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
        libc = ctypes.CDLL(None)
        print("ready", flush=True)
        mask = ctypes.create_string_buffer(128)
        libc.sigaddset(mask, int(signal.SIGRTMIN))
        for _ in range(30):
            information = (ctypes.c_int * 32)()
            libc.sigwaitinfo(mask, information)
            print(information[2], information[4], information[6])
        """
    )
    process = begin(python, source, tmp_path)
    for value in range(30):
        ctypes.CDLL(None).sigqueue(process.pid, int(signal.SIGRTMIN), ctypes.c_void_p(value))
    queued = -1
    assert end(process).out.split("\n")[:-1] == [f"{queued} {os.getpid()} {value}" for value in range(30)]


def test_that_come_before_the_command_has_begun(python, program, tmp_path):
    """Into the preparations: the command dies of it, as it would, and once is enough."""
    source = program("import time; time.sleep(60)")
    for pause in range(12):
        command = heapline_run([python.path, source], tmp_path / "run.heapline", ["-q", "-f"])
        process = start(command, start_new_session=True)
        time.sleep(pause / 300)
        os.killpg(process.pid, signal.SIGTERM)
        assert end(process) == (-signal.SIGTERM, "", "")


# --- whose they are ----------------------------------------------------------------------------


@pytest.mark.parametrize("bare", [True, False])
def test_a_terminal_that_goes(python, bare, program, tmp_path):
    """The kernel tells the leader of its session, who without heapline would be the command."""
    master, slave = pty.openpty()

    def lead():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    command = [python.path, program(SERVICE.replace("SIGTERM", "SIGHUP"))]
    if not bare:
        command = heapline_run(command, tmp_path / "run.heapline", ["-q"])
    process = start(command, preexec_fn=lead)
    os.close(slave)
    assert process.stdout.readline() == "ready\n"
    os.close(master)
    assert end(process) == (0, "stopping\n", "")


@pytest.mark.parametrize("bare", [True, False])
def test_an_alarm_from_before(python, bare, program, tmp_path):
    """exec hands it on: the command has it, may ask for the rest and set it anew."""
    source = program(
        """
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        left, every = signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert 800 < left <= 1000 and every == 7, (left, every)
        print("ready", flush=True)
        print(signal.sigwait([signal.SIGALRM]) == signal.SIGALRM)
        """
    )
    process = begin(
        python, source, tmp_path, bare=bare, preexec_fn=lambda: signal.setitimer(signal.ITIMER_REAL, 1000, 7)
    )
    assert end(process) == (0, "True\n", "")


def test_the_collector_hears_of_nothing(python, program, tmp_path):
    """Whoever sends it whatever, it goes on while the command lives."""
    process = begin(python, program(SERVICE), tmp_path)
    collector = harness.collector_of(process.pid)
    faults = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGSYS}
    for number in signal.valid_signals() - faults - {signal.SIGKILL, signal.SIGSTOP}:
        os.kill(collector, number)
    os.kill(process.pid, signal.SIGTERM)
    assert end(process) == (0, "stopping\n", "")
    harness.assert_complete(harness.Recording(tmp_path / "run.heapline"))


# --- the witnesses -----------------------------------------------------------------------------


def witnesses(process):
    return [pid for pid, name in harness.descendants(process.pid).items() if name == "signals"]


def test_witnesses_keep_nothing_open(python, program, tmp_path):
    process = begin(python, program(COUNTING), tmp_path)
    inside, outside = sorted(witnesses(process), key=lambda pid: os.getpgid(pid) != process.pid)
    assert os.getpgid(inside) == process.pid and os.getsid(outside) == outside
    for pid in (inside, outside):
        opened = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        assert sorted(name.partition(":")[0] for name in opened) == ["anon_inode", "socket"]
    ended = [os.pidfd_open(pid) for pid in (inside, outside)]
    os.kill(process.pid, signal.SIGKILL)  # they end with `heapline run`, whatever becomes of it
    for pidfd in ended:
        assert select.select([pidfd], [], [], harness.TIME_LIMIT)[0]
        os.close(pidfd)
    process.wait()
    os.killpg(process.pid, signal.SIGKILL)
    end(process)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_without_witnesses(python, number, program, tmp_path):
    """What is sent to heapline alone is passed on all the same."""
    process = begin(python, program(SERVICE), tmp_path)
    for pid in witnesses(process):
        os.kill(pid, number)
    os.kill(process.pid, signal.SIGTERM)
    assert end(process) == (0, "stopping\n", "")


def test_nobody_is_left(python, program, tmp_path):
    """When heapline has ended its group is empty."""
    process = begin(python, program(SERVICE), tmp_path)
    os.kill(process.pid, signal.SIGTERM)
    assert end(process).status == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
