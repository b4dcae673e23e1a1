"""Native code that is of no file, because the program has made it while it ran."""

from pathlib import Path

import pytest
from harness import BUILD, run


def test_code_that_the_program_has_made(interpreter, program, record):
    """What has no file has the name that its maker tells profilers of it in /tmp/perf-PID.map."""
    if interpreter.version < (3, 12):
        pytest.skip("CPython makes no code of its own that it tells of")
    source = program("def load(n): return [bytes(n) for _ in range(100)]\nkept = load(10_000)\n")
    recording = record(interpreter, source, flags=["-X", "perf"], options=["--native"])
    pid = recording.report()["processes"][0]["pid"]
    perf_map = Path(f"/tmp/perf-{pid}.map")
    if not perf_map.exists():
        pytest.skip("this Python is built without")
    perf_map.unlink()
    rows = [row for row in recording.rows(by="stack") if row["bytes"] > 900_000]
    names = [f["function"] for row in rows for f in row["stack"] if f["file"] == "<native code>"]
    assert f"py::load:{source}" in names
    text = run([BUILD / "heapline", "report", "--by", "stack", recording.file], check=0).out
    assert ":0 " not in text and "<native code> py::load" in text
