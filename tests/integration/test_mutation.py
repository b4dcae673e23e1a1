"""The faults that tests/mutation puts into the sources: that a fault is small, and can be taken back."""

import itertools
import shutil
import sys

import pytest
from harness import REPOSITORY, TESTS

sys.path.insert(0, str(TESTS / "mutation"))
import faults  # noqa: E402


@pytest.fixture(scope="module")
def drawn():
    return list(faults.Draw(REPOSITORY, 16).take(60))


def test_a_seed_says_which(drawn):
    assert list(faults.Draw(REPOSITORY, 16).take(60)) == drawn
    assert len({fault.line for fault in drawn}) == 60 and {fault.kind for fault in drawn} <= set(faults.KINDS)
    assert {fault.line.file.split("/")[0] for fault in drawn} == set(faults.PARTS)


def test_a_fault_and_back(drawn, tmp_path):
    for fault in drawn:
        source, copy = REPOSITORY / fault.line.file, tmp_path / fault.line.file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
        fault.apply(tmp_path)
        pairs = itertools.zip_longest(source.read_text().split("\n"), copy.read_text().split("\n"))
        differing = [(number, *pair) for number, pair in enumerate(pairs, 1) if pair[0] != pair[1]]
        assert differing == [(fault.line.number, fault.before, fault.after)]
        fault.take_back(tmp_path)
        assert copy.read_bytes() == source.read_bytes()


KINDS = {
    "    if (a < b)": {"comparison turned": "    if (a <= b)", "condition negated": "    if (!(a < b))"},
    "    at = (at + 1) & mask;": {"off by one": "    at = (at + 0) & mask;", "statement dropped": "    ;"},
    "    return a && b;": {"other connective": "    return a || b;"},
    "    put(one, two);": {"arguments swapped": "    put(two, one);", "statement dropped": "    ;"},
    "    int x = 16;": {"wrong constant": "    int x = 17;"},
    '    say("a < b && c"); /* 1 < 2 */': {"statement dropped": '    ; /* 1 < 2 */'},
    "    assert(a < b);": {},
}  # fmt: skip


@pytest.mark.parametrize("text", KINDS)
def test_kinds(text):
    line = faults.Line("some.c", 1, "some")
    found = faults.faults_of(line, text, faults.masked(text))
    assert {fault.kind: fault.after for fault in found} == KINDS[text]
