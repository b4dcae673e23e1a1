"""How far a command is that takes long: one line on a terminal, from the second second on, and nothing
anywhere else. The clock is the tests' own, so that how long anything takes does not matter."""

import os
import re
import shlex
import signal
import sqlite3

import harness
import pytest
from harness import BUILD, heapline_run, run
from terminal import Terminal

HEAPLINE = BUILD / "heapline"

# Milliseconds from one look at the clock to the next: at each a line is due, or never.
FAST, STANDING = 2000, 0

EVENTS = 700_000

# Two processes beside the first one, so that the peak of two of them is not in the recording.
FAMILY = """
    import os, sys
    def work():
        for number in range(40_000):
            kept = bytes(600)
        print(os.getpid(), flush=True)
    for _ in range(2):
        if os.fork() == 0:
            work()
            os._exit(0)
        os.wait()
    work()
"""


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    """A process with a history of several chunks."""
    file = tmp_path_factory.mktemp("long") / "run.heapline"
    run([BUILD / "tests" / "long_run", EVENTS, 60, "history", file], check=0)
    return harness.Recording(file)


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    folder = tmp_path_factory.mktemp("family")
    program = harness.Program.write(folder, FAMILY)
    return harness.record(["/usr/bin/python3", "-I", "-S", program], folder / "run.heapline", cwd=folder)


@pytest.fixture
def clock(compiled):
    """clock(step): the words before a command that sees such a clock."""
    library = compiled("clock.c", "libclock.so", "-shared", "-fPIC")
    return lambda step: ["env", f"LD_PRELOAD={library}", f"CLOCK_STEP={step}"]


@pytest.fixture
def on_terminal(python, tmp_path, clock):
    """on_terminal(step, command, more): all that it says to a terminal; `more` is the shell's."""

    def on_terminal(step, command, more=""):
        words = shlex.join(map(str, [*clock(step), *command]))
        terminal = Terminal(python, ["/bin/sh", "-c", f"{words} {more}; echo ended with $?."], tmp_path)
        said = terminal.expect("ended with 0.")
        assert terminal.reported() == "exited 0"
        terminal.close()
        return said

    return on_terminal


LINE = re.compile(r"\r(heapline \w+): ([^,\r\x1b]+)(?:, (\d+) %)?\x1b\[K")
AWAY = "\r\x1b[K"


def stages(said):
    """{what is being done: [per cent, without what is the same as before]}"""
    found = {}
    for _, doing, percent in LINE.findall(said):
        percents = found.setdefault(doing, [])
        if not percents or percents[-1] != percent:
            percents.append(percent)
    return {doing: [int(percent) if percent else None for percent in percents] for doing, percents in found.items()}


def chunks(recording, steps=1, step=0):
    """What share of all steps is done when each chunk has been read in one of them."""
    shares, done = [], 0
    for (events,) in recording.sql("SELECT events FROM history_chunk ORDER BY process, first_event"):
        done += events
        shares.append(int(f"{100 * (step + done / EVENTS) / steps:.0f}"))
    assert len(shares) > 5 and done == EVENTS
    return shares


def rising(*percents):
    return list(dict.fromkeys(percents))


READING, PLAYING, MOMENTS = "reading the recording", "playing the events", "looking at moments"
EVERY_EVENT = ["sql", "SELECT kind, count(*) FROM events GROUP BY kind"]


