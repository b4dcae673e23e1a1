"""What /proc and the kernel tell about processes that are still running."""

import ctypes
import os
import time

_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
_PROCESS_CPU_CLOCK = 2
_PROGRAM_ROLES = {"heapline": "viewer", "heaplined": "collector"}


def adopt_orphans(adopt=True):
    """Makes this process the parent of descendants whose own parent has ended; returns whether it
    was that before."""
    library, before = ctypes.CDLL(None), ctypes.c_int()
    library.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    library.prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)
    return bool(before.value)


def _children(pid):
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
    except OSError:
        pass
    return found


def descendants(pid):
    found = _children(pid)
    for child in found:
        found += _children(child)
    return found


def role(pid):
    """"target", "collector" or "viewer"; None for one that has ended.

    Between fork and exec a target still looks like the viewer that starts it.
    """
    try:
        program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return None
    return _PROGRAM_ROLES.get(program, "target")


def cpu_seconds(pid):
    """User and system time of all the process's threads, also of those that have ended."""
    return time.clock_gettime((~pid << 3) | _PROCESS_CPU_CLOCK)


def memory(pid):
    """The Vm… and Rss… lines of /proc/PID/status, in bytes."""
    sizes = {}
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(("Vm", "Rss")):
                name, size, _unit = line.split()
                sizes[name.rstrip(":")] = int(size) * 1024
    return sizes
