"""The memory that a program shares with its collector: what of it the program cannot write, and what
becomes of a recording when it writes all the rest."""

import concurrent.futures
import json
import struct
from pathlib import Path

import harness
import pytest
from harness import BYTES_HEADER, PROGRAMS, run, start
from test_daemon import Daemon, preloaded, verified

pytestmark = pytest.mark.one_interpreter

SCRIBBLE = PROGRAMS / "scribble.py"
SEEDS = range(24)
AT_A_TIME = 8
# A program whose head is anywhere waits for room in its ring: not for long here (milliseconds).
IMPATIENT = {"HEAPLINE_PATIENCE": "300"}


@pytest.fixture
def daemon(tmp_path):
    return Daemon(tmp_path)


# --- the reader's page ---------------------------------------------------------------------------

# Each attempt's outcome: the error, or "done".
ATTEMPTS = """
import ctypes, errno, fcntl, json, mmap, os, sys

(line,) = [line.split() for line in open("/proc/self/maps") if "memfd:heapline reader" in line]
start, end = (int(address, 16) for address in line[0].split("-"))
size = end - start
libc = ctypes.CDLL(None, use_errno=True)
for name in ("mmap", "mremap"):
    getattr(libc, name).restype = ctypes.c_void_p
page = ctypes.c_void_p(start)

def called(result):
    return errno.errorcode[ctypes.get_errno()] if result in (-1, 2**64 - 1) else "done"

def tried(function, *arguments):
    try:
        function(*arguments)
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]

def write_memory():
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(start)
        memory.write(b"x")

def through_file():
    '''Root, and who may restore checkpoints, can open what it has mapped.'''
    try:
        file = os.open("/proc/self/map_files/" + line[0], os.O_RDWR)
    except OSError as error:
        return {"open": errno.errorcode[error.errno]}
    punch = libc.fallocate(file, 3, ctypes.c_long(0), ctypes.c_long(size))
    return {
        "map": tried(mmap.mmap, file, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE),
        "write": tried(os.pwrite, file, b"x", 0),
        "truncate": tried(os.ftruncate, file, 0),
        "grow": tried(os.ftruncate, file, size * 2),
        "punch": called(punch),
        "seal": tried(fcntl.fcntl, file, 1033, 8),
    }

found = {
    "mode": line[1],
    "mprotect": called(libc.mprotect(page, ctypes.c_size_t(size), 3)),
    "remove": called(libc.madvise(page, ctypes.c_size_t(size), 9)),
    "memory": tried(write_memory),
    "read into": tried(os.preadv, os.open("/dev/zero", os.O_RDONLY), [(ctypes.c_char * 8).from_address(start)], 0),
    **through_file(),
}
print(json.dumps([found, ctypes.string_at(start, size).hex()]), flush=True)
sys.stdin.readline()
kept = [bytes(1000) for _ in range(10_000)]  #: kept
"""

REFUSED = {
    "mode": {"r--s"},
    "mprotect": {"EACCES"},
    "remove": {"EACCES", "EINVAL"},
    "memory": {"EIO", "EFAULT"},
    "read into": {"EFAULT"},
    "open": {"EPERM"},
    "map": {"EPERM"},
    "write": {"EPERM"},
    "truncate": {"EPERM"},
    "grow": {"EPERM"},
    "punch": {"EPERM"},
    "seal": {"EPERM"},
}


def ranges_of(pid):
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        start, end = line.split()[0].split("-")
        yield int(start, 16), int(end, 16)


def addresses_in(page, pid):
    """What in it would be an address of the process, at any place where one fits."""
    ranges = list(ranges_of(pid))
    values = [struct.unpack_from("=Q", page, at)[0] for at in range(0, len(page) - 7, 4)]
    return [hex(value) for value in values if any(start <= value < end for start, end in ranges)]


