"""What is not ours reaches a terminal as text: names, words of the command line, what others say."""

import contextlib
import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess
import tempfile
import termios

import harness
import interpreters
import pytest
from harness import BUILD, run

HEAPLINE = BUILD / "heapline"
# Colours, bells, lines, a C1 introducer as UTF-8 and as a byte, DEL, a line separator, bidirectional
# marks, what is invisible, what is no UTF-8.
NASTY = os.fsdecode(b"\x1b[31m\a\r\n\t\x7f\xc2\x9b2J\x9b\xff") + "\u2028\u202e\u2066\u200b\ufeff"
TEXT = os.fsdecode(os.fsencode(NASTY).replace(b"\n", b""))

PROGRAM = """
import ctypes, sys, threading

NASTY = %r

def called(name, file, body):
    code = compile("def f():\\n    return " + body, file, "exec")
    inner = next(c for c in code.co_consts if hasattr(c, "co_code"))
    inner = inner.replace(co_name=name, **({"co_qualname": name} if sys.version_info >= (3, 11) else {}))
    return lambda: eval(inner)

def work():
    ctypes.CDLL(None).prctl(15, b"\\x1b[7m\\x9b\\xc2\\x9b\\r\\n", 0, 0, 0)
    for number in range(5):
        kept.append(called(NASTY + str(number), "/tmp/" + NASTY + "/a.py", "[bytes(70000 + %%d) for i in range(9)]" %% number)())

kept = []
for _ in range(2):
    thread = threading.Thread(target=work, name=NASTY)
    thread.start()
    thread.join()
work()
temporary = [called("f" + NASTY, NASTY, "bytes(5000)")() and None for _ in range(9)]
"""


def environment():
    return harness.environment(TERM="xterm", COLUMNS="120", PYTHONIOENCODING="utf-8:surrogateescape")


def on_terminal(argv, cwd=None, env=None):
    """Runs a command whose standard streams are all a terminal; what has reached that."""
    master, slave = pty.openpty()
    settings = termios.tcgetattr(slave)
    settings[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, settings)
    process = subprocess.Popen(
        [os.fsencode(word) for word in argv], stdin=slave, stdout=slave, stderr=slave, cwd=cwd,
        env=env or environment(),
    )  # fmt: skip
    os.close(slave)
    seen = b""
    with contextlib.suppress(OSError):  # the terminal's end
        while part := os.read(master, 65536):
            seen += part
    os.close(master)
    return process.wait(harness.TIME_LIMIT), seen


# The line that says how far something is is ours.
PROGRESS = re.compile(rb"\r\x1b\[K|\rheapline[ -~]*\x1b\[K")
UNRULY = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def assert_printable(seen, what):
    text = PROGRESS.sub(b"", seen).decode("utf-8")  # which raises where a byte is none
    found = UNRULY.search(text)
    assert not found, (what, ascii(text[max(0, found.start() - 60) : found.end() + 20]))


@pytest.fixture(scope="module")
def nasty(tmp_path_factory):
    """A recording of nasty names in a file with a nasty name in a folder with one."""
    folder = tmp_path_factory.mktemp("nasty") / ("in " + TEXT)
    folder.mkdir()
    program = folder / (NASTY + ".py")
    program.write_text(PROGRAM % NASTY, encoding="utf-8", errors="surrogateescape")
    file = folder / (NASTY + ".heapline")
    ran = run(
        [HEAPLINE, "run", "-q", "-o", file, "--", interpreters.find("3.12").path, program, NASTY],
        env=environment(), cwd=folder, check=0,
    )  # fmt: skip
    assert not ran.err
    return file


REPORTS = [
    ["report", "--by", by, *options]
    for by in ("line", "file", "function", "stack", "package", "process", "thread", "allocator", "size", "module")
    for options in ([], ["--json"], ["--csv"])
] + [
    ["report", "--at", "end"], ["report", "--temporary"], ["report", "--cumulative"],
    ["report", "--format", "tracemalloc"], ["report", "--format", "tracemalloc", "--by", "stack"],
    *(["report", what, *more] for what in ("--growing", "--lifetimes") for more in ([], ["--json"], ["--csv"])),
    *([name, *more] for name in ("lines", "tree", "timeline", "processes") for more in ([], ["--json"], ["--csv"])),
    ["tree", "--inverted"], ["check", "--verify"],
]  # fmt: skip
FORMATS = ("pprof", "speedscope", "dhat", "folded", "mprof", "chrome", "csv", "memray", "tracemalloc")


