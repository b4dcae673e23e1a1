"""Many processes, many threads, and ends without warning: not an event is lost, not one too many.

What a program here counts has a size that nothing else of it has, so that the counts are exact: they
come from the history, event by event. One interpreter and mostly one edition: these are heavy.
"""

import collections
import random

import harness
import kills
import pytest
from harness import BUILD, BYTES_HEADER, assert_complete, run

pytestmark = pytest.mark.one_interpreter


def counted(recording, bytes, by):
    """{process or thread: (allocations, frees)} of the bytes objects of one length."""
    query = f"""SELECT {by} AS owner, sum(kind = 'allocation') AS allocations, sum(kind = 'free') AS frees
                FROM events WHERE size = {bytes + BYTES_HEADER} AND kind <> 'inherited' GROUP BY {by}"""
    rows = run([BUILD / "heapline", "sql", "--json", recording.file, query], check=0).json
    return {row["owner"]: (row["allocations"], row["frees"]) for row in rows}


def pids_of(recording):
    """{process.id in the recording: process id}"""
    return dict(recording.sql("SELECT id, pid FROM process"))


def verified(recording):
    run([BUILD / "heapline", "check", "--verify", recording.file], check=0)
    return recording


def test_fork_storm(python, program, bare, tmp_path):
    """Five hundred children that live for a moment, fifty at once."""
    source = program(
        """
        import json, os, sys
        def child(number):
            held = [bytes(777_000) for _ in range(number % 7 + 1)]
            del held[:number % 3]
            os._exit(number % 256)
        numbers, statuses, running = {}, {}, 0
        def reap():
            pid, status = os.wait()
            statuses[pid] = status >> 8 if status & 255 == 0 else -1
        for number in range(500):
            if running == 50:
                reap()
                running -= 1
            pid = os.fork()
            if pid == 0:
                child(number)
            numbers[pid] = number
            running += 1
        for _ in range(running):
            reap()
        json.dump([(pid, number, statuses[pid]) for pid, number in numbers.items()], sys.stdout)
        sys.exit(9)
        """
    )
    recording = harness.record([python.path, source], tmp_path / "run.heapline", status=9)
    children = recording.json
    assert [told[1:] for told in children] == [told[1:] for told in bare(python, source, status=9).json]
    assert_complete(verified(recording))
    assert all(status == number % 256 for _, number, status in children)
    pids = pids_of(recording)
    assert len(pids) == 501
    assert collections.Counter(list(pids.values())[1:]) == collections.Counter(pid for pid, _, _ in children)
    found = {pids[process]: counts for process, counts in counted(recording, 777_000, "process").items()}
    assert found == {pid: (number % 7 + 1, min(number % 3, number % 7 + 1)) for pid, number, _ in children}
    told = dict(recording.sql("SELECT pid, exit_status FROM process"))
    assert {pid: told[pid] for pid, _, _ in children} == {pid: status for pid, _, status in children}


def test_threads_come_and_go(python, program, record):
    """A thousand threads, twenty at once: each has a row of its own, and what it allocated."""
    source = program(
        """
        import threading
        tids = [threading.get_native_id()]
        def work(number):
            tids.append(threading.get_native_id())
            [bytes(3_333) for _ in range(number % 5 + 1)]
            kept.append(bytes(44_444))
        kept = []
        for first in range(0, 1000, 20):
            threads = [threading.Thread(target=work, args=(first + n,)) for n in range(20)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        print(*tids)
        """
    )
    recording = record(python, source)
    assert_complete(recording)
    tids = dict(recording.sql("SELECT id, tid FROM thread"))
    assert sorted(tids.values()) == sorted(map(int, recording.out.split()))
    short = counted(recording, 3_333, "thread")
    assert collections.Counter(short.values()) == {(n, n): 200 for n in range(1, 6)}
    # The frees are those of the end, and belong to the block's thread.
    kept = counted(recording, 44_444, "thread")
    assert set(kept) == set(short) and all(allocations == 1 for allocations, _ in kept.values())


