"""What forked children inherit: exact numbers with --inherited, whatever either side does afterwards, and
nothing lost in a thousand forks."""

import pytest
from harness import BYTES_HEADER

ALIKE = pytest.mark.parametrize("options", [(), ("--no-history",)], ids=["history", "slices"])
SIZE = 200_000

FAMILY = """
import os, sys

blocks = []
def make(count):
    for _ in range(count):
        blocks.append(bytes(200_000))  #: make

def wait(pipe):
    os.read(pipe, 1)

make(10)
go, tell = os.pipe()
child = os.fork()
if not child:
    wait(go)                 # the parent has freed and made others
    del blocks[:2]           # inherited
    again = bytes(200_000)   # often in the place of one of these
    del again
    grandchild = os.fork()
    if not grandchild:
        del blocks[:3]
        os._exit(0)
    os.waitpid(grandchild, 0)
    del blocks[:1]
    os._exit(0)
del blocks[:4]
make(1)
os.write(tell, b"x")
os.waitpid(child, 0)
"""


def held(recording, source, pid, *options):
    """Blocks of the line that makes them, at the exit."""
    rows = recording.report("exit", "line", "--pid", str(pid), *options)["rows"]
    found = [row for row in rows if row["file"] == str(source) and row["line"] == source.lines["make"]]
    blocks = sum(row["bytes"] for row in found) // (SIZE + BYTES_HEADER)
    assert sum(row["bytes"] for row in found) - blocks * (SIZE + BYTES_HEADER) < 1000  # and a list
    return blocks


@ALIKE
def test_a_family_frees_what_it_shares(interpreter, program, record, options):
    source = program(FAMILY)
    recording = record(interpreter, source, options=options)
    report = recording.report()
    assert report["run"]["complete"] and not report["run"]["lost_events"]
    parent, child, grandchild = (process["pid"] for process in report["processes"])
    assert held(recording, source, child) == 0
    assert held(recording, source, child, "--inherited") == 7
    assert held(recording, source, grandchild, "--inherited") == 5
    assert held(recording, source, parent, "--inherited") == held(recording, source, parent)


CROWD = """
import os
kept = [bytes(300_000) for _ in range(50)]
alive = []
for i in range(1000):
    child = os.fork()
    if not child:
        kept[i % 50] = None
        os._exit(0)
    alive.append(child)
    if len(alive) == 100:
        os.waitpid(alive.pop(0), 0)
for child in alive:
    os.waitpid(child, 0)
"""


@pytest.mark.one_interpreter
def test_a_thousand_forks(interpreter, program, record):
    recording = record(interpreter, program(CROWD))
    report = recording.report()
    assert report["run"]["complete"] and not report["run"]["lost_events"]
    counts = recording.sql("SELECT count(*), sum(unmatched_frees), sum(lost_events) FROM process "
                           "WHERE id IN (SELECT process FROM inheritance)")
    assert counts == [(1000, 0, 0)]
