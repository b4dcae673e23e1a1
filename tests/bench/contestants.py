"""The contestants: what stands before and around a program's own command line."""

import atexit
import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import daemons

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("HEAPLINE_BUILD") or REPOSITORY / "build").resolve()
HEAPLINE = BUILD / "heapline"


@dataclass(frozen=True)
class Contestant:
    key: str
    title: str
    wrap: Callable  # (interpreter's words, program's words, output file) -> command line
    default: bool = True  # is measured without being asked for

    def command(self, interpreter, program, output, loops=None):
        return self.wrap(list(interpreter.command), program.command(interpreter, loops), str(output))


def _bare(python, program, _output):
    return [*python, *program]


def _heapline(python, program, output, *options):
    return [str(HEAPLINE), "run", *options, "-o", output, "-f", "-q", "--", *python, *program]


def _heapline_sums(python, program, output):
    return _heapline(python, program, output, "--no-history")


def _heapline_native(python, program, output):
    return _heapline(python, program, output, "--native")


@functools.cache
def _daemon():
    """One for the whole session, which ends with it."""
    daemon = daemons.Daemon("tcp", BUILD)
    atexit.register(daemon.__exit__)
    return daemon


def _heapline_tcp(python, program, _output):
    return [str(HEAPLINE), "run", "--daemon", _daemon().address, "-q", "--", *python, *program]


def _tracemalloc(python, program, _output):
    return [*python, "-X", "tracemalloc=1", *program]


def _memray(python, program, output, *options):
    return [*python, "-m", "memray", "run", "-q", "-f", "-o", output, *options, *program]


def _memray_full(python, program, output):
    return _memray(python, program, output, "--trace-python-allocators")


def _memray_native(python, program, output):
    return _memray(python, program, output, "--trace-python-allocators", "--native")


CONTESTANTS = (
    Contestant("bare", "bare", _bare),
    Contestant("heapline", "heapline", _heapline),
    Contestant("heapline-sums", "heapline --no-history", _heapline_sums),
    Contestant("heapline-native", "heapline --native", _heapline_native, default=False),
    Contestant("heapline-tcp", "heapline over TCP", _heapline_tcp, default=False),
    Contestant("tracemalloc", "tracemalloc", _tracemalloc),
    Contestant("memray", "memray", _memray),
    Contestant("memray-full", "memray, objects on", _memray_full),
    Contestant("memray-native", "memray, objects on, --native", _memray_native, default=False),
)


def choose(keys):
    """The contestants of these keys in the table's order; bare is always among them."""
    unknown = sorted(set(keys) - {contestant.key for contestant in CONTESTANTS})
    if unknown:
        known = ",".join(contestant.key for contestant in CONTESTANTS)
        raise SystemExit(f"no such contestant: {','.join(unknown)} (there are: {known})")
    chosen = [one for one in CONTESTANTS if one.key in keys or one.key == "bare"]
    if any(one.key.startswith("heapline") for one in chosen) and not HEAPLINE.exists():
        raise SystemExit(f"{HEAPLINE} is missing: ./dev build makes it")
    return chosen


def heapline_version():
    """The version that the program tells and the commit it was built from."""
    if not HEAPLINE.exists():
        return "not built"
    told = subprocess.run([str(HEAPLINE), "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    if not shutil.which("git"):
        return told
    describe = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, capture_output=True, text=True).stdout.strip()
    return f"{told} ({commit})"


def as_written(contestant):
    """Its command line with names in place of this machine's paths."""
    return " ".join(contestant.wrap(["python"], ["PROGRAM"], "FILE")).replace(str(HEAPLINE), "heapline")
