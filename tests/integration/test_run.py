"""`heapline run` as a command among commands: streams, terminal, signals, statuses, messages."""

import os
import re
import select
import signal
import stat
import subprocess

import harness
import pytest
from harness import BUILD, heapline_run, run, start
from terminal import Terminal

RUN = BUILD / "heapline"


# --- what it passes on -------------------------------------------------------------------------


def test_streams(python, program, tmp_path):
    source = program(
        """
        import sys
        for number, line in enumerate(sys.stdin):
            print(number, line.upper(), end="")
            print(len(line), file=sys.stderr)
        """
    )
    lines = "".join(f"line {n}\n" for n in range(5000))
    recording = harness.record(
        [python.path, source], tmp_path / "run.heapline", ["-q"], input=lines
    )
    assert recording.out == "".join(f"{n} LINE {n}\n" for n in range(5000))
    assert recording.err == "".join(f"{len(line) + 1}\n" for line in lines.splitlines())


def test_bytes_as_they_are(python, program, tmp_path):
    source = program("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])")
    data = bytes(range(256)) * 5000
    ran = subprocess.run(
        heapline_run([python.path, source.path], tmp_path / "run.heapline", ["-q"]),
        input=data,
        stdout=subprocess.PIPE,
        timeout=harness.TIME_LIMIT,
    )
    assert (ran.returncode, ran.stdout) == (0, data[::-1])


def test_arguments(python, program, record):
    source = program("import sys; print(sys.argv[1:])")
    arguments = ["-o", "--", "", "two words", "*", "--output=x", "$HOME", "é", "--help", "-q"]
    assert record(python, source, *arguments).out == f"{arguments}\n"


def test_options_end_at_the_command(python, tmp_path):
    """Without `--`, what follows the command is the command's."""
    ran = run(
        [RUN, "run", "-q", "-o", tmp_path / "a", python.path, "-c", "print(1)", "-q"], check=0
    )
    assert ran.out == "1\n"


def test_a_broken_pipe_is_the_programs(python, program, tmp_path):
    """`heapline run … | head -1`: the program gets its SIGPIPE error and nobody else fails."""
    source = program(
        """
        import os, sys
        try:
            for _ in range(100_000):
                print("line")
            sys.stdout.flush()
        except BrokenPipeError:
            os.write(2, b"broken")
            os._exit(5)
        """
    )
    line = f"{RUN} run -q -o run.heapline {python.path} {source} | head -n 1; exit ${{PIPESTATUS[0]}}"
    ran = run(["bash", "-c", line], check=5, cwd=tmp_path)
    assert (ran.out, ran.err) == ("line\n", "broken")


def test_quiet_says_nothing(python, program, record):
    recording = record(python, program("print(1)"), options=["--quiet"])
    assert (recording.out, recording.err) == ("1\n", "")


def test_summary(python, program, record):
    """A few lines on stderr: peak, at end, leaked, the top line, the file, what to try next."""
    source = program("kept = bytes(50 << 20)  #: kept\n")
    recording = record(python, source)
    assert recording.out == ""
    words = recording.err.lower()
    for word in ("peak", "end", "leaked", "50.", "mib", "program.py:1", "run.heapline"):
        assert word in words, (word, recording.err)
    assert "heapline report" in words
    assert len(recording.err.splitlines()) <= 10


# --- its output file ---------------------------------------------------------------------------


def test_default_name(python, program, tmp_path):
    source = program("import os; print(os.getpid())", name="my_script.py")
    ran = run([RUN, "run", python.path, source], check=0, cwd=tmp_path)
    (file,) = tmp_path.glob("*.heapline")
    assert file.name == f"my_script.{ran.out.strip()}.heapline"
    assert file.name in ran.err


def test_an_existing_file_is_kept(python, program, tmp_path):
    file = tmp_path / "run.heapline"
    file.write_text("precious")
    source = program("open('ran', 'w')")
    ran = run(heapline_run([python.path, source], file), check=125, cwd=tmp_path)
    assert "run.heapline" in ran.err and "-f" in ran.err
    assert file.read_text() == "precious"
    assert not (tmp_path / "ran").exists()
    harness.record([python.path, source], file, ["--force"], cwd=tmp_path)
    assert (tmp_path / "ran").exists()
    assert harness.report(file)["run"]["complete"]