def test_the_reader_s_page_cannot_be_written(interpreter, program, tmp_path):
    """Nor does it show where anything is in the collector. What is recorded is none the worse."""
    source, file = program(ATTEMPTS), tmp_path / "run.heapline"
    process = start(harness.heapline_run([interpreter.path, source], file))
    found, page = json.loads(process.stdout.readline())
    assert {name: outcome for name, outcome in found.items() if outcome not in REFUSED[name]} == {}
    assert "open" in found or "map" in found
    assert addresses_in(bytes.fromhex(page), harness.collector_of(process.pid)) == []
    process.communicate("\n")
    assert process.returncode == 0
    recording = verified(file)
    harness.assert_complete(recording)
    assert recording.line(source, "kept").blocks >= 10_000


# --- the writers' memory -------------------------------------------------------------------------


def quietly_bad(err):
    """What the program and heapline may say of a ring that makes no sense; nothing else."""
    allowed = (
        "heapline: the collector does not answer; the program goes on untraced",
        "heapline: the program has overwritten the memory that it shares with the collector; it goes on untraced",
        "heapline: not everything was recorded: ",
    )
    return [line for line in err.splitlines() if not line.startswith(allowed)]


def test_programs_that_scribble(python, tmp_path):
    """Each with a collector of its own: none ends it, none keeps it from ending."""

    env = harness.environment(**IMPATIENT)

    def record(seed):
        file = tmp_path / f"{seed}.heapline"
        ran = run(harness.heapline_run([python.path, SCRIBBLE, str(seed)], file, ["-q"]), env, check=0)
        verified(file)
        return quietly_bad(ran.err)

    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        assert [said for said in pool.map(record, SEEDS) if said] == []


def test_programs_that_scribble_beside_one_that_does_not(python, program, tmp_path):
    """In one recording: what the one has is exact."""
    source = program(
        f"""
        import os, subprocess, sys
        kept = [bytes(5_000 + n) for n in range(1_000)]  #: kept
        seeds = list(range({len(SEEDS)}))
        while seeds:
            now, seeds = seeds[:{AT_A_TIME}], seeds[{AT_A_TIME}:]
            for child in [subprocess.Popen([sys.executable, sys.argv[1], str(seed)]) for seed in now]:
                assert child.wait() == 0
        more = bytes(7_000_000)  #: more
        """
    )
    file = tmp_path / "run.heapline"
    ran = run(harness.heapline_run([python.path, source, SCRIBBLE], file, ["-q"]), check=0)
    assert quietly_bad(ran.err) == []
    recording = verified(file)
    own, *others = recording.report("end", "process")["processes"]
    assert len({child["pid"] for child in others}) == len(SEEDS)
    assert (own["exit_status"], own["signal"]) == (0, None)
    kept, more = (recording.line(source, name, "end").bytes for name in ("kept", "more"))
    assert 0 <= kept - sum(5_000 + n + BYTES_HEADER for n in range(1_000)) < 100_000
    assert 0 <= more - (7_000_000 + BYTES_HEADER) < 1_000


def test_a_ring_that_is_written_after_its_process_has_gone(daemon, python, program):
    """Nothing that comes after the end holds the end up, or spoils what others have recorded."""
    source = program(
        """
        import sys
        kept = bytes(7_000_000)  #: kept
        print("here", flush=True)
        sys.stdin.readline()
        """
    )
    other = start([python.path, source], preloaded(daemon.socket, HEAPLINE_SESSION="web"))
    assert other.stdout.readline() == "here\n"
    path = daemon.socket.removeprefix("unix:")
    env = harness.environment(PYTHONPATH=Path(__file__).parent)
    peer = start(["python3", PROGRAMS / "hostile_peer.py", path, "session=web"], env)
    assert peer.stdout.readline() == "here\n"
    peer.stdin.write("\n")
    peer.stdin.flush()
    assert peer.wait(harness.TIME_LIMIT) == 0
    daemon.await_event("process_ends", pid=str(peer.pid))
    assert other.communicate("\n")[1] == ""
    daemon.await_event("process_ends", pid=str(other.pid))
    daemon.end()
    peer.stdin.close()
    (file,) = daemon.recordings()
    recording = verified(file)
    assert 0 <= recording.line(source, "kept", "end").bytes - (7_000_000 + BYTES_HEADER) < 1_000
    about = recording.summary["run"]
    assert about["complete"] is False and 0 < about["lost_events"] < 1 << 41