def test_forks_amid_threads_in_c(python, program, record, with_native):
    """Two hundred forks while eight threads allocate without the GIL: no child hangs, each one's
    counts are exact, and so are the threads'."""
    source = program(
        """
        import ctypes, os, threading
        native = ctypes.CDLL(os.environ["NATIVE"])
        number = ctypes.c_uint64
        native.exchange.argtypes = [number, number]
        native.exchange_result.argtypes = [ctypes.c_void_p]
        native.hold.restype = ctypes.c_void_p
        native.hold.argtypes = native.release.argtypes = [ctypes.c_size_t]
        work = threading.Semaphore(0)
        def run(seed):
            for n in range(200):
                work.acquire()
                native.exchange(seed + 8 * n, 1000)  #: exchange
        threads = [threading.Thread(target=run, args=(n + 1,)) for n in range(8)]
        for thread in threads: thread.start()
        for n in range(200):
            for _ in threads: work.release()
            pid = os.fork()
            if pid == 0:
                held = [bytes(700_000) for _ in range(n % 4 + 1)]
                block = native.hold(800_033)
                del held[0]
                native.release(block)
                os._exit(n % 100)
            assert os.waitpid(pid, 0)[1] == n % 100 << 8
        for thread in threads: thread.join()
        sums = (number * 7)()
        native.exchange_result(ctypes.addressof(sums))
        print(*sums)
        """
    )
    recording = record(python, source, env=with_native)
    assert_complete(recording)
    children = sorted(pids_of(recording))[1:]
    assert len(children) == 200
    for bytes, expected in ((700_000, lambda n: (n % 4 + 1, 1)), (800_000, lambda n: (1, 1))):
        found = counted(recording, bytes, "process")
        assert [found.get(child) for child in children] == [expected(n) for n in range(200)]
    # Each has inherited what its parent held, whatever another thread was just about to say.
    query = "SELECT DISTINCT process FROM events WHERE kind = 'inherited'"
    inherited = run([BUILD / "heapline", "sql", "--json", recording.file, query], check=0).json
    assert [row["process"] for row in inherited] == children
    live, blocks, allocated_bytes, allocations = map(int, recording.out.split()[:4])
    assert recording.line(source, "exchange", "end", ["malloc"]) == (live, blocks, allocated_bytes, allocations)


@pytest.mark.parametrize("threads", [0, 1, 8])
def test_killed_at_any_moment(python, threads, with_native, tmp_path):
    """SIGKILL: whatever an allocation had published when it returned is there."""
    moments = random.Random(20_261_121 + threads)
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        recording = kills.kill_after(python, folder, threads, moments.randrange(1, 60_000), with_native)
        verified(recording)


def test_more_processes_than_are_recorded(python, program, tmp_path):
    """A thousand at a time, the program's own among them; the others run untraced, and that is said."""
    source = program(
        """
        import os
        gate, opener = os.pipe()
        children = []
        for _ in range(1003):
            children.append(os.fork())
            if not children[-1]:
                os.close(opener)
                os.read(gate, 1)
                os._exit(7)
        os.close(opener)
        print({os.waitpid(pid, 0)[1] >> 8 for pid in children})
        """
    )
    command = [python.path, "-I", "-S", source]
    recording = harness.record(command, tmp_path / "run.heapline")
    assert recording.out == "{7}\n"
    assert "4 processes are missing: no more than 1000 at a time are recorded" in recording.err
    assert recording.sql("SELECT count(*) FROM process") == [(1000,)]


def test_threads_that_have_ended_fold(interpreter, program, record):
    """What holds nothing any more gives its row to the next one of its name; who has left something
    keeps it, and the sums are exact."""
    source = program(
        """
        import threading
        kept = []
        def pass_by():
            bytes(3_333)  #: passing
        def leave():
            kept.append(bytes(44_444))  #: left
        for n in range(3_000):
            thread = threading.Thread(target=leave if n % 300 == 0 else pass_by)
            thread.start()
            thread.join()
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    passing, left = (recording.line(source, name, at="end") for name in ("passing", "left"))
    assert (passing.allocated_bytes, passing.bytes) == (2_990 * (3_333 + BYTES_HEADER), 0)
    assert 0 <= left.bytes - 10 * (44_444 + BYTES_HEADER) < 1_000  # and the list
    assert len(recording.sql("SELECT id FROM thread")) < 1_000  # how soon an end is seen is the kernel's
    kept = counted(recording, 44_444, "thread")
    assert len(kept) == 10 and all(allocations == 1 for allocations, _ in kept.values())
