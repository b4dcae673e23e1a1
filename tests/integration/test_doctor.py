"""heapline doctor: verdicts on this machine and this Python."""

import os
import platform
import shutil

import harness
import pytest
from harness import BUILD, run

DOCTOR = [BUILD / "heapline", "doctor"]


def examined(*command, status, **changes):
    """{subject: finding} of what is not ok, and all subjects."""
    ran = run([*DOCTOR, "--json", "--", *command], harness.environment(**changes), check=status)
    told = ran.json
    assert told["works"] == (status == 0)
    for finding in told["findings"]:
        assert set(finding) == {"subject", "verdict", "text", "advice"}
        assert finding["verdict"] in ("ok", "note", "problem")
        assert finding["text"] and (finding["advice"] is None or finding["verdict"] != "ok")
    return {found["subject"]: found for found in told["findings"]}


def problems(found):
    return {subject for subject, finding in found.items() if finding["verdict"] == "problem"}


def test_all_is_well(python, tmp_path):
    found = examined(python.path, status=0, TMPDIR=tmp_path)
    assert not problems(found)
    assert found["Python's version"]["text"] == f"CPython {python.version_text}"
    assert found["trial"]["text"].startswith(f"recorded Python {python.version_text}: ")
    assert found["kernel"]["text"] == f"Linux {platform.release()} on x86_64"
    assert found["shim"]["text"] == str(BUILD / "libheapline.so")
    assert os.listdir(tmp_path) == []


def test_text(python):
    out = run([*DOCTOR, "--", python.path], check=0).out.splitlines()
    assert out[-1] == "Tracing works: heapline run -- COMMAND"
    assert f"ok       Python's version: CPython {python.version_text}" in out


def test_a_script_that_starts_python(python, tmp_path):
    script = tmp_path / "wrapper"
    script.write_text(f'#!/bin/sh\nexec {python.path} "$@"\n')
    script.chmod(0o755)
    found = examined(script, status=0)
    assert found["Python's program"]["text"].startswith(os.path.realpath(python.path))
    found = examined("env", python.path, "-I", status=0)
    assert found["trial"]["verdict"] == "ok"


def test_the_python_of_the_path(python, tmp_path):
    (tmp_path / "python3").symlink_to(python.path)
    found = examined(status=0, PATH=tmp_path)
    assert found["Python's version"]["text"] == f"CPython {python.version_text}"


@pytest.mark.parametrize("command, words", [(["/no/such/python"], "cannot run"), (["true"], "does not answer")])
def test_no_python(command, words):
    found = examined(*command, status=1)
    assert problems(found) == {"Python"} and words in found["Python"]["text"]
    assert "trial" not in found


def test_set_user_id(python, tmp_path):
    copy = tmp_path / "python-setuid"
    shutil.copy(os.path.realpath(python.path), copy)
    copy.chmod(0o4755)
    found = examined(copy, status=1)
    assert "Python's rights" in problems(found)


def test_statically_linked(compiled, tmp_path, python):
    """A program that answers like a Python and ends well, but cannot be preloaded."""
    source = tmp_path / "static.c"
    source.write_text(
        "#include <stdio.h>\n#include <stdlib.h>\n"
        'int main(void) { char *me = realpath("/proc/self/exe", NULL);'
        ' printf("%s\\nCPython\\n3.11.2\\nusual\\n", me); return 0; }\n'
    )
    static = tmp_path / "static"
    harness.run(["gcc", "-static", "-o", static, source], check=0)
    found = examined(static, status=1)
    assert problems(found) == {"Python's program", "trial"}
    assert "statically linked" in found["Python's program"]["text"]


def test_the_environment(python):
    found = examined(python.path, status=0, PYTHONMALLOC="malloc")
    assert found["environment"]["verdict"] == "note"
    assert found["environment"]["text"].startswith("PYTHONMALLOC=malloc: ")


def test_a_version_that_is_not_known(python, tmp_path):
    """The answer of an old Python."""
    old = tmp_path / "old"
    old.write_text('#!/bin/sh\nprintf "/bin/sh\\nCPython\\n3.7.16\\nusual\\n"\n')
    old.chmod(0o755)
    found = examined(old, status=1)
    assert found["Python's version"]["text"] == "CPython 3.7.16: its stacks cannot be read"


def test_no_room_for_the_trial(python):
    found = examined(python.path, status=1, TMPDIR="/no/such/folder")
    assert problems(found) == {"trial"}


def test_heapline_that_is_not_complete(python, tmp_path):
    shutil.copy(BUILD / "heapline", tmp_path)
    ran = run([tmp_path / "heapline", "doctor", "--json", "--", python.path], check=1)
    found = {finding["subject"]: finding for finding in ran.json["findings"]}
    assert problems(found) == {"heapline", "trial"}


@pytest.mark.parametrize("arguments", [["--no-such-option"], ["--json=1"]])
def test_wrong_usage(arguments):
    ran = run([*DOCTOR, *arguments], check=2)
    assert ran.out == "" and "heapline doctor: " in ran.err
