"""The shortest program, on every CPython there is."""

import os
import stat

import harness
import pytest
from harness import assert_complete

pytestmark = pytest.mark.each_interpreter

HELLO = 'print("hello, world")\n'


def test_hello(interpreter, program, record):
    recording = record(interpreter, program(HELLO))
    assert recording.out == "hello, world\n"
    assert_complete(recording)
    process = recording.process
    assert process["python"] == interpreter.version_text
    assert (process["exit_status"], process["signal"]) == (0, None)
    assert process["peak_bytes"] > 100_000
    assert process["allocations"] >= process["frees"] > 1000
    assert "hello, world" not in recording.err


def test_source_given_on_the_command_line(interpreter, tmp_path):
    recording = harness.record(
        [interpreter.path, "-c", "kept = bytes(1234567)"], tmp_path / "run.heapline"
    )
    rows = recording.rows("end", file="<string>")
    assert [(row["line"], row["function"]) for row in rows if row["bytes"] > 10**6] == [
        (1, "<module>")
    ]


def test_stdin_as_the_program(interpreter, tmp_path):
    recording = harness.record(
        [interpreter.path, "-"],
        tmp_path / "run.heapline",
        input="kept = bytes(1234567)\nprint(1)\n",
    )
    assert recording.out == "1\n"
    rows = recording.rows("end", file="<stdin>")
    assert [row["line"] for row in rows if row["bytes"] > 10**6] == [1]


def test_python_behind_a_shell_script(interpreter, program, tmp_path):
    """As version managers do it: `python3` is a script that finds the real one and execs it."""
    folder = tmp_path / "shims"
    folder.mkdir()
    shim = folder / "python3"
    shim.write_text(
        "#!/bin/bash\nset -e\nname=$(basename \"$0\")\n"
        f'case "$name" in python3) exec "{interpreter.path}" "$@" ;; esac\n'
    )
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    env = harness.environment(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")
    hello = program("kept = bytes(1234567)  #: kept\nprint('hello')\n")
    recording = harness.record(["python3", hello], tmp_path / "run.heapline", env=env)
    assert recording.out == "hello\n"
    assert_complete(recording)
    assert recording.process["python"] == interpreter.version_text
    assert recording.line(hello, "kept", "end").bytes == 1234567 + harness.BYTES_HEADER
