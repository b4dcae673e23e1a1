"""What heapline export writes, opened by the programs that it is for: each must find exactly the
numbers that heapline report gives."""

import collections
import csv
import io
import json
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import consumers
import harness
import pytest
from harness import BUILD, TESTS, run

NO_FRAME = "(no Python frame)"
OTHER = "(other)"

# All that is in a recording: processes, threads, allocators, freed and kept blocks, and names that
# are made to break whoever prints them.
SOURCE = r"""
    import mmap, os, sys, threading

    NAMES = [
        'quote"', "back\\slash", "semi;colon 12", "new\nline\r", "tab\t, comma", "bell\a escape\x1b[31m",
        "\u202eright to left\u200f", "</script><!--", "long" + "x" * 10_000, "d\u00e9j\u00e0 \U0001f9e0",
        "no UTF-8 \udcff", "%s%n", "<b>&amp;", "=1+1", "{}[]", "'",
    ]

    def make(count):
        return [bytes(1000) for _ in range(count)]

    def odd(name):
        space = {}
        exec(compile("def f(): return bytes(4000)", f"/made/{name}.py", "exec"), space)
        code = space["f"].__code__
        if hasattr(code, "co_qualname"):
            code = code.replace(co_qualname=name)
        return type(odd)(code.replace(co_name=name), {})()

    def churn():
        for _ in range(300):
            make(3)
        kept.append(make(40))

    kept = [make(50)]
    mapped = mmap.mmap(-1, 300_000)
    kept += [odd(name) for name in NAMES]
    thread = threading.Thread(target=churn)
    thread.start()
    thread.join()
    if len(sys.argv) == 1:
        child = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", __file__, "child"], os.environ)
        assert os.waitpid(child, 0)[1] == 0
        kept.append(make(200))
"""


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """The recording of SOURCE."""
    folder = tmp_path_factory.mktemp("rich")
    source = harness.Program.write(folder, SOURCE)
    command = ["/usr/bin/python3", "-I", "-S", source]
    recording = harness.record(command, folder / "run.heapline", cwd=folder)
    harness.assert_complete(recording)
    return recording


@pytest.fixture
def export(tmp_path):
    """export(format, file, *options): the file that it has written."""

    def export(format, file, *options, name=None):
        output = tmp_path / (name or f"export.{format}")
        command = [BUILD / "heapline", "export", "--format", format, "-o", output, *options, file]
        assert run(command, check=0)[1:] == ("", "")
        return output

    return export


def stacks_of(recording, *options):
    """[(frames, row)], frames being ((function, file, line)…), the innermost last; and the report."""
    report = harness.report(recording.file, "--by", "stack", "-n", "0", *options)
    found = []
    for row in report["rows"]:
        frames = tuple((f["function"], f["file"], f["line"]) for f in row["stack"])
        found.append((frames or ((NO_FRAME, None, None),), row))
    return found, report


def escaped(text):
    """As heapline writes out what would break a line, or the text around it."""

    def escape(match):
        code = ord(match[0])
        return "\\" + "abtnvfr"[code - 7] if 7 <= code <= 13 else "\\u{%x}" % code

    return re.sub("[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", escape, text)


def label(frame):
    function, file, line = frame
    return function if file is None else f"{escaped(function)} ({escaped(file)}:{line})"


def sums_by_frame(stacks, value):
    """{frame: [its own, with all that it called]}"""
    sums = collections.defaultdict(lambda: [0, 0])
    for frames, row in stacks:
        sums[frames[-1]][0] += row[value]
        for frame in set(frames):
            sums[frame][1] += row[value]
    return {frame: both for frame, both in sums.items() if both[1]}


MOMENTS = [(), ("--at", "end"), ("--at", "50%"), ("--between", "0s", "end"), ("--temporary",)]
FILTERS = [("--include", "program.py"), ("--exclude", "program.py"), ("--allocator", "mmap")]


# --- speedscope ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [*MOMENTS, *FILTERS], ids=" ".join)
def test_speedscope(rich, export, options):
    (group,) = consumers.speedscope(export("speedscope", rich.file, *options))
    stacks, report = stacks_of(rich, *options)
    assert len(group["profiles"]) == 2 and group["name"].startswith("/usr/bin/python3 -I -S ")
    for profile, value in zip(group["profiles"], ("bytes", "allocated_bytes")):
        total = sum(row[value] for _, row in stacks)
        assert (profile["weight"], profile["total"], profile["unit"]) == (total, total, "bytes")
        frames = {tuple(frame[:3]): frame[3:] for frame in profile["frames"]}
        assert frames == sums_by_frame(stacks, value)
    assert group["profiles"][0]["weight"] == report["view"]["bytes"]


def test_speedscope_s_own_schema(rich, export):
    """The names that its schema knows, and no others, and those that it wants."""
    profile = json.loads(export("speedscope", rich.file).read_text())
    assert profile["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert set(profile) <= {"$schema", "shared", "profiles", "name", "activeProfileIndex", "exporter"}
    for part in profile["profiles"]:
        assert set(part) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
        assert len(part["samples"]) == len(part["weights"])
        assert part["endValue"] - part["startValue"] == sum(part["weights"])
    assert all(set(frame) <= {"name", "file", "line"} for frame in profile["shared"]["frames"])


# --- folded stacks -------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--between", "10%", "end"), FILTERS[0]], ids=" ".join)
def test_folded(rich, export, options):
    file = export("folded", rich.file, *options)
    wanted = collections.Counter()
    stacks, _ = stacks_of(rich, *options)
    for frames, row in stacks:
        wanted[";".join(label(frame).replace(";", "\\u{3b}") for frame in frames)] += row["bytes"]
    lines = file.read_text().split("\n")
    assert lines.pop() == ""
    found = dict(line.rsplit(" ", 1) for line in lines)
    assert len(found) == len(lines)
    assert {stack: int(number) for stack, number in found.items()} == {k: v for k, v in wanted.items() if v}
    (group,) = consumers.speedscope(file)
    assert group["profiles"][0]["weight"] == sum(wanted.values())


# --- tables and statistics -----------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--between", "10%", "90%"), ("--by", "stack"), ("--by", "thread")], ids=" ".join)
def test_csv(rich, export, options):
    rows = list(csv.DictReader(export("csv", rich.file, *options).open(newline="")))
    report = harness.report(rich.file, "-n", "0", *options)
    if "stack" not in options:
        text = [{key: "" if value is None else str(value) for key, value in row.items()} for row in report["rows"]]
        assert rows == text
    assert sum(int(row["bytes"]) for row in rows) == report["view"]["bytes"]
    command = [BUILD / "heapline", "report", "--csv", "-n", "0", *options, rich.file]
    printed = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True).stdout
    assert export("csv", rich.file, *options).read_bytes() == printed
