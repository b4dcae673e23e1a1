"""Recordings of so many events, for what is asked of them afterwards."""

import os
import sqlite3
import subprocess
from pathlib import Path

import contestants

PROGRAMS = Path(__file__).resolve().parent / "programs"
PROGRAM = "string_work.py"
LOOPS_A_TRIAL = 20


def run(interpreter, program, loops, output):
    command = [str(contestants.HEAPLINE), "run", "-q", "-f", "-o", str(output), "--"]
    command += [*interpreter.command, str(PROGRAMS / program), str(loops)]
    subprocess.run(command, env=interpreter.environment, check=True, stdout=subprocess.DEVNULL)


def facts(recording):
    """Events, and the bytes that their history takes."""
    with sqlite3.connect(f"file:{recording}?mode=ro", uri=True) as database:
        (events,) = database.execute("SELECT sum(events) FROM process").fetchone()
        (history,) = database.execute("SELECT total(length(summary) + length(data) + length(lifetimes)) FROM history_chunk").fetchone()
    return events, history


def record(interpreter, events, output):
    """Records about so many events; the length of one trial tells how many loops that takes."""
    run(interpreter, PROGRAM, LOOPS_A_TRIAL, output)
    tried, _ = facts(output)
    run(interpreter, PROGRAM, LOOPS_A_TRIAL * events // tried + 1, output)
    return facts(output)