@pytest.mark.parametrize("command", REPORTS, ids=" ".join)
@pytest.mark.parametrize("width", [50, 300])
def test_reports(nasty, command, width):
    env = environment() | {"COLUMNS": str(width)}
    status, seen = on_terminal([HEAPLINE, *command, nasty], env=env)
    if b"there is no" in seen or b"needs" in seen:
        pytest.skip("not in this version")
    assert status in (0, 1) and seen
    assert_printable(seen, command)


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]], ids=str)
def test_differences(nasty, form):
    for by in ("line", "stack", "thread"):
        status, seen = on_terminal([HEAPLINE, "diff", "--by", by, *form, nasty, nasty])
        assert status == 0 and seen
        assert_printable(seen, by)


@pytest.mark.parametrize("name", FORMATS)
def test_exports(nasty, name):
    status, seen = on_terminal([HEAPLINE, "export", "--format", name, "-o", "-", nasty])
    if b"there is no format" in seen or b"unknown" in seen:
        pytest.skip("not in this version")
    assert status == 0 and seen
    assert_printable(seen, name)


def test_the_page(nasty):
    status, seen = on_terminal([HEAPLINE, "html", "-o", "-", nasty])
    assert status == 0 and seen
    assert_printable(seen, "html")


QUERY = "SELECT path, name AS '\x1b[1m' FROM file JOIN code ON code.file = file.id ORDER BY length(path) DESC"


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]], ids=str)
@pytest.mark.parametrize("query", [
    QUERY,
    "SELECT command FROM run",
    "SELECT name FROM thread",
    "SELECT char(155), char(27), x'1b9b' || '', char(13), char(8238), CAST(x'9b1bff' AS TEXT)",
    "SELECT \x1b[31m\x9b",
    "SELECT nothing('\x1b')",
    "SELECT \"\x1b]0;title\x07\x9b\" FROM [\u202e]",
    "PRAGMA [\x1b\x9b]",
    "COMMIT \x1b",
    "/* \x1b\x9b\r */ VACUUM",
])  # fmt: skip
def test_sql(nasty, form, query):
    _, seen = on_terminal([HEAPLINE, "sql", *form, nasty, query])
    assert seen
    assert_printable(seen, query)


@pytest.mark.parametrize("command", [
    [], ["{}"], ["--{}"], ["-{}"], ["--complete", "report", "{}"], ["--complete", "{}", ""],
    ["--complete", "report", "--by={}"], ["--complete", "report", "--{}="],
    ["report", "{}"], ["report", "--{}"], ["report", "-{}"], ["report", "--by", "{}"], ["report", "--at", "{}"],
    ["report", "--at={}", "RUN"], ["report", "-n", "{}"], ["report", "--sort", "{}"], ["report", "--pid", "{}"],
    ["report", "--json={}"], ["report", "--allocator", "{}"], ["report", "a", "{}"], ["report", "--format", "{}"],
    ["report", "--temporary={}"], ["report", "--between", "{}", "1", "RUN"], ["report", "--include", "{}", "RUN"],
    ["lines", "RUN", "{}"], ["lines", "RUN", "{}:{}"], ["tree", "--function", "{}", "RUN"], ["tree", "{}"],
    ["timeline", "{}"], ["diff", "{}", "{}"], ["diff", "RUN", "{}"], ["processes", "{}"], ["html", "-o", "/{}/x", "RUN"],
    ["html", "-o", "x", "{}"], ["export", "--format", "{}", "-o", "-"], ["export", "--format", "csv", "-o", "/{}/x", "RUN"],
    ["export", "--format", "csv", "-o", "RUN", "RUN"], ["check", "--verify", "{}"], ["check", "--max-peak", "{}"],
    ["sql", "{}", "SELECT 1"], ["doctor", "{}"], ["doctor", "--{}"], ["doctor", "./{}"],
    ["run", "--{}"], ["run", "-o", "/{}/x", "true"], ["run", "{}"], ["run", "./{}"], ["run", "--overflow", "{}", "true"],
    ["run", "--max-frames", "{}", "true"], ["run", "--carrier", "{}", "true"], ["run", "--daemon", "{}", "true"],
    ["run", "--daemon", "unix:/tmp/{}", "true"], ["run", "--daemon", "tcp:{}:1", "true"], ["run", "-o", "RUN", "true"],
    ["run", "-f", "-o", "new{}", "python3", "-c", "x = [bytes(99999)]  # {}"],
], ids=" ".join)  # fmt: skip
def test_words_of_the_command_line(nasty, tmp_path, command):
    for text in (NASTY, TEXT):
        words = [str(nasty) if word == "RUN" else word.replace("{}", text) for word in command]
        _, seen = on_terminal([HEAPLINE, *words], cwd=tmp_path)
        assert_printable(seen, command)