def test_force_leaves_nothing_of_the_old_one(python, program, record):
    first = record(python, program("kept = [bytes(n) for n in range(1000)]", name="first.py"))
    second = record(python, program("pass", name="second.py"), options=["-f"], file="run.heapline")
    assert first.file == second.file
    assert not any("first.py" in str(row["file"]) for row in second.rows())
    assert sorted(p.name for p in second.file.parent.glob("run.heapline*")) == ["run.heapline"]


@pytest.mark.parametrize("where", ["missing/run.heapline", "file/run.heapline", "folder", "sealed/x"])
def test_no_place_for_the_file(python, program, tmp_path, where):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "sealed").mkdir(mode=0o500)
    if where == "sealed/x" and os.geteuid() == 0:
        where = "/proc/x.heapline"  # root may write anywhere but there
    source = program("open('ran', 'w')")
    ran = run(heapline_run([python.path, source], tmp_path / where), check=125, cwd=tmp_path)
    assert ran.err.startswith("heapline") and where in ran.err
    assert not (tmp_path / "ran").exists()


def test_the_recording_is_the_users_own(python, program, record):
    """It holds the program's source and command line: made with the permissions of any new file
    and left without companions (journals) beside it."""
    recording = record(python, program("pass"))
    mode = stat.S_IMODE(recording.file.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    assert mode & ~(0o666 & ~umask) == 0
    assert [p.name for p in recording.file.parent.iterdir() if "heapline" in p.name] == [
        "run.heapline"
    ]


# --- its own failures --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--"],
        ["--no-such-option", "true"],
        ["-z", "true"],
        ["-o"],
        ["--overflow=sometimes", "true"],
        ["--max-frames", "many", "true"],
        ["--max-frames", "0", "true"],
        ["--max-frames", "-5", "true"],
    ],
)
def test_wrong_usage(arguments, tmp_path):
    ran = run([RUN, "run", *arguments], check=125, cwd=tmp_path)
    assert ran.out == ""
    assert ran.err.startswith("heapline") and "--help" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_is_not_there(tmp_path):
    ran = run(heapline_run(["no-such-command-anywhere"], tmp_path / "x"), check=127)
    assert "no-such-command-anywhere" in ran.err
    ran = run(heapline_run([tmp_path / "nothing"], tmp_path / "x", ["-f"]), check=127)
    assert "nothing" in ran.err


def test_a_command_that_cannot_be_run(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("text")
    for command in (plain, tmp_path):
        ran = run(heapline_run([command], tmp_path / "x", ["-f"]), check=126)
        assert str(command) in ran.err


def test_a_script_that_is_no_command(python, tmp_path):
    """Not executable, or in no folder of PATH: python3 runs it. What can be executed is executed."""
    commands = tmp_path / "commands"
    commands.mkdir()
    (commands / "python3").symlink_to(python.path)
    env = harness.environment(PATH=f"{commands}:/usr/bin:/bin")
    script = tmp_path / "script.py"

    def told(*words, status=0):
        ran = run(heapline_run(words, tmp_path / "x", ["-f", "-q"]), env, check=status, cwd=tmp_path)
        return ran.out

    script.write_text("import sys; print(sys.argv); sys.exit(3)")
    assert told("script.py", "-c", "one two", status=3) == "['script.py', '-c', 'one two']\n"
    assert told("./script.py", status=3) == "['./script.py']\n"
    assert harness.Recording(tmp_path / "x").process["command"] == ["python3", "./script.py"]
    script.write_text("#!/bin/echo run by\n")
    script.chmod(0o755)
    assert told(script) == f"run by {script}\n"
    script.rename(commands / "script.py")
    assert told("script.py") == f"run by {commands}/script.py\n"
    (tmp_path / "folder.py").mkdir()
    told("folder.py", status=127)
    told("./folder.py", status=126)
    (commands / "python3").unlink()
    script.write_text("")
    env["PATH"] = str(commands)
    told("./script.py", status=126)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["report", "--help"], ["-h"]])
