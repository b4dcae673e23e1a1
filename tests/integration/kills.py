"""A program killed at any moment, and what of it must be in the recording.

The program (tests/programs/killed.py) counts in a shared page the allocations that have *returned*.
Each of those was published before it returned, so it is in the recording; and of each thread at most
one more, which was published and had not returned. The storms of the suite and the soak test use it.
"""

import mmap
import os
import signal
import time

import harness
from harness import BUILD, BYTES_HEADER, Program, Recording, heapline_run, start

PAGE_BYTES = 4096
SIZE = 200_001  # nothing else allocates as much


class Page:
    """The shared file, as the killer sees it."""

    def __init__(self, path, threads):
        path.write_bytes(bytes(PAGE_BYTES))
        with open(path, "r+b") as file:
            self.words = memoryview(mmap.mmap(file.fileno(), PAGE_BYTES)).cast("Q")
        self.count = max(threads, 1)

    @property
    def pid(self):
        return self.words[0]

    @property
    def progress(self):
        return list(self.words[1 : 1 + self.count])


def _wait_until(reached, process):
    until = time.monotonic() + harness.TIME_LIMIT
    while not reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "the program does not get on"


def kill_after(python, folder, threads, allocations, env):
    """Records the program, kills it once it has made so many allocations, and compares."""
    page = Page(folder / "page", threads)
    file = folder / "killed.heapline"
    program = Program.named("killed.py")
    command = [python.path, program, folder / "page", threads, SIZE]
    process = start(heapline_run(command, file, ["-f", "-q"]), env=env, cwd=folder)
    _wait_until(lambda: sum(page.progress) >= allocations, process)
    os.kill(page.pid, signal.SIGKILL)
    out, err = process.communicate(timeout=harness.TIME_LIMIT)
    assert (process.returncode, out, err) == (-signal.SIGKILL, "", "")
    recording = Recording(file)
    harness.assert_complete(recording)
    assert recording.process["signal"] == signal.SIGKILL
    for thread, returned in enumerate(page.progress):
        _compare(recorded(recording, SIZE + (thread if threads else BYTES_HEADER)), returned)
    return recording


def recorded(recording, size):
    """(allocations, frees) of this size, from the history."""
    query = f"""SELECT total(kind = 'allocation') AS allocations, total(kind = 'free') AS frees
                FROM events WHERE size = {size}"""
    sql = [BUILD / "heapline", "sql", "--json", recording.file, query]
    (row,) = harness.run(sql, check=0).json
    return int(row["allocations"]), int(row["frees"])


def _compare(counted, returned):
    allocations, frees = counted
    assert returned <= allocations <= returned + 1, (counted, returned)
    # Every block but the latest was freed before the next, in Python after it, was allocated.
    assert allocations - 2 <= frees <= allocations, (counted, returned)
