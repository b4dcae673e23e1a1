"""One run of a command: timed without looking at it, or observed while it runs."""

import os
import select
import signal
import sqlite3
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import contestants
import processes

TIME_LIMIT = 600  # seconds for one run
DISCOVERY_INTERVAL = 0.0003
OBSERVATION_INTERVAL = 0.005
REPORT_ROUNDS = 5


class RunFailed(Exception):
    pass


@dataclass
class Sample:
    seconds: float  # the whole command
    target_seconds: float  # the measured program alone, from exec to its end
    cpu_seconds: float  # user and system time of every process


@dataclass
class Observation:
    """A process's memory and CPU time, by looking at it every few milliseconds.

    Not from its rusage: ru_maxrss still holds what the process was before exec.
    """

    peak_resident: int = 0
    peak_private: int = 0  # without shared memory, so without the ring
    peak_shared: int = 0
    cpu_seconds: float = 0.0

    def look(self, pid):
        try:
            sizes = processes.memory(pid)
            self.cpu_seconds = max(self.cpu_seconds, processes.cpu_seconds(pid))
        except OSError:
            return
        private = sizes.get("RssAnon", 0) + sizes.get("RssFile", 0)
        self.peak_resident = max(self.peak_resident, sizes.get("VmHWM", 0))
        self.peak_private = max(self.peak_private, private)
        self.peak_shared = max(self.peak_shared, sizes.get("RssShmem", 0))


def _spawn(command, environment, log):
    null = os.open(os.devnull, os.O_RDWR)
    actions = [
        (os.POSIX_SPAWN_DUP2, null, 0),
        (os.POSIX_SPAWN_DUP2, null, 1),
        (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
    ]
    try:
        return os.posix_spawnp(command[0], command, environment, file_actions=actions, setpgroup=0)
    finally:
        os.close(null)


def _await_end(pid, limit):
    """Waits until the process has ended, reaped or not."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(limit * 1000):
            raise RunFailed(f"still running after {limit} s")
    finally:
        os.close(descriptor)


def _find_target(root):
    """The measured program's process as soon as it exists; None when the command ended before."""
    while os.waitid(os.P_PID, root, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        for pid in [root, *processes.descendants(root)]:
            if processes.role(pid) == "target":
                return pid
        time.sleep(DISCOVERY_INTERVAL)
    return None


def _time_target(root):
    """Seconds from the moment the measured program is seen to the moment it has ended."""
    target = _find_target(root)
    if target is None:
        return float("nan")
    started = time.perf_counter()
    _await_end(target, TIME_LIMIT)
    return time.perf_counter() - started


def _reap_orphans():
    """CPU seconds of the processes that outlived the command."""
    total = 0.0
    while True:
        try:
            _, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return total
        total += usage.ru_utime + usage.ru_stime


def _check(command, status, log):
    if status == 0:
        return
    log.seek(0)
    told = log.read().decode(errors="replace").strip().splitlines()[-5:]
    code = os.waitstatus_to_exitcode(status)
    raise RunFailed("\n".join([f"exit status {code}: {' '.join(command)}", *told]))


def _guarded(command, environment, follow):
    """Spawns the command and hands it to follow; leaves no process behind whatever happens."""
    with tempfile.TemporaryFile() as log:
        root = _spawn(command, environment, log)
        try:
            result, status = follow(root)
        except BaseException:
            os.killpg(root, signal.SIGKILL)
            _reap_orphans()
            raise
        _check(command, status, log)
        return result


def run(command, environment):
    """A timed run."""

    def follow(root):
        target_seconds = _time_target(root)
        _await_end(root, TIME_LIMIT)
        seconds = time.perf_counter() - started
        _, status, usage = os.wait4(root, 0)
        cpu_seconds = usage.ru_utime + usage.ru_stime + _reap_orphans()
        return Sample(seconds, target_seconds, cpu_seconds), status

    started = time.perf_counter()
    return _guarded(command, environment, follow)


def observe(command, environment):
    """A run that is looked at; gives {role: Observation}. Not for timing."""
    observations = {}

    def look_at_all():
        for pid in processes.descendants(os.getpid()):
            role = processes.role(pid)
            if role:
                observations.setdefault(role, Observation()).look(pid)

    def follow(root):
        root_status = 0
        while True:
            look_at_all()
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return observations, root_status
            if pid == root:
                root_status = status
            elif pid == 0:
                time.sleep(OBSERVATION_INTERVAL)

    return _guarded(command, environment, follow)


def _recorded(path):
    """What the recording itself says about the largest process in it."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        allocations, frees, unmatched, blocks, lost = connection.execute(
            "SELECT allocations, frees, unmatched_frees, peak_blocks, lost_events"
            " FROM process ORDER BY allocations DESC LIMIT 1"
        ).fetchone()
        (stacks,) = connection.execute("SELECT total(count) FROM node_chunk").fetchone()
        (chunks,) = connection.execute("SELECT total(length(summary) + length(data) + length(lifetimes)) FROM history_chunk").fetchone()
        (checkpoints,) = connection.execute("SELECT total(length(data)) FROM checkpoint_chunk").fetchone()
    finally:
        connection.close()
    return {
        "events": allocations + frees + unmatched,
        "peak_blocks": blocks,
        "lost_events": lost,
        "stacks": int(stacks),
        "history_bytes": int(chunks + checkpoints),
        "recording_bytes": Path(path).stat().st_size,
    }


def _report_seconds(path, environment):
    command = [str(contestants.HEAPLINE), "report", str(path)]
    return statistics.median(run(command, environment).seconds for _ in range(REPORT_ROUNDS))


def figures(bare_command, heapline_command, recording, environment):
    """Memory, collector and report figures of one program, from one bare and one recorded run."""
    bare = observe(bare_command, environment)["target"]
    recorded = observe(heapline_command, environment)
    missing = {"target", "collector"} - recorded.keys()
    if missing:
        raise RunFailed(f"never seen running: {' '.join(sorted(missing))}")
    facts = {"bare": asdict(bare), **{role: asdict(one) for role, one in recorded.items()}}
    facts.update(_recorded(recording))
    facts["report_seconds"] = _report_seconds(recording, environment)
    return facts
