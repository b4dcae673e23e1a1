"""A Python whose version nobody has heard of: counted, without stacks, with one line."""

import harness
from harness import PROGRAMS, heapline_run, run


def test_unknown_version(compiled, tmp_path):
    odd = compiled(PROGRAMS / "odd_python.c", "odd_python", "-rdynamic")
    file = tmp_path / "run.heapline"
    ran = run(heapline_run([odd], file, ["-q"]), cwd=tmp_path, check=3)
    assert ran.out == "ran\n"
    complaints = [line for line in ran.err.splitlines() if "not known" in line]
    assert len(complaints) == 1 and complaints[0].startswith("heapline: ")
    report = harness.report(file, "--at", "exit", "--allocator", "malloc", "-n", "0")
    assert report["processes"][0]["python"].startswith("3.127")
    held = [row for row in report["rows"] if row["bytes"] >= 1234567]
    assert len(held) == 1 and held[0]["file"] is None
