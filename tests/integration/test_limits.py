"""Where a program has less than usual, it is as it is without heapline: its status, its output and what
it sees of its surroundings. At most one line of ours tells what is missing from the recording, and why."""

import itertools
import json
import os
import re
import subprocess

import harness
import pytest
from conftest import require
from harness import BUILD

pytestmark = pytest.mark.one_interpreter

HEAPLINE = BUILD / "heapline"

PROGRAM = """
import errno, json, os, resource, sys

def seen(ask):
    try:
        return ask()
    except Exception as problem:
        return type(problem).__name__, getattr(problem, "errno", None)

def stream(number):
    status = os.fstat(number)
    return status.st_mode, status.st_rdev

def thread():
    one = __import__("threading").Thread(target=len, args=("",))
    one.start()
    one.join()
    while os.stat("/proc/self/task").st_nlink > 3:  # its end may want a descriptor, and so do we
        pass

umask = os.umask(0)
os.umask(umask)
kept = [bytes(1000) for _ in range(200)]
about = {
    "streams": [seen(lambda: stream(number)) for number in range(3)],
    "descriptors": seen(lambda: sorted(os.listdir("/proc/self/fd"))),
    "limits": {
        name: resource.getrlimit(getattr(resource, name))
        for name in dir(resource) if name.startswith("RLIMIT_")
    },
    "environment": {name: value for name, value in os.environ.items() if name not in ("_", "SHLVL", "HEAPLINE_WAIT")},
    "folder": seen(os.getcwd),
    "umask": umask,
    "arguments": len(sys.argv), 
    "child": seen(lambda: os.system("exit 7")),
    "thread": seen(thread),
}
with open(sys.argv[1], "w") if sys.argv[1] else os.fdopen(1, "w", closefd=False) as file:
    json.dump(about, file)
for stream, text in ((sys.stdout, "said\\n"), (sys.stderr, "complained\\n")):
    if stream:
        stream.write(text)
        stream.flush()
sys.exit(3)
"""


class Row:
    """`script` is what a shell does before it executes the command. `line` is what the one line of ours
    must say, "" when there is none; `around` that of a row where heapline run has less, too: None, it is the
    same. With `status` heapline run itself cannot work there and ends with that. What is the command's alone
    heapline run is not to have."""

    def __init__(self, script, line="", around=None, status=None, is_command_s=False):
        self.script, self.line, self.status = script, line, status
        self.around = line if around is None else around
        self.is_command_s = is_command_s


TOO_LITTLE_MEMORY = r"the limit on memory \(ulimit -v, -d\) leaves too little"
TOO_FEW_FILES = r"the limit on open files \(ulimit -n\) leaves too few"
NAMESPACE = "exec unshare -m sh -c '{} && exec \"$@\"' sh \"$@\""

