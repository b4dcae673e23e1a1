"""Recordings of older formats go on being read.

tests/data has a recording of each format that ever was, made once by the heapline of its time from
one program with Debian's Python (-I -S), with history and without; what they say does not change.
Only the source of the program itself was left in them. Each format's program ends with what is new
in it. From 3 on they are recorded with native frames.
"""

import collections

import pytest
from harness import BUILD, TESTS, report, run

FILES = sorted((TESTS / "data").glob("format-*.heapline"))

# Of the lines that all have: bytes, blocks and allocations.
AT_END = {
    9: (600_099, 3, 18),  # 10 blocks and 5, of which 3 are left, and the list
    30: (78_602, 1743, 2256),
    26: (71_904, 1996, 1998),
    12: (1604, 7, 15),
    21: (320, 2, 3),
    7: (152, 1, 1),
    15: (152, 1, 1),
    28: (64, 1, 2),
    25: (32, 1, 749),
    27: (0, 0, 3000),
    8: (0, 0, 4),
    1: (0, 0, 3),
}

# `more`: at the end, the lines that not all have. `pause`: a moment between lines 29 and 30 in the
# file with history and in the one with slices; `paused`: what else is different then.
Made = collections.namedtuple("Made", "more totals leaked events pause paused inherited_frees", defaults=(0,))

# A mapping of 16 pages with a hole of four in it, and one of three.
MAPPINGS = {
    2: (0, 0, 1),
    32: (0, 0, 3),
    33: (0, 0, 3),
    35: (1088, 3, 5),
    36: (552, 8, 16),
    37: (0, 0, 4),
    38: (160, 3, 8),
    39: (12 * 4096 + 32, 2, 12),
    40: (0, 0, 4),
    41: (3 * 4096 + 96, 2, 2),
}
# A library in C, in which 12,345 bytes are allocated.
LIBRARY = {43: (312, 2, 4), 44: (80, 2, 7), 45: (0, 0, 3), 46: (12_345, 1, 4)}

# A forked child, which frees three blocks that it inherits and others from before its end.
CHILD = {49: (248, 7, 9), 50: (64, 1, 1), 51: (54_354, 1, 1), 53: (0, 0, 1)}

# Address space of which eight pages are made memory and one is given back, a file, and eight MiB of which two are
# touched.
REAL = {
    55: (32, 1, 11),
    56: (512, 8, 18),
    57: (7 * 4096, 1, 6),
    58: (0, 0, 6),
    59: (0, 0, 5),
    60: (160, 2, 5),
    61: ((8 << 20) + 96, 2, 2),
    62: (0, 0, 1),
}

MADE = {
    "1": Made({2: (400, 1, 1)}, (37_551, 37_058, 6_885_563), (57_177, 493), 74_609, ("50ms", "50ms"), {}),
    "2": Made(MAPPINGS, (42_283, 39_977, 7_688_747), (364_132, 2306), 82_262, ("170ms", "130ms"), {2: (400, 1, 1)}),
    "3": Made(
        {**MAPPINGS, **LIBRARY},
        (42_475, 40_163, 7_746_240),
        (375_774, 2312),
        82_640,
        ("320ms", "160ms"),
        {2: (400, 1, 1)},
    ),
    "4": Made(
        {**MAPPINGS, **LIBRARY, **CHILD},
        (42_636, 40_301, 7_821_500),
        (431_360, 2335),
        103_032,
        ("320ms", "440ms"),
        {2: (400, 1, 1)},
        11,
    ),
    "5": Made(
        {**MAPPINGS, **LIBRARY, **CHILD},
        (42_636, 40_301, 7_821_497),
        (431_360, 2335),
        103_032,
        ("350ms", "293ms"),
        {2: (400, 1, 1)},
        11,
    ),
    "6": Made(
        {**MAPPINGS, **LIBRARY, **CHILD, **REAL},
        (43_617, 41_279, 18_468_948),
        (460_145, 2338),
        105_079,
        ("100ms", "100ms"),
        {2: (400, 1, 1)},
        12,  # one of a file that was mapped
    ),
    "7": Made(
        {**MAPPINGS, **LIBRARY, **CHILD, **REAL},
        (43_620, 41_282, 18_469_031),
        (460_145, 2338),
        105_085,
        ("90ms", "90ms"),
        {2: (400, 1, 1)},
        12,  # one of a file that was mapped
    ),
}


def made(file):
    """What it says, and whether it has a history."""
    _, number, *slices = file.stem.split("-")
    return MADE[number], not slices


def lines(answer):
    """By the line of the innermost Python frame, in its functions and classes together."""
    sums = {}
    for row in answer["rows"]:
        python = [frame for frame in row["stack"] if frame["file"].endswith(".py") or frame["file"].startswith("<frozen")]
        if python and python[-1]["file"].endswith("/app.py"):
            line = python[-1]["line"]
            numbers = (row["bytes"], row["blocks"], row["allocations"])
            sums[line] = tuple(map(sum, zip(sums.get(line, (0, 0, 0)), numbers)))
    return sums


