"""The machine that the figures come from, and whether it is quiet."""

import os
import platform
import sys
import time

BUSY_LOAD = 0.5


def _first_field(path, name):
    """The value of the first "name : value" line."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith(name):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return "unknown"


def describe():
    return {
        "started": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "load": os.getloadavg()[0],
        "cores": os.cpu_count(),
        "processor": _first_field("/proc/cpuinfo", "model name"),
        "memory": _first_field("/proc/meminfo", "MemTotal"),
        "kernel": platform.release().partition("-")[0],
    }


def warn_if_busy():
    load = os.getloadavg()[0]
    if load > BUSY_LOAD:
        print(f"warning: load average {load:.2f}: figures of a busy machine mislead", file=sys.stderr)
