"""system(), popen() and pidfd_spawn() do what they do without heapline, and their children are told."""

import harness
import interpreters
import pytest
from harness import assert_complete


@pytest.fixture
def shells(compiled):
    return compiled("shells.c", "shells")


CASES = ("two threads", "many threads", "cancelled", "statuses", "streams", "several streams", "many streams")


@pytest.mark.parametrize("case", CASES)
def test_as_without_heapline(case, shells, tmp_path):
    expected = harness.run([shells, case], check=0, cwd=tmp_path)
    assert expected.out
    recording = harness.record([shells, case], tmp_path / "run.heapline", options=["-q"], cwd=tmp_path)
    assert recording.out == expected.out
    assert recording.err == expected.err


def test_forked_meanwhile(shells, tmp_path):
    """Whatever the threads of the parent were at, the child can start shells."""
    recording = harness.record([shells, "forks"], tmp_path / "run.heapline", cwd=tmp_path)
    assert recording.out == "wrong: 0\nafter: SIGINT d SIGQUIT d SIGCHLD blocked 0\n"


def test_shells_of_two_threads_of_python(interpreter, program, record, bare):
    source = program(
        """
        import os, signal, threading
        signal.signal(signal.SIGQUIT, signal.SIG_IGN)
        def began(name):
            with open(name) as file: return file.read()
        def ended(name):
            with open(name, "w") as file: file.write("\\n")
        def ignored():
            with open("/proc/self/status") as file:
                (line,) = [line for line in file if line.startswith("SigIgn")]
            return int(line.split()[1], 16) & 6
        for name in "ab":
            for kind in ("-began", "-end"):
                os.mkfifo(name + kind)
        command = "grep SigIgn /proc/self/status > %s; echo > %s-began; read x < %s-end"
        threads = [threading.Thread(target=os.system, args=(command.replace("%s", name),)) for name in "ab"]
        print(ignored())
        for thread, name in zip(threads, "ab"):
            thread.start()
            began(name + "-began")
        for thread, name in zip(threads, "ab"):
            print(ignored())
            ended(name + "-end")
            thread.join()
        print(ignored())
        for name in "ab":
            with open(name) as file: print(file.read())
            for left in (name, name + "-began", name + "-end"): os.unlink(left)
        """
    )
    expected = bare(interpreter, source)
    assert expected.out.splitlines()[:4] == ["4", "6", "6", "4"]
    recording = record(interpreter, source)
    assert recording.out == expected.out
    assert_complete(recording)


def test_children_are_recorded(interpreter, program, compiled, tmp_path):
    """And how they ended, which this kernel may forget when they are waited for."""
    flags = ["-Wl,--allow-shlib-undefined", *interpreter.link_flags]
    shells = compiled("shells.c", "shells", *flags)
    child = program("import sys\nheld = bytes(1_000_000)  #: held\nsys.exit(len(sys.argv[1]))\n", "child.py")
    command = [shells, interpreter.path, child]
    expected = harness.run(command, check=0, cwd=tmp_path)
    recording = harness.record(command, tmp_path / "run.heapline", cwd=tmp_path)
    assert recording.out == expected.out
    assert_complete(recording)
    # pidfd_spawn is newer than Debian's C library.
    names = ["system", "popen"]
    if interpreter.name in interpreters.NEWER:
        assert "pidfd_spawnp 12" in expected.out
        names += ["pidfd_spawn", "pidfd_spawnp"]
    held = recording.line(child, "held", "exit")
    assert held.allocations >= len(names)
    found = [row["exit_status"] for row in recording.report()["processes"]]
    assert sorted(found) == sorted(map(len, names))


def test_a_spawn_on_a_small_stack(interpreter, program, tmp_path):
    """Many variables have no room there."""
    if interpreter.debug:
        pytest.skip("a debug build's own frames do not have it either")
    source = program(
        """
        import os, sys, threading
        environment = dict(os.environ, **{f"V{n}": "x" for n in range(8000)})
        def spawn():
            child = os.posix_spawn(sys.executable, [sys.executable, "-c", "kept = bytes(1)"], environment)
            assert os.waitpid(child, 0)[1] == 0
        threading.stack_size(65536)
        thread = threading.Thread(target=spawn)
        thread.start()
        thread.join()
        """
    )
    recording = harness.record([interpreter.path, source], tmp_path / "run.heapline")
    harness.assert_complete(recording)
    assert len(recording.report()["processes"]) == 2