@pytest.mark.parametrize("command", [
    ["{}"], ["--{}"], ["-{}"], ["--listen", "{}"], ["--listen", "unix:/{}/x"], ["--listen", "tcp:{}:1"],
    ["--quota", "{}"], ["--max-runs", "{}"], ["--session-memory", "{}"], ["--overflow", "{}"],
    ["--max-frames", "{}"], ["--output", "/{}"], ["--token-file", "{}"], ["--quota"], ["--help={}"],
], ids=" ".join)  # fmt: skip
def test_words_of_the_daemon(tmp_path, command):
    for text in (NASTY, TEXT):
        words = [word.replace("{}", text) for word in command]
        status, seen = on_terminal([BUILD / "heaplined", *words], cwd=tmp_path)
        assert status != 0 and seen.startswith(b"heaplined: ")
        assert_printable(seen, command)


def test_files_that_are_none(nasty, tmp_path):
    """What is found wrong with a file names it."""
    wrong = tmp_path / (NASTY + ".heapline")
    whole = nasty.read_bytes()
    for content in (b"", b"x" * 100, whole[:5000], whole[: len(whole) // 2], whole.replace(b"counter_chunk", b"\x1bounter_chunk")):
        wrong.write_bytes(content)
        for command in (["report"], ["sql"], ["check", "--verify"], ["lines"], ["diff", wrong]):
            words = [*command, wrong, *(["SELECT * FROM counter_chunk"] if command == ["sql"] else [])]
            _, seen = on_terminal([HEAPLINE, *map(str, words)])
            assert_printable(seen, words)
    _, seen = on_terminal([HEAPLINE, "report"], cwd=tmp_path)  # the newest here
    assert b"heapline report: " in seen
    assert_printable(seen, "newest")


def test_the_summary(nasty, tmp_path):
    """heapline run and the collector behind it, on the program's terminal."""
    shutil.copy(nasty.parent / (NASTY + ".py"), tmp_path / (NASTY + ".py"))
    code = f"import os, sys; kept = bytes(10**6); os.execv('/bin/sh', ['sh', '-c', 'kill -9 $$', {NASTY!r}])"
    python = interpreters.find("3.12").path
    for words in (
        ["./" + NASTY + ".py"],
        ["-c", code],
    ):
        status, seen = on_terminal([HEAPLINE, "run", "--", python, *words], cwd=tmp_path)
        assert b"heapline: recorded in " in seen
        assert_printable(seen, words)


# --- what programs read is faithful ----------------------------------------------------------


def csv_rows(*words):
    out = subprocess.run([HEAPLINE, *map(os.fsencode, words)], env=environment(), stdout=subprocess.PIPE, check=True).stdout
    return list(csv.DictReader(io.StringIO(out.decode(), newline="")))


def test_tables_for_programs_are_faithful(nasty):
    """RFC 4180's readers get the very names, a terminal gets them written out."""
    expected = [name for (name,) in harness.Recording(nasty).sql("SELECT path FROM file ORDER BY id")]
    rows = csv_rows("sql", "--csv", nasty, "SELECT path FROM file ORDER BY id")
    assert [row["path"] for row in rows] == expected
    assert any("\x1b" in name and "\x9b" in name and "\r" in name for name in expected)
    rows = csv_rows("report", "--csv", "-n", "0", nasty)
    assert {row["file"] for row in rows} & {name for name in expected if "\x1b" in name}


def test_json_is_the_same_everywhere(nasty):
    """Valid, with the very names, and the bytes of a file are those of a terminal."""
    command = [HEAPLINE, "report", "--json", "-n", "0", nasty]
    text = run(command, check=0).out
    assert on_terminal(command)[1].decode() == text
    assert not UNRULY.search(text)
    files = {row["file"] for row in json.loads(text)["rows"] if row["file"]}
    assert any("\x1b[31m\a\r\n\t\x7f\x9b2J" in name and "\u202e" in name for name in files)


def test_columns_are_those_of_what_is_shown(nasty):
    for columns in (50, 80, 200):
        env = environment() | {"COLUMNS": str(columns)}
        for name in ("report", "lines", "tree", "processes"):
            out = run([HEAPLINE, name, nasty], env=env, check=0).out
            lines = [line for line in out.splitlines() if not line.startswith("Filename: ")]  # whole
            assert all(len(line) <= columns for line in lines), (name, columns)
