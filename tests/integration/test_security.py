"""What docs/security.md promises: what other users, hostile programs and hostile peers cannot do."""

import ctypes
import functools
import json
import os
import re
import shutil
import stat
import struct
import tempfile
from pathlib import Path

import harness
import pytest
import wire
from harness import BUILD, run
from test_daemon import TOKEN, Daemon, frame, frees, hello, preloaded, verified, welcome_of
from wire import ACCEPTED, LAP, STREAM

NOBODY, SOMEBODY = 65534, 65533


@pytest.fixture
def daemon(tmp_path):
    return Daemon(tmp_path)


# --- other users ---------------------------------------------------------------------------------


def become(user):
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


@pytest.fixture
def public(python):
    """A folder that every user can reach, with the programs and an interpreter in it."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        for name in ("heapline", "heaplined", "libheapline.so"):
            shutil.copy(BUILD / name, folder / name)
        shutil.copy(os.path.realpath(python.path), folder / "python")
        (folder / "own").mkdir()
        os.chown(folder / "own", NOBODY, NOBODY)
        yield folder


def run_as(user, public, address, text):
    """Runs a program of another user, with the shim."""
    env = harness.environment(
        LD_PRELOAD=public / "libheapline.so", HEAPLINE_DAEMON=address, HEAPLINE_TOKEN=TOKEN
    )
    command = [public / "python", "-I", "-c", text]
    return run(command, env, check=0, preexec_fn=functools.partial(become, user), cwd=public)


def test_a_setuid_program_is_left_alone(public):
    """The same file without and with the bit: the loader preloads nothing into the second."""
    address = f"unix:{public}/nobody-listens"
    print_user = "import os; print(os.geteuid())"
    ran = run_as(NOBODY, public, address, print_user)
    assert ran.out == f"{NOBODY}\n" and ran.err.startswith("heapline: cannot reach the collector")
    (public / "python").chmod(0o4755)
    ran = run_as(NOBODY, public, address, print_user)
    if ran.out != "0\n":
        pytest.skip("where temporary files are the setuid bit says nothing")
    assert ran.err == ""


LISTEN = """
import socket, sys
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind("\\0" + sys.argv[1])
    listener.listen()
    print("listens", flush=True)
    print(listener.accept()[0].recv(100))
"""


def test_an_address_that_another_user_has_taken(public):
    """Who listens there learns nothing: no token, not a word."""
    name = f"heapline-test-{os.getpid()}"
    other = harness.start(
        [public / "python", "-I", "-c", LISTEN, name], preexec_fn=functools.partial(become, NOBODY)
    )
    assert other.stdout.readline() == "listens\n"
    ran = run_as(SOMEBODY, public, f"unix:@{name}", "print('fine')")
    assert ran.out == "fine\n"
    assert ran.err == "heapline: the collector's socket is another user's; this process runs untraced\n"
    assert other.communicate()[0] == "b''\n"


def test_heapline_run_at_an_address_that_another_user_has_taken(public):
    name = f"heapline-test-{os.getpid()}"
    other = harness.start(
        [public / "python", "-I", "-c", LISTEN, name], preexec_fn=functools.partial(become, NOBODY)
    )
    assert other.stdout.readline() == "listens\n"
    ran = run(
        [public / "heapline", "run", "--daemon", f"unix:@{name}", "true"],
        harness.environment(HEAPLINE_TOKEN=TOKEN),
        preexec_fn=functools.partial(become, SOMEBODY),
        cwd=public,
    )
    assert ran.status == 125 and "Operation not permitted" in ran.err
    assert other.communicate()[0] == "b''\n"


def test_a_daemon_takes_in_no_other_user(public, tmp_path):
    """A name in the abstract namespace has no mode; the kernel says whose the process is."""
    name = f"unix:@heapline-test-{os.getpid()}"
    (tmp_path / "daemon").mkdir()
    words = [BUILD / "heaplined", "--output", tmp_path / "daemon", "--listen", name]
    process = harness.start(words)
    assert "event=listens" in process.stderr.readline()
    ran = run_as(NOBODY, public, name, "print('fine')")
    assert ran.out == "fine\n"
    assert ran.err == "heapline: the collector does not answer; this process runs untraced\n"
    assert 'reason="another user\'s process"' in process.stderr.readline()
    process.terminate()
    assert process.wait(harness.TIME_LIMIT) == 0
    assert list((tmp_path / "daemon").iterdir()) == []


def test_a_root_out_of_reach(public):
    """A program that its user may execute and not read shows nobody its root folder. The files of
    that name that the collector has itself are not the program's."""
    (public / "python").chmod(0o711)
    program = public / "program.py"
    program.write_text("kept = bytes(1_000_000)\n")
    file = public / "own" / "run.heapline"
    run(
        [public / "heapline", "run", "-o", file, "--", public / "python", program],
        preexec_fn=functools.partial(become, NOBODY),
        cwd=public / "own",
        check=0,
    )
    recording = verified(file)
    assert str(program) in {row["file"] for row in recording.rows()}
    assert recording.sql("SELECT count(*) FROM source") == [(0,)]


