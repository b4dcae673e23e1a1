"""Running programs under heapline and reading what it recorded."""

import collections
import contextlib
import glob
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import textwrap
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
REPOSITORY = TESTS.parent
PROGRAMS = TESTS / "programs"
BUILD = Path(os.environ.get("HEAPLINE_BUILD", REPOSITORY / "build")).resolve()

# Far beyond what anything here takes, also beside much other work: a hang is a failure and not a wait
# for ever.
TIME_LIMIT = 600

# What CPython adds to the bytes of a bytes object.
BYTES_HEADER = 33

PYTHON_ALLOCATORS = ("raw", "mem", "object")

SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


def environment(**changes):
    """The suite's environment without what would make two runs of a program differ."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PYTEST", "HEAPLINE", "LD_", "COLUMNS", "LINES"))
    }
    env.update(
        PYTHONHASHSEED="0",
        PYTHONDONTWRITEBYTECODE="1",
        PYTHONPATH=str(PROGRAMS),
        LC_ALL="C.UTF-8",
        NO_COLOR="1",
        XDG_CACHE_HOME="/dev/null",  # no names of earlier runs
    )
    for name, value in changes.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = str(value)
    return env


def as_from_a_terminal():
    """For all commands of this process: signals as a login shell leaves them (under nohup or in a
    background job some are ignored, and that is inherited), and no core files. Where a signal is
    ignored it is handled from now on, by doing nothing, which is the default again after exec. Done
    between fork and exec it would cost each command a copy of this process's page tables."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Ran(collections.namedtuple("Ran", "status out err")):
    """`status` is the exit status, negative for a signal, as subprocess has it."""

    @property
    def json(self):
        return json.loads(self.out)


def run(argv, env=None, input="", check=None, **options):
    """Runs a command to its end; `check` is the status that it must have."""
    if "stdin" not in options:
        options["input"] = input
    try:
        ran = subprocess.run(
            [str(word) for word in argv],
            env=environment() if env is None else env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=TIME_LIMIT,
            **options,
        )
    except subprocess.TimeoutExpired as expired:
        raise AssertionError(
            f"still running after {TIME_LIMIT} s: {argv}\n"
            f"stdout: {expired.stdout}\nstderr: {expired.stderr}"
        ) from None
    result = Ran(ran.returncode, ran.stdout, ran.stderr)
    if check is not None:
        assert result.status == check, f"{argv}: {result}"
    return result


started = []  # what start() has started and end_started() has not yet seen


def start(argv, env=None, **options):
    """Starts a command whose stdin and stdout are pipes in text mode."""
    process = subprocess.Popen(
        [str(word) for word in argv],
        env=environment() if env is None else env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=options.pop("stderr", subprocess.PIPE),
        encoding="utf-8",
        **options,
    )
    started.append(process)
    return process


def end_started():
    """Ends what a failed test has left running, with everything below it."""
    while started:
        process = started.pop()
        if process.poll() is None:
            for pid in descendants(process.pid):
                with contextlib.suppress(OSError):  # one that has just ended by itself
                    os.kill(pid, signal.SIGKILL)
            process.kill()
            process.wait()


class Program:
    """A program's source in a file. A line that ends in `#: name`, or with the mark in a comment of C
    or Rust, is known by that name."""

    MARK = re.compile(r"(?:#|//|/\*): (\S+)(?: \*/)?\s*$")

    def __init__(self, path):
        self.path = Path(path)
        self.lines = {}
        for number, text in enumerate(self.path.read_text().splitlines(), 1):
            mark = self.MARK.search(text)
            if mark:
                assert mark[1] not in self.lines, f"two lines called {mark[1]}"
                self.lines[mark[1]] = number
        self.by_number = {number: name for name, number in self.lines.items()}

    @classmethod
    def write(cls, folder, source, name="program.py"):
        path = Path(folder) / name
        path.write_text(textwrap.dedent(source).lstrip("\n"))
        return cls(path)

    @classmethod
    def named(cls, name):
        return cls(PROGRAMS / name)

    def __str__(self):
        return str(self.path)


Sum = collections.namedtuple("Sum", "bytes blocks allocated_bytes allocations")
Sum.__add__ = lambda a, b: Sum(*(x + y for x, y in zip(a, b)))
NOTHING = Sum(0, 0, 0, 0)


def sum_of(rows):
    total = NOTHING
    for row in rows:
        total += Sum(row["bytes"], row["blocks"], row["allocated_bytes"], row["allocations"])
    return total