def test_help(arguments):
    ran = run([RUN, *arguments], check=0)
    assert "usage" in ran.out.lower() and ran.err == ""
    assert all(len(line) <= 100 for line in ran.out.splitlines())


def test_version():
    first, *facts = run([RUN, "--version"], check=0).out.splitlines()
    assert re.fullmatch(r"heapline \d+\.\d+\.\d+", first)
    told = dict(line.split(maxsplit=1) for line in facts)
    assert set(told) == {"commit", "compiler", "machine", "SQLite", "libunwind"}
    assert told["machine"].startswith("x86_64, built with glibc 2.")
    assert re.fullmatch(r"heaplined \d+\.\d+\.\d+\n", run([BUILD / "heaplined", "--version"], check=0).out)


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["--no-such-option"]])
def test_wrong_usage_of_the_viewer(arguments):
    ran = run([RUN, *arguments], check=2)
    assert ran.err.strip() and ran.out == ""


# --- signals -----------------------------------------------------------------------------------

WAITING = """
    import os, signal, sys
    kept = bytes(1_000_001)  #: kept
    def handler(number, frame):
        os.write(1, b"got %d\\n" % number)  # print() might be what was interrupted
        sys.exit(40 + number)
    for name in sys.argv[1:]:
        signal.signal(int(name), handler)
    print("ready", flush=True)
    while True:
        signal.pause()
"""


def begin(python, source, tmp_path, *arguments, **options):
    command = heapline_run([python.path, source, *arguments], tmp_path / "run.heapline", ["-q"])
    process = start(command, **options)
    assert process.stdout.readline() == "ready\n"
    return process


def end(process, text=None):
    out, err = process.communicate(text, timeout=harness.TIME_LIMIT)
    return harness.Ran(process.returncode, out, err)


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "USR1", "USR2", "QUIT", "CONT", "WINCH"])
def test_signals_are_forwarded(python, name, program, tmp_path):
    """To a program that handles them."""
    number = int(getattr(signal, f"SIG{name}"))
    process = begin(python, program(WAITING), tmp_path, number)
    process.send_signal(number)
    assert end(process) == (40 + number, f"got {number}\n", "")
    recording = harness.Recording(tmp_path / "run.heapline")
    assert recording.process["exit_status"] == 40 + number


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "USR1", "QUIT"])
def test_signals_kill_both(python, name, program, tmp_path):
    """A program that does not; `run` then dies of the same signal. (Python turns SIGINT into an
    exception and that into the signal again.)"""
    number = int(getattr(signal, f"SIG{name}"))
    process = begin(python, program(WAITING), tmp_path)
    process.send_signal(number)
    assert end(process).status == -number
    recording = harness.Recording(tmp_path / "run.heapline")
    assert recording.process["signal"] == number
    assert recording.rows("end", file=tmp_path / "program.py")


def test_ignored_signals_stay_ignored(python, program, tmp_path):
    """As under nohup."""
    source = program("import signal; print(signal.getsignal(1), signal.getsignal(3))")
    line = f"trap '' HUP QUIT; exec {RUN} run -q -o run.heapline {python.path} {source}"
    bare = run(["sh", "-c", f"trap '' HUP QUIT; exec {python.path} {source}"], check=0)
    assert run(["sh", "-c", line], check=0, cwd=tmp_path).out == bare.out


def test_run_killed(python, program, tmp_path):
    """`kill -9` on `heapline run` itself: the program is not touched, and the recording is
    finished all the same."""
    source = program(
        """
        import sys
        print("ready", flush=True)
        sys.stdin.readline()
        kept = bytes(1_000_001)  #: kept
        open("done", "w").close()
        sys.stdin.readline()
        """
    )
    process = begin(python, source, tmp_path, cwd=tmp_path)
    collector = harness.collector_of(process.pid)
    ended = os.pidfd_open(collector)
    process.kill()
    process.wait()
    process.stdin.write("go on\n")
    process.stdin.close()
    # The collector goes on until the program has ended.
    assert select.select([ended], [], [], harness.TIME_LIMIT)[0]
    os.close(ended)
    process.stdout.close()
    process.stderr.close()
    assert (tmp_path / "done").exists()
    recording = harness.Recording(tmp_path / "run.heapline")
    assert recording.line(source, "kept", "end").bytes >= 1_000_001


