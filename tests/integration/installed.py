"""The packages that ./dev package makes, and what every installation of them has to do."""

import pytest
from harness import BUILD

PROGRAM = """
    block = bytes(999_967)  #: block
    kept = [bytes(967) for _ in range(1000)]  #: kept
    del block
    print("done")
"""


def package(pattern):
    found = list((BUILD / "packages").glob(pattern))
    if not found:
        pytest.skip("there are no packages: ./dev package makes them")
    assert len(found) == 1
    return found[0]


def assert_numbers(heapline, file, lines, path):
    """A recording of PROGRAM says what that holds; heapline(*words) runs the installed program."""
    for name, at, sums in (
        ("block", "peak", (1_000_000, 1)),
        ("kept", "peak", (1_000_000, 1000)),
        ("kept", "end", (1_000_000, 1000)),
    ):
        told = heapline("report", "--json", "-n0", "--allocator", "raw", "--allocator", "object", "--at", at, file)
        held = [
            (row["bytes"], row["blocks"])
            for row in told.json["rows"]
            if (row["file"], row["line"]) == (path, lines[name])
        ]
        if name == "block":
            assert sums in held, held
        else:
            assert sum(size for size, _ in held) >= sums[0] and sum(blocks for _, blocks in held) >= sums[1]
    heapline("check", "--verify", file)


def assert_works(heapline, python, lines, path, file):
    """Records, reports exact numbers, and finds nothing wrong; returns what the doctor says."""
    ran = heapline("run", "-q", "-o", file, "--", python, path)
    assert (ran.out, ran.err) == ("done\n", "")
    assert_numbers(heapline, file, lines, path)
    told = heapline("doctor", "--json", "--", python).json
    assert told["works"]
    return {found["subject"]: found for found in told["findings"]}