class Recording:
    def __init__(self, file, status=None, out="", err="", build=BUILD):
        self.file = Path(file)
        self.status = status
        self.out = out
        self.err = err
        self.build = build
        self._reports = {}

    def report(self, at="peak", by="line", *options):
        """The whole report (-n 0) as the viewer prints it in JSON."""
        key = (at, by, options)
        if key not in self._reports:
            self._reports[key] = report(
                self.file, "--at", at, "--by", by, "-n", "0", *options, build=self.build
            )
        return self._reports[key]

    @property
    def summary(self):
        """What it says of the run, its processes and all that they held, with the first of its rows."""
        if "summary" not in self._reports:
            self._reports["summary"] = report(self.file, "-n", "1", build=self.build)
        return self._reports["summary"]

    def rows(self, at="peak", by="line", allocators=(), file=None, innermost_in=()):
        """All, or those of one file; `innermost_in`: only what these files allocated."""
        options = [word for name in allocators for word in ("--allocator", name)]
        options += [word for name in innermost_in for word in ("--include", glob.escape(name))]
        rows = self.report(at, by, *options)["rows"]
        if file is not None:
            rows = [row for row in rows if row["file"] == str(file)]
        return rows

    def per_line(self, file, at="peak", allocators=(), first=1, last=1 << 30):
        """What each line of a file holds; lines that hold nothing are left out."""
        lines = collections.defaultdict(lambda: NOTHING)
        for row in self.rows(at, "line", allocators, file):
            if first <= row["line"] <= last:
                lines[row["line"]] += sum_of([row])
        return {line: sums for line, sums in lines.items() if sums.bytes or sums.blocks}

    def line(self, program, name, at="peak", allocators=()):
        """The sums of the line called `name`."""
        rows = self.rows(at, "line", allocators, program)
        return sum_of(row for row in rows if row["line"] == program.lines[name])

    def unowned(self, at="peak", allocators=()):
        """The sums of what has no Python frame."""
        rows = self.rows(at, "line", allocators)
        return sum_of(row for row in rows if row["file"] is None)

    def per_stack(self, at="peak", allocators=(), innermost_in=()):
        """{stack: (bytes, blocks)}, a stack being ((file, line, function)…), innermost last."""
        stacks = collections.Counter()
        blocks = collections.Counter()
        for row in self.rows(at, "stack", allocators, innermost_in=innermost_in):
            stack = tuple((f["file"], f["line"], f["function"]) for f in row["stack"])
            stacks[stack] += row["bytes"]
            blocks[stack] += row["blocks"]
        return {stack: (stacks[stack], blocks[stack]) for stack in stacks}

    @property
    def totals(self):
        return self.summary["totals"]

    @property
    def process(self):
        return self.summary["processes"][0]

    def sql(self, query, *values):
        with sqlite3.connect(f"file:{self.file}?mode=ro", uri=True) as database:
            return database.execute(query, values).fetchall()

    @property
    def json(self):
        """What the program printed."""
        return json.loads(self.out)


# With one of these a moment is given, or none is asked about.
MOMENTS = ("--at", "--between", "--temporary", "--growing", "--lifetimes")


def report(file, *options, build=BUILD):
    """Where no moment is given: at the peak of what was asked for, which workloads determine."""
    if not any(str(option).startswith(MOMENTS) for option in options):
        options = ("--at", "peak", *options)
    return run([build / "heapline", "report", "--json", *options, file], check=0).json


def heapline_run(command, file, options=(), build=BUILD):
    return [build / "heapline", "run", "-o", file, *options, "--", *command]


def record(command, file, options=(), env=None, build=BUILD, status=0, **more):
    """Records a command that must end with `status`."""
    file = Path(file)
    ran = run(heapline_run(command, file, ("-f", *options), build), env, check=status, **more)
    return Recording(file, ran.status, ran.out, ran.err, build)


def assert_complete(recording):
    """Nothing was lost on the way."""
    about = recording.summary["run"]
    assert (about["complete"], about["lost_events"]) == (True, 0), about


def descendants(pid):
    """{process id: name} of the processes below `pid`, each before its children. Some may be gone by now."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in (task / "children").read_text().split():
                found[int(child)] = Path(f"/proc/{child}/comm").read_text().strip()
                found.update(descendants(child))
    return found


def collector_of(pid):
    """The process id of the private collector below `heapline run`. A child of its that is to read symbols
    has its name for a moment."""
    return next(p for p, name in descendants(pid).items() if name.startswith("heaplined"))


SIGNALS = {number: number.name for number in signal.Signals}