# --- the terminal ------------------------------------------------------------------------------


@pytest.fixture(params=["bare", "heapline"])
def terminal(request, python, tmp_path):
    """on a terminal, bare and under heapline: a test that takes it holds for both."""
    opened = []

    def open_terminal(source, *arguments):
        command = [python.path, source, *arguments]
        if request.param == "heapline":
            command = heapline_run(command, tmp_path / "run.heapline", ["-q"])
        opened.append(Terminal(python, command, tmp_path))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()


def test_terminal_is_the_terminal(terminal, program):
    source = program(
        """
        import os, sys
        print([os.isatty(n) for n in range(3)], os.get_terminal_size(0) is not None)
        print("foreground", os.tcgetpgrp(0) == os.getpgrp(), flush=True)
        name = input("name? ")
        print("hello", name, flush=True)
        """
    )
    one = terminal(source)
    one.expect("[True, True, True] True\nforeground True\nname? ")
    one.press(b"Ada\n")
    one.expect("hello Ada\n")
    assert one.reported() == "exited 0"


def test_ctrl_c(terminal, program):
    one = terminal(program(WAITING))
    one.expect("ready\n")
    one.press(b"\x03")
    one.expect("KeyboardInterrupt")
    assert one.reported() == f"killed {int(signal.SIGINT)}"


def test_ctrl_c_handled(terminal, program):
    """The program hears it once."""
    source = program(
        """
        import signal, sys
        heard = []
        signal.signal(signal.SIGINT, lambda *_: heard.append(1))
        print("ready", flush=True)
        sys.stdin.readline()
        print("heard", len(heard), flush=True)
        sys.exit(7)
        """
    )
    one = terminal(source)
    one.expect("ready\n")
    one.press(b"\x03")
    one.press(b"\n")
    one.expect("heard 1\n")
    assert one.reported() == "exited 7"


def test_ctrl_backslash(terminal, program):
    one = terminal(program(WAITING))
    one.expect("ready\n")
    one.press(b"\x1c")
    assert one.reported() == f"killed {int(signal.SIGQUIT)}"


def test_ctrl_z_and_continue(terminal, program):
    source = program(
        """
        import os, signal, sys
        # Not print(): that may be what the stop interrupted.
        signal.signal(signal.SIGCONT, lambda *_: os.write(1, b"continued\\n"))
        print("ready", flush=True)
        print("read", sys.stdin.readline(), flush=True)
        """
    )
    one = terminal(source)
    one.expect("ready\n")
    one.press(b"\x1a")
    assert one.reported() == f"stopped {int(signal.SIGTSTP)}"
    # The line first: a signal that comes just before read() is handled only after it.
    one.press(b"text\n")
    one.tell("fg")
    one.expect("continued\n")
    assert one.expect("read text\n") == ""  # and no second time
    assert one.reported() == "exited 0"


def test_a_program_that_stops_itself(terminal, program):
    """As a shell's or an editor's suspend command does."""
    source = program(
        """
        import os, signal
        os.kill(os.getpid(), signal.SIGSTOP)
        print("on again", flush=True)
        """
    )
    one = terminal(source)
    assert one.reported().startswith("stopped")
    one.tell("fg")
    one.expect("on again\n")
    assert one.reported() == "exited 0"


def test_descriptors_of_a_service_manager(python, tmp_path):
    """They are the command's, which is told so by its process id."""
    words = 'import os; print(os.environ["LISTEN_PID"] == str(os.getpid()))'
    start = f"LISTEN_PID=$$ exec {BUILD}/heapline run -q -o run.heapline -- {python.path} -c '{words}'"
    assert run(["sh", "-c", start], check=0, cwd=tmp_path).out == "True\n"