# --- files that were there first -----------------------------------------------------------------


@pytest.mark.parametrize("there", ["file", "nothing"])
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_links_in_the_way(tmp_path, python, suffix, there):
    """Somebody has guessed the recording's name: what the link points at is neither made nor
    changed."""
    folder, target = tmp_path / "shared", tmp_path / "target"
    folder.mkdir()
    if there == "file":
        target.write_text("mine")
    (folder / f"run.heapline{suffix}").symlink_to(target)
    command = [BUILD / "heapline", "run", "-o", folder / "run.heapline", "--", python.path, "-c", "print('fine')"]
    ran = run(command)
    assert target.read_text() == "mine" if there == "file" else not target.exists()
    assert (ran.status, ran.out) in ((0, "fine\n"), (125, ""))
    if ran.status == 0:
        verified(folder / "run.heapline")
    assert suffix or ran.status == 125


def test_a_link_that_is_replaced(tmp_path, python):
    target, file = tmp_path / "target", tmp_path / "run.heapline"
    target.write_text("mine")
    file.symlink_to(target)
    harness.record([python.path, "-c", ""], file)
    assert target.read_text() == "mine"
    assert not file.is_symlink()


# --- what a program names ------------------------------------------------------------------------


class Opened:
    """Which of some files are opened, from now on (inotify)."""

    IN_OPEN, IN_NONBLOCK, EVENT = 0x20, 0o4000, struct.Struct("iIII")

    def __init__(self, *paths):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self.libc.inotify_init1(self.IN_NONBLOCK)
        self.paths = {}
        for path in paths:
            watch = self.libc.inotify_add_watch(self.descriptor, os.fsencode(path), self.IN_OPEN)
            assert watch > 0, os.strerror(ctypes.get_errno())
            self.paths[watch] = path

    def so_far(self):
        try:
            events = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return set()
        return {self.paths[self.EVENT.unpack_from(events, at)[0]] for at in range(0, len(events), 16)}


def test_only_files_are_opened(tmp_path, python, program):
    """A program may call its source what it likes: FIFOs and devices are not even opened."""
    file, fifo, device, link = (tmp_path / f"{name}.py" for name in ("file", "fifo", "device", "link"))
    file.write_text("# a file\n")
    os.mkfifo(fifo)
    link.symlink_to(fifo)
    if os.geteuid() == 0:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    else:
        device.touch(0o000)
    source = program(
        f"""
        kept = []
        for name in {[str(path) for path in (file, fifo, device, link)]!r}:
            exec(compile("kept.append(bytes(100_000))", name, "exec"))
        """
    )
    opened = Opened(file, fifo, device)
    recording = harness.record([python.path, source], tmp_path / "run.heapline")
    assert opened.so_far() == {file}
    named = {row["file"] for row in recording.rows()}
    assert named >= {str(path) for path in (file, fifo, device, link)}
    kept = recording.sql("SELECT path FROM file JOIN source ON source.file = file.id")
    assert {Path(path) for path, in kept if Path(path).parent == tmp_path} == {file, source.path}


def described(name, number=2):
    """CODE records: a code object of that file, with one line for everything."""
    name, table = os.fsencode(name), b"\xe8\x00\xe8\x00"
    text = struct.pack("=iBBBBIII", 1, 2, 1, 1, 0, len(name), 4, len(table)) + name + b"main" + table
    words = [wire.first(wire.CODE, 1 << 57 | number << 24 | len(text))]
    text += b"\0" * (-len(text) % 7)
    return words + [LAP | int.from_bytes(text[i : i + 7], "little") for i in range(0, len(text), 7)]


def allocated(size, number=2):
    """Records of one allocation by that code object."""
    stack = [wire.first(wire.STACK, 1 << 33 | 1), LAP | number << 24]
    return stack + [wire.first(wire.ALLOCATION, 32 << 48 | 0x1000), LAP | size << 24]


def come_in(connection, *details, process=4242, fork_token=0):
    """Says hello as a process of another host."""
    said = bytearray(hello((f"token={TOKEN}", "machine=other", *details)))
    wire.HELLO.put(said, fork_token=fork_token, process=process)
    connection.sendall(said)
    welcome = welcome_of(connection)
    assert (welcome.verdict, welcome.carrier) == (ACCEPTED, STREAM)