@pytest.mark.parametrize(
    "command, doing",
    [
        (["report", "--json", "--temporary=3"], READING),
        (["report", "--json", "--between", "0%", "100%"], READING),
        (["tree", "--json", "--temporary=3"], READING),
        (["export", "--format", "pprof", "--temporary=3", "-o", "/dev/null"], READING),
        (["export", "--format", "dhat", "-o", "/dev/null"], PLAYING),
        (EVERY_EVENT, "reading the events"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_one_pass(long_run, on_terminal, command, doing):
    """Each chunk of the history moves it by as much as it has of all events."""
    name, *options = command
    words = [HEAPLINE, name, long_run.file, *options] if name == "sql" else [HEAPLINE, *command, long_run.file]
    said = on_terminal(FAST, words)
    assert set(LINE.sub(lambda match: match[1], said).split(AWAY)[0].split("heapline ")[1:]) == {name}
    assert stages(said)[doing] == rising(0, *chunks(long_run), 100)
    # The line is gone before the answer comes, which is the same as without one.
    assert said.rpartition(AWAY)[2] == on_terminal(STANDING, words) == run(words, check=0).out


def test_passes_follow_each_other(long_run, on_terminal):
    """Five times through all events, one of them for nothing: it is alone."""
    said = on_terminal(FAST, [HEAPLINE, "check", "--verify", long_run.file])
    wanted = [0]
    for step in range(5):
        wanted += [*chunks(long_run, 5, step), 20 * (step + 1)]
    assert stages(said) == {"checking the history": rising(*wanted)}
    assert said.rpartition(AWAY)[2] == f"heapline check: {long_run.file}: {EVENTS} events agree with the sums\n"


def test_parts_of_parts(long_run, on_terminal):
    """Growing reads the end, and plays the events; with lifetimes it reads them for both."""
    said = on_terminal(FAST, [HEAPLINE, "report", "--growing", "--json", long_run.file])
    assert stages(said) == {MOMENTS: rising(0, 50, *chunks(long_run, 2, 1), 100)}
    said = on_terminal(FAST, [HEAPLINE, "report", "--lifetimes", "--json", long_run.file])
    assert stages(said) == {MOMENTS: rising(0, *chunks(long_run, 2), 50, *chunks(long_run, 2, 1), 100)}
    said = on_terminal(FAST, [HEAPLINE, "diff", "--json", "--by", "line", long_run.file, "--at", "10%", "90%"])
    assert stages(said) == {READING: [0, 50, 100]}
    said = on_terminal(FAST, [HEAPLINE, "lines", "--json", long_run.file])
    assert stages(said) == {READING: [0, 25, 50, 75, 100]}


def test_a_page(long_run, on_terminal, tmp_path):
    words = [HEAPLINE, "html", "-o", tmp_path / "page.html", long_run.file]
    if "without the page" in run(words).err:
        pytest.skip("this heapline was built without the page")
    said = on_terminal(FAST, words)
    assert stages(said) == {
        "reading the stacks": [0, 50, 100],
        "reading the history": rising(0, *chunks(long_run), 100),
        "packing": [None],
    }
    assert said.endswith(AWAY) and on_terminal(STANDING, words) == ""


def test_several_processes(family, on_terminal):
    """The peak of two of three is looked for; each process is a step of the answer."""
    pids = [process["pid"] for process in family.report()["processes"]][:2]
    said = on_terminal(FAST, [HEAPLINE, "report", "--json", "--pid", pids[0], "--pid", pids[1], family.file])
    found = stages(said)
    assert list(found) == ["looking for the peak", READING]
    assert found[READING] == [0, 50, 100] and found["looking for the peak"][-1] == 100
    assert found["looking for the peak"] == sorted(found["looking for the peak"])
    said = on_terminal(FAST, [HEAPLINE, "sql", family.file, "SELECT count(*) FROM events"])
    percents = stages(said)["reading the events"]
    assert percents == sorted(percents) and percents[0] == 0 and {33, 67, 100} <= set(percents)


@pytest.mark.parametrize("step", [FAST, STANDING])
def test_nowhere_but_on_a_terminal(long_run, on_terminal, clock, step, tmp_path):
    """Not in pipes, not in files, also when the answer goes to a terminal."""
    words = [HEAPLINE, "report", "--json", "--temporary=3", long_run.file]
    answer = run(words, check=0).out
    piped = run([*clock(step), *words], check=0)
    assert (piped.out, piped.err) == (answer, "")
    assert on_terminal(step, words, f"2>{tmp_path / 'errors'}") == answer
    assert (tmp_path / "errors").read_text() == ""
    said = on_terminal(step, words, f">{tmp_path / 'answer'}")
    assert (tmp_path / "answer").read_text() == answer
    assert (said == "") == (step == STANDING) and LINE.sub("", said).replace(AWAY, "") == ""


def test_not_in_the_first_second(long_run, on_terminal):
    """Lines come when a second has passed, and then four times in each."""
    words = [HEAPLINE, "check", "--verify", long_run.file]
    looks = 1 + 5 * (len(chunks(long_run)) + 1) + 2  # at the clock, at least
    for step in (1, 20, 125, 250, 1000):
        lines = LINE.findall(on_terminal(step, words))
        most = (looks * 2 * step - 1000) / 250 + 2
        assert len(lines) <= max(0, most), step
        assert bool(lines) == (looks * step > 1000), step


def test_rows_on_the_same_terminal(long_run, on_terminal):
    """Once they come nothing is said between them."""
    words = [HEAPLINE, "sql", "--csv", long_run.file, "SELECT sequence, size FROM events WHERE size < 20"]
    said = on_terminal(FAST, words)
    before, _, rows = said.rpartition(AWAY)
    assert stages(before) == {"reading the events": [0]}
    assert rows == run(words, check=0).out and rows.count("\n") > 1000


def test_what_fails_says_so_alone(long_run, on_terminal, tmp_path):
    """The line is taken away before the message."""
    bad = tmp_path / "bad.heapline"
    bad.write_bytes(long_run.file.read_bytes())
    with sqlite3.connect(bad) as database:
        database.execute("DELETE FROM history_chunk WHERE first_event > 300000")
    database.close()
    words = [HEAPLINE, "export", "--format", "dhat", "-o", tmp_path / "out", bad]
    message = run(words, check=1).err
    said = on_terminal(FAST, ["sh", "-c", shlex.join(map(str, words)) + " || true"])
    assert said.rpartition(AWAY)[2] == message and LINE.search(said)


def test_a_recording_that_takes_long_to_finish(python, program, tmp_path):
    """The command has ended, and its collector does not come to an end."""
    source = program("import sys\nprint('ready', flush=True)\nsys.stdin.readline()\n")
    terminal = Terminal(python, heapline_run([python.path, source], tmp_path / "run.heapline"), tmp_path)
    terminal.expect("ready\n")
    collector = harness.collector_of(terminal.shell.pid)
    os.kill(collector, signal.SIGSTOP)
    terminal.press(b"\n")
    terminal.expect("\rheapline run: finishing the recording\x1b[K")
    os.kill(collector, signal.SIGCONT)
    said = terminal.expect("peak")
    assert said.count(AWAY) == 1 and "finishing" not in said.rpartition(AWAY)[2]
    assert terminal.reported() == "exited 0"
    terminal.close()


def test_a_python_that_takes_long_to_answer(python, tmp_path):
    """Until it has been told to, it does not."""
    os.mkfifo(tmp_path / "told")
    slow = tmp_path / "slow-python"
    slow.write_text(f'#!/bin/sh\nread word <{tmp_path / "told"}\nexec {python.path} "$@"\n')
    slow.chmod(0o755)
    terminal = Terminal(python, [HEAPLINE, "doctor", "--", slow], tmp_path)
    for purpose in ("asking Python", "recording a program"):
        terminal.expect(f"\rheapline doctor: {purpose}\x1b[K")
        (tmp_path / "told").write_text("go on\n")
    assert "Tracing works" in terminal.expect(": heapline run")
    assert terminal.reported() == "exited 0"
    terminal.close()