# What "$@" is to find.
ROWS = {
    "nothing": Row(""),
    # Memory that can be mapped, in KiB.
    **{
        f"ulimit -v {size}": Row(f"ulimit -v {size}", line, status=status)
        for size, line, status in (
            (26000, TOO_LITTLE_MEMORY, None), (30000, TOO_LITTLE_MEMORY, None), (100000, "", None), (1000000, "", None),
        )
    },
    **{
        f"ulimit -d {size}": Row(f"ulimit -d {size}", line)
        for size, line in ((20000, TOO_LITTLE_MEMORY), (100000, ""))
    },
    # Seconds that an attempt to reach the collector may be repeated for.
    **{
        f"HEAPLINE_WAIT={value!r}": Row(f"export HEAPLINE_WAIT={value!r}")
        for value in ("-1", "99999999999999999999999", "soon", "", " 1", "1x", "0", "3601")
    },
    "a folder that is gone": Row("mkdir gone; cd gone; rmdir ../gone"),
    "a folder that cannot be read": Row("mkdir -p shut; chmod 0 shut; cd shut"),
    "ulimit -n 3": Row("ulimit -n 3", "ld.so", status=127),
    # A connection and the two memfds of a ring have three descriptors for a moment.
    **{
        f"ulimit -n {count}": Row(
            f"ulimit -n {count}", TOO_FEW_FILES if count < 6 else "", "cannot start .*: Too many open files", 125
        )
        for count in (4, 5, 6, 7, 8, 9, 10)
    },
    "ulimit -n 20": Row("ulimit -n 20"),
    "ulimit -f 0": Row("ulimit -f 0", "", "could not be written on: File too large", 125),
    "ulimit -s 128": Row("ulimit -s 128"),
    "ulimit -s unlimited": Row("ulimit -s unlimited"),
    "ulimit -l 0": Row("ulimit -l 0"),
    "no /dev/null": Row(NAMESPACE.format("mount -t tmpfs none /dev")),
    "no /proc": Row(NAMESPACE.format("mount -t tmpfs none /proc"), "", "/proc is not mounted", 125),
    "another library that is preloaded": Row('export LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}libm.so.6"'),
    "another library that is preloaded and not there": Row(
        'export LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD }/nowhere/libnone.so"', is_command_s=True
    ),
    **{
        "closed " + " ".join(map(str, streams)): Row(
            "exec " + " ".join(f"{number}<&-" if number == 0 else f"{number}>&-" for number in streams)
        )
        for count in (1, 2, 3)
        for streams in itertools.combinations(range(3), count)
    },
    "no folders of its own": Row("unset HOME TMPDIR XDG_RUNTIME_DIR XDG_CACHE_HOME"),
    "folders that are not there": Row(
        "export HOME=/nowhere TMPDIR=/nowhere XDG_RUNTIME_DIR=/nowhere XDG_CACHE_HOME=/nowhere"
    ),
    "folders that cannot be written": Row(
        "export HOME=/proc TMPDIR=/proc XDG_RUNTIME_DIR=/proc XDG_CACHE_HOME=/proc"
    ),
    "an empty PATH": Row("export PATH="),
    "no PATH": Row("unset PATH"),
    "umask 0777": Row("umask 0777"),
    "umask 0": Row("umask 0"),
    "an odd locale": Row("export LC_ALL=xx_YY.koi-99 LANG=$(printf '\\033\\233')"),
    "no environment": Row('for n in $(env | cut -d= -f1); do case $n in PYTHON*|_|PWD|HEAPLINE*|LD_PRELOAD) ;; *) unset "$n";; esac; done'),
    "LD_LIBRARY_PATH is odd": Row("export LD_LIBRARY_PATH=:/nowhere::$(printf '\\033'):/proc"),
    "a large environment": Row("export LARGE=$(head -c 100000 /dev/zero | tr '\\0' x) MORE=$(head -c 100000 /dev/zero | tr '\\0' y)"),
    "a long command": Row('set -- "$@" $(seq 60000)'),
}  # fmt: skip


