"""What several processes held together when the run ended, and what of each one's end is no leak."""

import os
import signal

import harness
import pytest
from harness import BUILD, assert_complete, run

MEGABYTE = 1_000_000
# Beside the blocks of these programs an interpreter holds less than one of them.
BASE = 8 * MEGABYTE


def totals_of(recording):
    report = harness.report(recording.file)
    totals = report["totals"]
    assert totals["run_end_bytes"] <= totals["peak_bytes"]
    assert totals["end_bytes"] == sum(process["end_bytes"] for process in report["processes"])
    assert totals["leaked_bytes"] == sum(process["leaked_bytes"] for process in report["processes"])
    return report, totals


@pytest.fixture(params=["history", "no-history"])
def options(request):
    return [] if request.param == "history" else ["--no-history"]


def test_one_after_the_other(interpreter, program, record, options):
    """Eight children hold 20 MB each at their own ends, one after the other: together never."""
    source = program(
        """
        import os, collector_clock
        kept = bytes(11_000_000)
        for _ in range(8):
            if os.fork() == 0:
                block = bytes(20_000_000)
                os._exit(0)
            os.wait()
            collector_clock.wait()
        """
    )
    recording = record(interpreter, source, options=options)
    assert_complete(recording)
    report, totals = totals_of(recording)
    assert totals["end_bytes"] > 8 * 20 * MEGABYTE
    assert totals["run_end_processes"] == 1
    assert totals["run_end_bytes"] == report["processes"][0]["end_bytes"]
    text = run([BUILD / "heapline", "report", recording.file], check=0).out.splitlines()
    (end,) = [line for line in text if line.startswith("  held at end ")]
    (own,) = [line for line in text if line.startswith("  at own ends ")]
    assert "of 1 process, when the run ended" in end and "each process's own, added up" in own
    said = recording.err.replace("heapline: ", "")
    assert "held at end 1" in said and "(9 processes" in said


def test_who_is_there(python, program, record, options):
    """A child that outlives its parent's code counts with what it held then."""
    source = program(
        """
        import os, signal, sys, collector_clock
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            for number in range(3):  # nobody is to wait for it
                os.close(number)
            first = bytes(30_000_000)
            second = bytes(40_000_000)
            del second
            collector_clock.wait()
            os.write(write, b"x")
            signal.pause()
        os.read(read, 1)
        kept = bytes(11_000_000)
        collector_clock.wait()
        """
    )
    recording = record(python, source, options=options)
    report, totals = totals_of(recording)
    os.kill(report["processes"][1]["pid"], signal.SIGKILL)
    assert totals["run_end_processes"] == 2
    assert 41 * MEGABYTE < totals["run_end_bytes"] < 41 * MEGABYTE + BASE


def test_exec_is_no_leak(interpreter, program, record):
    """Each program that makes place for the next holds 20 MB then, and has leaked nothing."""
    source = program(
        """
        import os, sys
        left = int(sys.argv[1])
        block = bytes(20_000_000)
        if left:
            os.execv(sys.executable, [sys.executable, sys.argv[0], str(left - 1)])
        del block
        """
    )
    recording = record(interpreter, source, "3")
    report, totals = totals_of(recording)
    endings = [process["ending"] for process in report["processes"]]
    assert endings == ["exec"] * 3 + ["exited"]
    assert [process["leaked_bytes"] for process in report["processes"][:3]] == [0] * 3
    assert all(process["end_bytes"] > 20 * MEGABYTE for process in report["processes"][:3])
    assert totals["run_end_bytes"] == report["processes"][3]["end_bytes"] < BASE
    exit = harness.report(recording.file, "--at", "exit", "--by", "process", "-n", "0")
    assert exit["view"]["bytes"] == totals["leaked_bytes"] == report["processes"][3]["leaked_bytes"]
    assert run([BUILD / "heapline", "check", "--verify", recording.file]).status == 0


def test_notes_are_folded(python, program, record):
    """Twelve processes that never reach the end of their program take six lines and not twelve."""
    source = program(
        """
        import os
        for _ in range(12):
            if os.fork() == 0:
                os._exit(0)
            os.wait()
        """
    )
    recording = record(python, source)
    text = run([BUILD / "heapline", "report", "--at", "end", recording.file], check=0).out
    assert text.count("never reached the end of its program") == 5
    assert "… and 7 more processes never did." in text