def test_a_peer_s_folder_is_not_looked_at(daemon, tmp_path):
    """Whether a file of that name is here shows nowhere; and a peer may say little of itself."""
    (tmp_path / "secret.py").touch()
    with daemon.dial() as connection:
        come_in(connection, "run=0123", f"folder={tmp_path}")
        connection.sendall(frame(0, [wire.first(wire.THREAD, 1)] + described("secret.py") + allocated(100)))
    daemon.await_event("run_ends")
    (file,) = daemon.recordings()
    assert file.name == "run.4242.heapline"
    (row,) = verified(file).rows("exit")
    assert (row["file"], row["bytes"]) == ("secret.py", 100)
    daemon.end()


# --- one program and another ---------------------------------------------------------------------

RINGS = """
import json, os
def rings():
    return [line.split() for line in open("/proc/self/maps") if "memfd:heapline ring" in line]
def truncate(ring):
    try:
        os.truncate("/proc/self/map_files/" + ring[0], 0)
    except OSError as error:
        return error.strerror
both = [rings()]
end, begin = os.pipe()
if os.fork() == 0:
    os.write(begin, json.dumps(rings()).encode())
    os._exit(0)
os.wait()
both.append(json.loads(os.read(end, 65536)))
print(json.dumps([sorted({ring[4] for ring in found}) for found in both] + [truncate(both[0][0])]))
"""


def test_a_ring_is_one_process_s(tmp_path, python, program):
    """A child does not see its parent's; and nobody can make one shorter under its reader."""
    recording = harness.record([python.path, program(RINGS)], tmp_path / "run.heapline")
    parent, child, problem = recording.json
    assert len(parent) == len(child) == 1 and parent != child
    assert problem == "Operation not permitted"
    harness.assert_complete(verified(recording.file))


def test_a_peer_that_claims_to_be_another(daemon, python, program):
    """It names a session, and in it the process id of a program that the kernel knows, also as its
    parent; then it talks nonsense. The other's part of the recording is what it would be."""
    source = program(
        """
        import sys
        kept = bytes(1_000_000)
        print("here", flush=True)
        sys.stdin.readline()
        more = bytes(2_000_000)
        """
    )
    process = harness.start([python.path, source], preloaded(daemon.socket, HEAPLINE_SESSION="web"))
    assert process.stdout.readline() == "here\n"
    with daemon.dial() as connection:
        come_in(connection, "session=web", process=process.pid, fork_token=1)
        connection.sendall(frame(0, frees(5)) * 2)
        assert daemon.await_event("process_ends")["carrier"] == "stream"
    assert process.communicate("\n")[1] == ""
    daemon.await_event("process_ends", carrier="ring", pid=str(process.pid))
    daemon.end()
    own, other = verified(daemon.recordings()[0]).report()["processes"]
    assert own["exit_status"] == 0 and 3_000_000 <= own["peak_bytes"] < 30_000_000
    assert (other["frees"], other["peak_bytes"]) == (0, 0)


def test_memory_that_a_run_may_have(tmp_path, python):
    """Who says much with little is cut off at the limit, and alone."""
    daemon = Daemon(tmp_path, "--session-memory", "300MiB")
    with daemon.dial() as connection:
        come_in(connection, "run=0123")
        # A stack of 8,192 frames for each of 4,000 threads.
        connection.sendall(frame(0, [wire.first(wire.STACK, slot << 45 | 8192) for slot in range(4000)]))
    assert "memory" in daemon.await_event("run_ends")["trouble"]
    run([python.path, "-c", ""], preloaded(daemon.socket), check=0)
    assert "trouble" not in daemon.await_event("run_ends")
    assert "session_died" not in daemon.end()
    for file in daemon.recordings():
        verified(file)


# --- the secret ----------------------------------------------------------------------------------


def test_the_secret_shows_nowhere(daemon, python, program):
    """Not on a command line, not in the log or a recording, not in the program's environment."""
    source = program(
        """
        import os, sys
        print(sorted(os.environ), flush=True)
        sys.stdin.readline()
        """
    )
    command = [BUILD / "heapline", "run", "--daemon", daemon.tcp, python.path, source]
    process = harness.start(command, harness.environment(HEAPLINE_TOKEN=TOKEN))
    assert "HEAPLINE" not in process.stdout.readline()
    for pid in [daemon.process.pid, process.pid, *harness.descendants(daemon.process.pid), *harness.descendants(process.pid)]:
        assert TOKEN.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert TOKEN not in process.communicate("\n")[1]
    daemon.await_event("run_ends")
    assert TOKEN not in json.dumps(daemon.seen) + daemon.end()
    assert TOKEN.encode() not in daemon.recordings()[0].read_bytes()


def test_every_promise_has_its_test():
    """The tests that docs/security.md names are there."""
    text = (harness.REPOSITORY / "docs" / "security.md").read_text()
    file, count = None, 0
    for named, name in re.findall(r"`(test_\w+\.py)?::(test_\w+)`", text):
        file = named or file
        assert f"def {name}(" in (Path(__file__).parent / file).read_text(), (file, name)
        count += 1
    assert count > 20