class Setting:
    def __init__(self, tmp_path, python):
        self.folder = tmp_path
        self.program = harness.Program.write(tmp_path, PROGRAM)
        self.python = python.path

    def run(self, words, name):
        """What the program has seen, its status, and its two outputs."""
        file = self.folder / name
        file.unlink(missing_ok=True)
        env = harness.environment(LC_ALL=None, LANG="C.UTF-8", XDG_CACHE_HOME=None, PYTHONMALLOC=None)
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        try:
            ran = subprocess.run(
                [str(word) for word in words(self.command(file))], cwd=work, env=env, timeout=harness.TIME_LIMIT,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        finally:
            subprocess.run(["rm", "-rf", work], check=True)
        seen = json.loads(file.read_text() or "0") if file.exists() else None
        file.unlink(missing_ok=True)
        return seen, ran.returncode, ran.stdout, ran.stderr.decode("utf-8", "backslashreplace")

    def command(self, file):
        return [self.python, self.program, file]

    def recorder(self, *options):
        return [HEAPLINE, "run", "-q", "-f", "-o", self.folder / "recording.heapline", *options, "--"]


def within(script, command):
    return ["/bin/sh", "-c", f'{script}\nexec "$@"', "sh", *command]


def parted(err):
    """What the program has said on stderr, and what we have, or the loader of us."""
    lines = err.splitlines()
    ours = [line for line in lines if line.startswith("heapline") or "libheapline.so" in line]
    return [line for line in lines if line not in ours], ours


def different(bare, ran):
    both = (bare or {}), (ran or {})
    return {key: [one.get(key) for one in both] for key in {*both[0], *both[1]} if both[0].get(key) != both[1].get(key)}


def assert_as_bare(bare, ran, line):
    theirs, ours = parted(ran[3])
    assert ran[1:3] == bare[1:3] and theirs == parted(bare[3])[0], (ours, theirs)
    assert ran[0] == bare[0] or different(bare[0], ran[0]) == {}, ours
    assert len(ours) <= 1 and bool(ours) == bool(line), ours
    assert not line or re.search(line, ours[0]), ours


@pytest.fixture(params=("3.8", "3.12", "sid-3.14"))
def interpreter(request):
    return require(request.param)


@pytest.fixture
def setting(interpreter, tmp_path):
    return Setting(tmp_path, interpreter)


@pytest.mark.parametrize("name", ROWS)
def test_a_program_that_has_less(setting, name):
    row = ROWS[name]
    bare = setting.run(lambda command: within(row.script, command), "seen")
    ran = setting.run(lambda command: [*setting.recorder(), *within(row.script, command)], "seen")
    assert_as_bare(bare, ran, row.line)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row.is_command_s])
def test_heapline_run_has_less_too(setting, name):
    row = ROWS[name]
    bare = setting.run(lambda command: within(row.script, command), "seen")
    ran = setting.run(lambda command: within(row.script, [*setting.recorder(), *command]), "seen")
    if row.status is None:
        assert_as_bare(bare, ran, row.around)
    else:
        assert ran[:3] == (None, row.status, b""), ran
        assert row.status == 127 or re.search(row.around, ran[3]), ran
        assert len(ran[3].splitlines()) == 1


# What the daemon's address and the time to wait for it can be.
WAITS = {
    **{value: "nor wait for it: HEAPLINE_WAIT is no number" for value in (
        "-1", "99999999999999999999999", "18446744073709551615", "3601", "soon", " 1", "1x", "0x10", "1.5", "\x1b",
    )},
    **{value: "cannot reach the collector; this" for value in ("", "0", "00", "1")},
}  # fmt: skip


@pytest.mark.parametrize("value", WAITS)
def test_nobody_waits_for_what_is_no_time(setting, value):
    bare = setting.run(lambda command: within("", command), "seen")
    script = f"export LD_PRELOAD={BUILD}/libheapline.so HEAPLINE_DAEMON=unix:/nowhere/socket HEAPLINE_WAIT='{value}'"
    ran = setting.run(lambda command: within(script, command), "seen")
    assert_as_bare(bare, ran, WAITS[value])


# Where a recording cannot be written: nothing is run, and why is said.
PLACES = {
    "nowhere/x.heapline": "No such file or directory",
    "folder": "exists|Is a directory",
    "pipe": "exists|not a",
    "/dev/full": "exists|not a",
    "/dev/null": "exists|not a",
    "/proc/x.heapline": "No such file|denied|not permitted",
    "link": "exists",
    "": "named file",
    "a" * 300: "File name too long",
}


@pytest.mark.parametrize("name", PLACES)
def test_where_nothing_can_be_written(tmp_path, python, name):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/nowhere/else")
    before = sorted(os.listdir(tmp_path))
    for options in ([], ["-f"]) if not name.startswith("/dev") else ([],):
        words = [HEAPLINE, "run", *options, "-o", name, "--", python.path, "-c", "print('ran')"]
        ran = harness.run(words, cwd=tmp_path)
        if options and name in ("pipe", "link"):  # is replaced, and not what it points at
            assert ran.status == 0 and ran.out == "ran\n"
            continue
        assert (ran.status, ran.out) == (125, ""), ran
        assert re.search(PLACES[name], ran.err) and len(ran.err.splitlines()) == 1, ran
        assert sorted(os.listdir(tmp_path)) == before
