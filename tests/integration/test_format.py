"""Recordings of older formats go on being read.

tests/data has a recording of each format that ever was, made once by the heapline of its time from
this program with Debian's Python (-I -S), with history and without; what they say does not change.
Only the source of the program itself was left in them.
"""

import pytest
from harness import BUILD, TESTS, report, run

FILES = sorted((TESTS / "data").glob("format-*.heapline"))

# Of the program's lines: bytes, blocks and allocations.
AT_END = {
    9: (600_099, 3, 18),  # 10 blocks and 5, of which 3 are left, and the list
    30: (78_602, 1743, 2256),
    26: (71_904, 1996, 1998),
    12: (1604, 7, 15),
    2: (400, 1, 1),
    21: (320, 2, 3),
    7: (152, 1, 1),
    15: (152, 1, 1),
    28: (64, 1, 2),
    25: (32, 1, 749),
    27: (0, 0, 3000),
    8: (0, 0, 4),
    1: (0, 0, 3),
}


def lines(answer):
    """By line, in its functions and classes together."""
    sums = {}
    for row in answer["rows"]:
        if (row["file"] or "").endswith("/app.py"):
            numbers = (row["bytes"], row["blocks"], row["allocations"])
            sums[row["line"]] = tuple(map(sum, zip(sums.get(row["line"], (0, 0, 0)), numbers)))
    return sums


def test_there_is_a_file_of_every_format():
    text = (TESTS.parent / "schema" / "store.sql").read_text()
    newest = int(text.split("PRAGMA user_version = ")[1].split(";")[0])
    for number in range(1, newest + 1):
        assert TESTS / "data" / f"format-{number}.heapline" in FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_reports(file):
    end = report(file, "--at", "end", "-n", "0")
    assert lines(end) == AT_END
    totals = end["totals"]
    assert (totals["allocations"], totals["frees"], totals["allocated_bytes"]) == (37_551, 37_058, 6_885_563)
    assert (totals["leaked_bytes"], totals["leaked_blocks"]) == (57_177, 493)
    # Before line 30, which makes the dictionary after a pause.
    at = report(file, "--at", "50ms", "-n", "0")
    assert lines(at) == {**AT_END, 30: (0, 0, 2256)}
    assert at["view"]["exact"] is (file.stem == "format-1")
    peak = report(file, "--at", "peak", "--by", "stack", "-n", "0")
    assert sum(row["bytes"] for row in peak["rows"]) == peak["totals"]["peak_bytes"]
    assert "agree" in run([BUILD / "heapline", "check", "--verify", file], check=0).out


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_view(file):
    assert "Node(float(number), chain)" in run([BUILD / "heapline", "lines", file, "app.py"], check=0).out
    for command in (["tree"], ["timeline"], ["report", "--growing"], ["report", "--between", "40%", "90%"]):
        assert run([BUILD / "heapline", *command, file], check=0).out
    query = "SELECT count(*) AS n, sum(kind = 'free') AS frees FROM events"
    events = run([BUILD / "heapline", "sql", "--json", file, query], check=0).json
    kept = file.stem == "format-1"
    assert events == [{"n": 74_609, "frees": 37_058} if kept else {"n": 0, "frees": None}]
    if kept:
        rows = run([BUILD / "heapline", "report", "--lifetimes", "--json", "-n", "0", file], check=0).json["rows"]
        assert sum(row["frees"] for row in rows) == 37_058
