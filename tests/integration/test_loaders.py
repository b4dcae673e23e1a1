"""What is executed is given the shim only where its loader can take it. A musl loader dies of it, one
for 32 bits says that it cannot; here stands in for them what says which variables it was given."""

import os
import platform
import tempfile
from pathlib import Path

import harness
import pytest
from harness import assert_complete

FREE = ("-O1", "-fno-stack-protector", "-nostdlib", "-fPIE", "-static-pie", "-Wl,--no-dynamic-linker")

# How a program of Python's starts another one.
WAYS = {
    "execve": "run(lambda: os.execve(path, [path], {}))",
    "execv": "run(lambda: os.execv(path, [path]))",
    "execvp": "run(lambda: os.execvp(name, [name]))",
    "relative": "os.chdir(folder); run(lambda: os.execv('./' + name, [name]))",
    "descriptor": """
        descriptor = os.open(path, os.O_RDONLY)
        os.set_inheritable(descriptor, True)  # a script's interpreter opens it again
        run(lambda: os.execve(descriptor, [path], {}))
    """,
    "execveat": """
        arguments = (ctypes.c_char_p * 2)(path.encode(), None)
        at = os.open(folder, os.O_PATH)
        os.set_inheritable(at, True)
        run(lambda: libc.execveat(at, name.encode(), arguments, arguments, 0))
    """,
    "posix_spawn": "say(os.waitpid(os.posix_spawn(path, [path], {}), 0)[1])",
    "posix_spawnp": "say(os.waitpid(os.posix_spawnp(name, [name], os.environ), 0)[1])",
    "subprocess": "say(subprocess.call([path]) << 8)",
    "subprocess along PATH": "say(subprocess.call([name]) << 8)",
    "without vfork": "say(subprocess.call([path], preexec_fn=lambda: None) << 8)",
    "shell": "say(subprocess.call(name, shell=True) << 8)",
    "system": "say(os.system(path))",
    "env": "say(subprocess.call(['env', name]) << 8)",
}
HEAD = """
import ctypes, os, subprocess, sys
os.environ["PATH"] = f"/nowhere::{os.environ['PATH']}:{os.path.dirname(sys.argv[1])}"
libc = ctypes.CDLL(None)
def say(status):
    print(status >> 8, status & 255, name, flush=True)
def run(execute):
    pid = os.fork()
    if pid == 0:
        try:
            execute()
        finally:
            os._exit(99)
    say(os.waitpid(pid, 0)[1])
"""


@pytest.fixture(scope="session")
def free_folder():
    """One for programs that every user can reach; they are built once a session."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def build_free(free_folder):
    """build_free(name): a program that needs no library, which 32 bits may not have here."""

    def build(name, *flags):
        path = free_folder / name
        harness.run(["gcc", *FREE, *flags, "-o", path, harness.PROGRAMS / "loader.c"], check=0)
        return path

    return build


@pytest.fixture(scope="session")
def static(build_free):
    return build_free("static")


@pytest.fixture(scope="session")
def all_targets(build_free, compiled, free_folder):
    foreign = build_free("ld-musl-x86_64.so.1")
    old = build_free("ld-linux-x86-64.so.2")
    dynamic = compiled("shells.c", "shells")

    def loaded_by(loader, name):
        path = free_folder / name
        path.write_bytes(dynamic.read_bytes())
        harness.run(["patchelf", "--set-interpreter", loader, path], check=0)
        path.chmod(0o755)
        return path

    def script(name, interpreter):
        path = free_folder / name
        path.write_text(f"#! {interpreter}\n")
        path.chmod(0o755)
        return path

    found = {
        "another loader": loaded_by(foreign, "foreign"),
        "an old loader": loaded_by(old, "old"),
        "a loader itself": foreign,
    }
    if platform.machine() == "x86_64":
        found["32 bits"] = build_free("small", "-m32")
    found["a script"] = script("by-foreign", found["another loader"])
    found["a script of a script"] = script("by-script", found["a script"])
    return found


@pytest.fixture
def targets(all_targets):
    """The paths of programs that are not to have the shim, by what they are."""
    return dict(all_targets)


@pytest.mark.parametrize("way", WAYS)
def test_not_into_another_loader(interpreter, way, program, record, bare, targets):
    if way == "descriptor":
        del targets["a loader itself"]  # known by its name, which it has not here
    body = "\n".join("    " + (line[8:] if line[:8].isspace() else line) for line in WAYS[way].splitlines())
    source = program(f"{HEAD}\nfor path in sys.argv[1:]:\n    folder, name = os.path.split(path)\n{body}\n")
    expected = bare(interpreter, source, *targets.values())
    assert expected.out.count("\n") >= 2 * len(targets)
    recording = record(interpreter, source, *targets.values(), options=["-q"])
    assert (recording.out, recording.err) == (expected.out, expected.err)
    assert_complete(recording)


def test_not_into_another_command(targets, tmp_path):
    """heapline run's own command: one line says that it is not recorded."""
    for name, path in targets.items():
        if "script" in name:
            continue
        bare = harness.run([path], check=7)
        recording = harness.record([path], tmp_path / "run.heapline", options=["-q"], status=7)
        assert recording.out == bare.out == "ran\n"
        assert recording.err.startswith(f"heapline: '{path}' is not recorded"), name
        assert recording.err.count("\n") == 1


