"""What was held, by call path: numbers that add up."""

import collections
import csv
import io

import harness
import pytest
from harness import BUILD, BYTES_HEADER, assert_complete, run

pytestmark = pytest.mark.of_readers

SOURCE = """
    def leaf(size):
        return bytes(size)  #: leaf

    def left(size):
        return leaf(size)  #: left

    def right(size):
        return [leaf(size), leaf(2 * size)]  #: right

    def down(depth):
        if depth == 0:
            return [leaf(500_000)]  #: bottom
        kept = down(depth - 1)  #: down
        kept.append(bytes(depth * 10_000))  #: own
        return kept

    kept = [left(1_000_000), right(3_000_000), down(5)]  #: top
"""


def tree(file, *options, check=0, **more):
    return run([BUILD / "heapline", "tree", *options, file], check=check, **more)


def branches_of(file, *options, name="tree"):
    return tree(file, "--json", *options).json[name]


def assert_sums(branches):
    """Every branch is its own part, its children and what was folded."""
    below = collections.defaultdict(list)
    for branch in branches:
        below[branch["parent"]].append(branch)
    for number, branch in enumerate(branches):
        children = below[number]
        for kind in ("bytes", "blocks"):
            parts = branch["own_" + kind] + branch["folded_" + kind] + sum(c[kind] for c in children)
            assert branch[kind] == parts, (number, branch)
        assert children == sorted(children, key=lambda c: -c["bytes"])
        assert all(c["depth"] == branch["depth"] + 1 for c in children)


def path(branches, number):
    """The lines from the root to a branch."""
    lines = []
    while branches[number]["parent"] is not None:
        lines.append((branches[number]["file"], branches[number]["line"], branches[number]["function"]))
        number = branches[number]["parent"]
    return tuple(reversed(lines))


@pytest.mark.parametrize("least", ["0", "1%", "30%", "100%"])
def test_branches_add_up(python, program, record, least):
    recording = record(python, program(SOURCE))
    assert_complete(recording)
    for at in ("peak", "end", "50%"):
        view = recording.report(at)["view"]
        for options, name in ([[], "tree"], [["--inverted"], "inverted"]):
            branches = branches_of(recording.file, "--at", at, "--min", least, *options, name=name)
            assert_sums(branches)
            assert (branches[0]["bytes"], branches[0]["blocks"]) == (view["bytes"], view["blocks"])
            assert branches[0]["parent"] is None
            limit = int(view["bytes"] * float(least.rstrip("%")) / 100)
            assert all(b["bytes"] >= limit for b in branches)


def test_unfolded_tree_is_the_stacks(interpreter, program, record):
    source = program(SOURCE)
    recording = record(interpreter, source)
    held = {stack: value for stack, value in recording.per_stack("end").items() if any(value)}
    branches = branches_of(recording.file, "--at", "end", "--min", "0")
    seen = {
        path(branches, number): (b["own_bytes"], b["own_blocks"])
        for number, b in enumerate(branches)
        if b["own_blocks"]
    }
    assert seen == held
    branches = branches_of(recording.file, "--at", "end", "--min", "0", "--inverted", name="inverted")
    seen = {
        tuple(reversed(path(branches, number))): (b["own_bytes"], b["own_blocks"])
        for number, b in enumerate(branches)
        if b["own_blocks"]
    }
    assert seen == held


def test_function_counts_recursion_once(interpreter, program, record):
    source = program(SOURCE)
    recording = record(interpreter, source)
    trees = tree(recording.file, "--at", "end", "--min", "0", "--json", "--function", "down").json
    own = sum(depth * 10_000 + BYTES_HEADER for depth in range(1, 6))
    for name in ("callers", "callees"):
        branches = trees[name]
        assert_sums(branches)
        # Beside the blocks: the list, which grows, and frames up to 3.10.
        assert 0 <= branches[0]["bytes"] - own - 500_000 - BYTES_HEADER < 5000
    callers = [b for b in trees["callers"] if b["depth"] == 2]
    assert {(b["line"], b["function"]) for b in callers} == {(source.lines["top"], "<module>")}
    first = {b["line"] for b in trees["callees"] if b["depth"] == 1}
    assert first <= {source.lines["down"], source.lines["own"]}
    own_line = [b for b in trees["callees"] if b["depth"] == 1 and b["line"] == source.lines["own"]]
    assert 0 <= own_line[0]["bytes"] - 5 * 10_000 - BYTES_HEADER < 1000


def test_function_that_holds_little(interpreter, program, record):
    """Of two gigabytes it has a thousandth; its own tree has its callers, and what it called."""
    source = program(
        """
        def make(size): return bytes(size)
        def small():
            return [make(1_000_000) for _ in range(2)]
        big = make(2_000_000_000)  # nothing but address space
        kept = small()
        """
    )
    recording = record(interpreter, source)
    text = run([BUILD / "heapline", "tree", "--function", "small", recording.file], check=0).out
    callers, callees = text.split("callees")
    assert "program.py:5 <module>" in callers and callers.count("program.py:3 small") == 1
    assert "program.py:1 make" in callees


def test_function_that_is_not_there(python, program, record):
    recording = record(python, program(SOURCE))
    ran = tree(recording.file, "--function", "nowhere", "--json")
    assert "nowhere" in ran.err and ran.json["callers"][0]["bytes"] == 0


def test_text_and_csv(python, program, record):
    source = program(SOURCE)
    recording = record(python, source)
    for width in (40, 80, 200):
        text = tree(recording.file, "--at", "peak", env=harness.environment(COLUMNS=width)).out
        lines = text.splitlines()
        assert "size" in lines[0] and "all" in lines[1]
        assert "├ " in text and "└ " in text and "\x1b" not in text
    assert any(f":{source.lines['right']} right" in line for line in lines)
    assert any("more" in line and "…" in line for line in lines)
    rows = list(csv.DictReader(io.StringIO(tree(recording.file, "--csv").out)))
    branches = branches_of(recording.file)
    assert len(rows) == len(branches)
    for row, branch in zip(rows, branches):
        for name, value in branch.items():
            assert row[name] == ("" if value is None else str(value)), name


def test_deep_recursion(python, program, record):
    source = program(
        """
        import sys
        sys.setrecursionlimit(6000)

        def down(depth):
            return bytes(1_000_000) if depth == 0 else down(depth - 1)

        kept = down(5000)
        """
    )
    recording = record(python, source)
    branches = branches_of(recording.file, "--at", "end")
    assert_sums(branches)
    assert max(b["depth"] for b in branches) == 5002
    assert tree(recording.file, "--at", "end").out.count("down") >= 5000


def test_wrong_usage(python, program, record, tmp_path):
    recording = record(python, program("pass"))
    for options in (
        ["--min", "x"],
        ["--min", "-1%"],
        ["--min", "101%"],
        ["--json", "--csv"],
        ["--inverted", "--function", "f"],
        ["--at", "end", "--between", "0s", "1ms"],
        ["--by", "line"],
    ):
        tree(recording.file, *options, check=2)
    tree(tmp_path / "none.heapline", check=1)
    assert run([BUILD / "heapline", "tree", "--help"], check=0).out