def test_there_is_a_file_of_every_format():
    text = (TESTS.parent / "schema" / "store.sql").read_text()
    newest = int(text.split("PRAGMA user_version = ")[1].split(";")[0])
    for number in range(1, newest + 1):
        assert TESTS / "data" / f"format-{number}.heapline" in FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_reports(file):
    it, kept = made(file)
    end = report(file, "--at", "end", "--by", "stack", "-n", "0")
    assert lines(end) == {**AT_END, **it.more}
    totals = end["totals"]
    assert (totals["allocations"], totals["frees"], totals["allocated_bytes"]) == it.totals
    assert (totals["leaked_bytes"], totals["leaked_blocks"]) == it.leaked
    # Before line 30, which makes the dictionary after a pause.
    at = report(file, "--at", it.pause[not kept], "--by", "stack", "-n", "0")
    later = {line: (0, 0, sums[2]) for line, sums in {**AT_END, **it.more}.items() if line >= 30}
    assert lines(at) == {**AT_END, **it.more, **it.paused, **later}
    assert at["view"]["exact"] is kept
    peak = report(file, "--at", "peak", "--by", "line", "-n", "0")
    assert sum(row["bytes"] for row in peak["rows"]) == peak["totals"]["peak_bytes"]
    assert "agree" in run([BUILD / "heapline", "check", "--verify", file], check=0).out


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_view(file):
    assert "Node(float(number), chain)" in run([BUILD / "heapline", "lines", file, "app.py"], check=0).out
    for command in (["tree"], ["timeline"], ["report", "--growing"], ["report", "--between", "40%", "90%"]):
        assert run([BUILD / "heapline", *command, file], check=0).out
    html = run([BUILD / "heapline", "html", "-o", "-", file])
    assert html.status == 0 and '"peak_known":true' in html.out or "without the page" in html.err
    query = "SELECT count(*) AS n, sum(kind = 'free') - sum(kind = 'restore') AS frees FROM events"
    events = run([BUILD / "heapline", "sql", "--json", file, query], check=0).json
    it, kept = made(file)
    frees = it.totals[1] + it.inherited_frees
    assert events == [{"n": it.events, "frees": frees} if kept else {"n": 0, "frees": None}]
    if kept:
        rows = run([BUILD / "heapline", "report", "--lifetimes", "--json", "-n", "0", file], check=0).json["rows"]
        assert sum(row["frees"] for row in rows) == it.totals[1]


def test_mappings_came_with_format_2():
    def mapped(name):
        answer = run([BUILD / "heapline", "timeline", "--json", TESTS / "data" / name], check=0).json
        return max(sample["mmap"] for sample in answer["processes"][0]["samples"])

    assert mapped("format-1.heapline") == 0
    assert mapped("format-2.heapline") == mapped("format-2-slices.heapline") == 15 * 4096
    rows = report(TESTS / "data" / "format-2.heapline", "--at", "end", "--allocator", "mmap")["rows"]
    assert [(row["line"], row["bytes"], row["blocks"]) for row in rows] == [(39, 12 * 4096, 1), (41, 3 * 4096, 1)]


def test_modules_came_with_format_3():
    for name in ("format-2.heapline", "format-3.heapline", "format-3-slices.heapline"):
        answer = report(TESTS / "data" / name, "--at", "end", "--by", "module", "-n", "0")
        modules = {module["path"]: module for module in answer["modules"]}
        rows = {row["module"]: row["bytes"] for row in answer["rows"]}
        if name.startswith("format-2"):
            assert not modules and rows["/tmp/golden/app.py"] > 800_000
            continue
        assert rows["/tmp/golden/native.so"] == 12_345
        native, python = modules["/tmp/golden/native.so"], modules["/usr/bin/python3.11"]
        assert len(native["build_id"]) == 40 and native["note"] is None
        assert python["note"] == "the file with its debug information was not found"
        text = run([BUILD / "heapline", "lines", "--at", "end", TESTS / "data" / name, "native.c"], check=0).out
        assert "return malloc(size);" in text and "kept = make(size);" in text


def test_what_is_touched_came_with_format_6():
    for name in ("format-5.heapline", "format-6.heapline", "format-6-slices.heapline"):
        file = TESTS / "data" / name
        shown = run([BUILD / "heapline", "report", "--json", "--by", "stack", "-n", "0", file], check=0).json
        if name.startswith("format-5"):
            assert shown["view"]["at"] == "peak" and shown["totals"]["touched_peak_bytes"] is None
            continue
        assert shown["view"]["at"] == "touched-peak"
        assert lines(shown)[61][0] == (2 << 20) + 96
        apart = {}
        for allocator in ("file", "reserved"):
            answer = report(file, "--at", "end", "--by", "stack", "--allocator", allocator, "-n", "0")
            apart[allocator] = {line: sums[:2] for line, sums in lines(answer).items()}
        assert apart == {"file": {60: (4096, 1)}, "reserved": {55: ((1 << 30) - 8 * 4096, 1)}}


def test_what_is_resident_came_with_format_7():
    answer = run([BUILD / "heapline", "resident", "--json", TESTS / "data" / "format-7.heapline"], check=0).json
    kinds = {row["kind"] for row in answer["rows"]}
    assert {"object", "malloc", "pymalloc-free", "malloc-free", "overhead", "library", "stack"} <= kinds
    assert sum(row["resident_bytes"] for row in answer["rows"]) + answer["unknown_bytes"] == answer["rss_bytes"]
    assert run([BUILD / "heapline", "resident", TESTS / "data" / "format-6.heapline"]).status == 1