def test_through_a_static_program(interpreter, program, static, tmp_path):
    """It has no loader, and hands the variables on."""
    # Not bytes(): up to 3.9 the first call of that makes the name __bytes__ besides.
    source = program("kept = 'x' * 1_000_001  #: kept\n")
    start = program(
        """
        import subprocess, sys
        subprocess.run([sys.argv[1], "exec", sys.executable, sys.argv[2]], check=True)
        """,
        "start.py",
    )
    for command in ([static, "exec", interpreter.path, source], [interpreter.path, start, static, source]):
        recording = harness.record(command, tmp_path / "run.heapline")
        assert_complete(recording)
        kept = recording.line(source, "kept", "exit")
        assert kept.allocations == 1 and kept.allocated_bytes > 1_000_001


FAILURES = """
    import errno, os
    def fail(execute, *arguments):
        try:
            execute(*arguments)
        except OSError as error:
            print(error.errno)
    with open("text", "w") as file: file.write("no program\\n")
    with open("torn", "wb") as file: file.write(b"\\x7fELF\\x02")
    with open("gone", "w") as file: file.write("#!/no/such/interpreter\\n")
    with open("loop", "w") as file: file.write("#!" + os.path.abspath("loop") + "\\n")
    open("empty", "w").close()
    os.mkfifo("fifo")
    for name in ("text", "torn", "gone", "loop", "empty", "fifo"): os.chmod(name, 0o755)
    for name in ("text", "torn", "gone", "loop", "empty", "fifo", "absent", ".", "text/below", "", "/dev/null"):
        fail(os.execv, name, ["x"])
        fail(os.posix_spawn, name, ["x"], {})
        fail(os.execvp, name + "-not-in-path", ["x"])
"""


def test_what_cannot_be_executed(interpreter, program, record, bare, tmp_path):
    """The same errors."""
    source = program(FAILURES)
    for name in ("bare", "recorded"):
        (tmp_path / name).mkdir()
    expected = bare(interpreter, source, cwd=tmp_path / "bare").out
    assert len(expected.split()) >= 30
    assert record(interpreter, source, cwd=tmp_path / "recorded").out == expected


def test_what_cannot_be_looked_at(python, program, record, static):
    """No descriptor is left: the variables are handed on."""
    source = program(
        """
        import os, resource, sys
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        os.execv(sys.argv[1], [sys.argv[1]])
        """
    )
    recording = record(python, source, static, status=7)
    names = [line.partition("=")[0] for line in recording.out.splitlines()]
    assert "LD_PRELOAD" in names and "HEAPLINE_DAEMON" in names


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user's file, and a root")
@pytest.mark.parametrize("change", ["user", "root"])
def test_not_where_it_would_be_dropped(change, python, program, record, static, folder):
    """A program that changes the user has no use for it, and in another root the shim is not to be
    found."""
    target = folder / "static"
    target.write_bytes(static.read_bytes())
    os.chown(target, 65534, 65534)
    target.chmod(0o4755 if change == "user" else 0o755)
    source = program(
        """
        import os, sys
        path, root = sys.argv[1:]
        if root: os.chroot(root)
        os.execve(path, [path], {})
        """
    )
    arguments = (target, "") if change == "user" else ("/static", folder)
    assert record(python, source, *arguments, status=7).out == "ran\n"
