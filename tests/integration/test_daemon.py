"""A daemon that runs already: programs that come to it over a Unix socket and over TCP, what it
lets in, and what it says."""

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import harness
import pytest
import wire
from harness import BUILD, BYTES_HEADER, run
from wire import ACCEPTED, FIRST, FREE, LAP, NONSENSE, STREAM, VERSION, WRONG_TOKEN

pytestmark = pytest.mark.one_interpreter

TOKEN = "a secret of the tests"


class Daemon:
    """heaplined in a folder of its own; its log is read line by line as events."""

    def __init__(self, folder, *options, token=TOKEN, listen=("unix", "tcp"), build=BUILD, variables=None, **more):
        self.folder = Path(folder) / "recordings"
        self.folder.mkdir(exist_ok=True)
        self.socket = f"unix:{folder}/socket"
        self.seen = []
        addresses = {"unix": self.socket, "tcp": "tcp:127.0.0.1:0"}
        words = [build / "heaplined", "--output", self.folder, *options]
        for kind in listen:
            words += ["--listen", addresses[kind]]
        env = harness.environment(HEAPLINE_TOKEN=token, **(variables or {}))
        self.process = harness.start(words, env, **more)
        listens = [self.await_event("listens")["address"] for _ in listen]
        self.tcp = next((address for address in listens if address.startswith("tcp:")), None)

    @staticmethod
    def fields_of(line):
        return dict(
            (key, quoted[1:-1] if quoted.startswith('"') else quoted)
            for key, quoted in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', line)
        )

    def next_event(self):
        line = self.process.stderr.readline()
        assert line.startswith("heaplined: level="), (line, self.seen)
        fields = self.fields_of(line)
        self.seen.append(fields)
        return fields

    def await_event(self, event, **fields):
        while True:
            found = self.next_event()
            if found["event"] == event and fields.items() <= found.items():
                return found

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        rest = self.process.stderr.read()
        assert self.process.wait(harness.TIME_LIMIT) == 0, rest
        return rest

    def recordings(self):
        return sorted(self.folder.glob("*.heapline"))

    def dial(self, source=""):
        host, port = self.tcp.removeprefix("tcp:").rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), source_address=(source, 0))
        connection.settimeout(harness.TIME_LIMIT)
        return contextlib.closing(connection)


@pytest.fixture
def daemon(tmp_path):
    return Daemon(tmp_path)


def preloaded(address, **variables):
    return harness.environment(
        LD_PRELOAD=BUILD / "libheapline.so", HEAPLINE_DAEMON=address, **variables
    )


def verified(file):
    run([BUILD / "heapline", "check", "--verify", file], check=0)
    return harness.Recording(file)


WORKLOAD = """
    import os, sys
    kept = [bytes(5_000 + n) for n in range(1_000)]  #: kept
    given = bytes(2_000_000)  #: given
    pid = os.fork()
    if pid == 0:
        own = bytes(3_000_000)  #: child
        del given
        os._exit(7)
    os.waitpid(pid, 0)
    assert not [name for name in os.environ if name.startswith("HEAPLINE")]
    assert "libheapline" not in os.environ.get("LD_PRELOAD", "")
    print("descriptors", *sorted(os.listdir("/proc/self/fd")))
"""


def held_by(recording, source, name, at):
    rows = recording.rows(at, "line", file=source)
    return sum(row["bytes"] for row in rows if row["line"] == source.lines[name])


def peak_of(recording, source, name):
    return held_by(recording, source, name, "peak")


def check_workload(file, source):
    recording = verified(file)
    about = recording.summary["run"]
    assert (about["complete"], about["lost_events"]) == (True, 0), about
    parent, child = recording.summary["processes"]
    assert child["parent"] == parent["pid"] and parent["parent"] is None
    assert parent["frees"] > 0
    kept = sum(5_000 + n + BYTES_HEADER for n in range(1_000))
    # At the end of each: what was held at the peak of both together depends on when they were read.
    assert kept <= held_by(recording, source, "kept", "end") < kept + 100_000
    assert 3_000_000 <= held_by(recording, source, "child", "end") < 3_010_000
    assert 3_000_000 <= child["peak_bytes"] < 3_100_000
    return recording


@pytest.mark.parametrize("way", ["unix", "tcp", "unix-stream"])
def test_a_run_that_a_daemon_records(daemon, python, program, way, bare):
    source = program(WORKLOAD)
    address = {"unix": daemon.socket, "tcp": daemon.tcp, "unix-stream": daemon.socket}[way]
    options = ["--carrier=stream"] if way == "unix-stream" else []
    command = [BUILD / "heapline", "run", "--daemon", address, *options, "--", python.path, source]
    ran = run(command, harness.environment(HEAPLINE_TOKEN=TOKEN), check=0)
    (file,) = daemon.recordings()
    assert re.fullmatch(r"program\.\d+\.heapline", file.name)
    assert file.stat().st_mode & 0o777 == 0o600
    recording = check_workload(file, source)
    assert recording.summary["processes"][0]["exit_status"] == 0
    assert recording.summary["run"]["command"] == [str(python.path), str(source)]
    # What stays open stands out of the program's way.
    ours = set(ran.out.split()) - set(bare(python, source).out.split())
    assert len(ours) == (0 if way == "unix" else 1) and all(int(number) > 100 for number in ours)
    assert str(file) in ran.err
    daemon.end()


def test_every_interpreter_over_tcp(daemon, interpreter, program):
    source = program(WORKLOAD)
    ran = run([interpreter.path, source], preloaded(daemon.tcp, HEAPLINE_TOKEN=TOKEN), check=0)
    assert "heapline" not in ran.err
    assert daemon.await_event("run_ends")["processes"] == "2"
    (file,) = daemon.recordings()
    check_workload(file, source)
    daemon.end()


def test_programs_side_by_side_and_a_session(daemon, python, program, tmp_path):
    """Several programs at once have a file each; those of a session share one."""
    source = program(
        """
        import sys
        kept = bytes(1_000_000)  #: kept
        print("here", flush=True)
        sys.stdin.read()
        """
    )
    env = preloaded(daemon.socket)
    apart = [harness.start([python.path, source], env) for _ in range(3)]
    env["HEAPLINE_SESSION"] = "web-1"
    together = [harness.start([python.path, source], env) for _ in range(3)]
    for process in apart + together:
        assert process.stdout.readline() == "here\n"
    for process in apart + together:
        process.communicate()
        assert process.returncode == 0
    for _ in apart:
        assert daemon.await_event("run_ends")["processes"] == "1"
    daemon.end()
    files = daemon.recordings()
    assert [file.name for file in files if file.name.startswith("web")] == ["web-1.heapline"]
    assert len(files) == 4
    for file in files:
        report = verified(file).report()
        count = 3 if file.name == "web-1.heapline" else 1
        assert len(report["processes"]) == count
        assert sum(1_000_000 <= p["peak_bytes"] for p in report["processes"]) == count


def test_a_program_that_closes_everything(daemon, python, program):
    """A daemon of the old school: its stream goes on over a new connection."""
    source = program(
        """
        import os
        os.closerange(0, 4096)
        os.open("/dev/null", os.O_RDWR)
        kept = [bytes(5_000 + n) for n in range(3_000)]  #: kept
        """
    )
    run([python.path, source], preloaded(daemon.tcp, HEAPLINE_TOKEN=TOKEN), check=0)
    daemon.await_event("run_ends")
    (file,) = daemon.recordings()
    recording = verified(file)
    assert recording.summary["run"]["complete"] is True
    kept = sum(5_000 + n + BYTES_HEADER for n in range(3_000))
    assert kept <= peak_of(recording, source, "kept") < kept + 200_000
    daemon.end()


def test_a_replaced_descriptor_is_left_alone(daemon, python, program, tmp_path):
    """The program opens a file where our socket was: nothing of ours may go into it."""
    source = program(
        """
        import os, sys
        (ours,) = [int(n) for n in os.listdir("/proc/self/fd") if int(n) > 100]
        file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, ours)
        kept = [bytes(5_000 + n) for n in range(3_000)]
        os.write(ours, b"mine")
        """
    )
    mine = tmp_path / "mine"
    run([python.path, source, mine], preloaded(daemon.tcp, HEAPLINE_TOKEN=TOKEN), check=0)
    assert mine.read_bytes() == b"mine"
    daemon.await_event("run_ends")
    verified(daemon.recordings()[0])
    daemon.end()


@pytest.mark.parametrize(
    "way",
    [
        "os._exit(0)",
        "ctypes.CDLL(None)._Exit(0)",
        "ctypes.CDLL(None).quick_exit(0)",
        "os.abort()",
        "sys.exit(3)",
        "os.execv(sys.executable, [sys.executable, '-c', ''])",
    ],
)
def test_nothing_is_lost_at_orderly_ends(daemon, python, program, way):
    """What a stream still holds is sent before the process goes."""
    source = program(
        f"""
        import ctypes, os, sys
        kept = [bytes(50_000 + n) for n in range(100)]  #: kept
        del kept[50:]
        {way}
        """
    )
    run([python.path, source], preloaded(daemon.tcp, HEAPLINE_TOKEN=TOKEN))
    daemon.await_event("run_ends")
    recording = verified(daemon.recordings()[0])
    assert recording.summary["run"]["lost_events"] == 0
    kept = sum(50_000 + n + BYTES_HEADER for n in range(50))
    # Who executes something else has leaked nothing.
    rows = recording.rows("end" if "execv" in way else "exit", "line", file=source)
    held = sum(row["bytes"] for row in rows if row["line"] == source.lines["kept"])
    if way == "sys.exit(3)":
        assert held == 0  # the interpreter has torn itself down
    else:
        assert kept <= held < kept + 20_000
    daemon.end()


def test_a_program_without_its_daemon(python, program, tmp_path):
    source = program("print('fine')")
    for address, complaint in [
        (f"unix:{tmp_path}/nobody", "cannot reach the collector"),
        ("tcp:127.0.0.1:1", "cannot reach the collector"),
        ("carrier-pigeon:1", "HEAPLINE_DAEMON is no address"),
    ]:
        ran = run([python.path, source], preloaded(address), check=0)
        assert ran.out == "fine\n"
        assert ran.err.count("\n") == 1 and ran.err.startswith(f"heapline: {complaint}"), ran.err


def test_a_program_that_waits_for_its_daemon(python, program, tmp_path):
    source = program("kept = bytes(1_000_000)")
    env = preloaded(f"unix:{tmp_path}/socket", HEAPLINE_WAIT=60)
    process = harness.start([python.path, source], env)
    daemon = Daemon(tmp_path)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert daemon.await_event("run_ends")["processes"] == "1"
    daemon.end()


def test_a_program_that_loses_its_daemon(daemon, python, program):
    source = program(
        """
        import sys
        print("here", flush=True)
        sys.stdin.readline()
        many = [bytes(1000) for _ in range(200_000)]
        print("done", flush=True)
        """
    )
    env = preloaded(daemon.tcp, HEAPLINE_TOKEN=TOKEN)
    process = harness.start([python.path, source], env)
    assert process.stdout.readline() == "here\n"
    session = daemon.await_event("run_begins")["session"]
    os.kill(int(session), signal.SIGKILL)
    assert daemon.await_event("session_died")["signal"] == "9"
    out, err = process.communicate("\n")
    assert (process.returncode, out) == (0, "done\n")
    assert err == "heapline: the connection to the collector is lost; the program goes on untraced\n"
    # Others are not touched.
    run([python.path, "-c", ""], preloaded(daemon.socket), check=0)
    daemon.await_event("run_ends")
    daemon.end()


def test_a_stopped_daemon_finishes_its_files(daemon, python, program):
    source = program(
        """
        import sys
        kept = bytes(1_000_000)  #: kept
        print("here", flush=True)
        sys.stdin.readline()
        many = [bytes(1000) for _ in range(100_000)]
        """
    )
    processes = [
        harness.start([python.path, source], preloaded(address, HEAPLINE_TOKEN=TOKEN))
        for address in (daemon.socket, daemon.tcp)
    ]
    for process in processes:
        assert process.stdout.readline() == "here\n"
    for _ in processes:
        daemon.await_event("process_begins")
    daemon.end()
    for process in processes:  # it goes on, and has nothing to complain about
        _, err = process.communicate("\n")
        assert (process.returncode, err) == (0, "")
    for file in daemon.recordings():
        about = verified(file).summary["run"]
        assert (about["complete"], about["absences"]) == (False, {"went_on": 1})
    assert not Path(daemon.socket.removeprefix("unix:")).exists()


def test_a_daemon_that_cannot_see_the_program(tmp_path, python, program):
    """In a pid namespace of its own, as in a container beside the program's: a stream is asked for
    by itself, and the program says what the daemon cannot find out."""
    if os.geteuid() != 0:
        pytest.skip("making pid namespaces needs root")
    folder = tmp_path / "recordings"
    folder.mkdir()
    words = [BUILD / "heaplined", "--output", folder, "--listen", f"unix:{tmp_path}/socket"]
    apart = harness.start(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *words])
    first = apart.stderr.readline()
    if "event=listens" not in first:
        pytest.skip(f"no pid namespaces here: {first}")
    source = program(WORKLOAD)
    run([python.path, source], preloaded(f"unix:{tmp_path}/socket"), check=0)
    while "event=run_ends" not in apart.stderr.readline():
        pass
    (file,) = folder.glob("program.*.heapline")
    recording = check_workload(file, source)
    assert recording.summary["run"]["command"] == [str(python.path), str(source)]


def test_a_daemon_that_is_killed(daemon, python, program):
    """Its sessions go on with whom they have, and finish their recordings."""
    source = program(
        """
        import sys
        print("here", flush=True)
        sys.stdin.readline()
        kept = bytes(3_000_000)
        """
    )
    env = [preloaded(daemon.socket), preloaded(daemon.tcp, HEAPLINE_TOKEN=TOKEN, HEAPLINE_SESSION="web")]
    processes = [harness.start([python.path, source], variables) for variables in env]
    for process in processes:
        assert process.stdout.readline() == "here\n"
    for _ in processes:
        daemon.await_event("process_begins")
    daemon.process.kill()
    for process in processes:
        assert process.communicate("\n")[1] == ""
    for _ in processes:
        daemon.await_event("run_ends")
    daemon.process.stderr.read()  # until the sessions are gone
    for file in daemon.recordings():
        report = verified(file).report()
        assert report["run"]["complete"] is True and report["processes"][0]["peak_bytes"] > 3_000_000


# --- who is let in -------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "", TOKEN[:-1], TOKEN + "x", "x" * 256])
def test_a_wrong_token(daemon, python, token):
    ran = run([python.path, "-c", "print('fine')"], preloaded(daemon.tcp, HEAPLINE_TOKEN=token), check=0)
    assert ran.out == "fine\n"
    assert ran.err == "heapline: the daemon wants another token (HEAPLINE_TOKEN); this process runs untraced\n"
    assert daemon.await_event("dropped")["reason"] == "wrong token"
    ran = run([BUILD / "heapline", "run", "--daemon", daemon.tcp, "true"], harness.environment(HEAPLINE_TOKEN=token))
    assert ran.status == 125 and "wants another token" in ran.err
    assert daemon.recordings() == []
    assert TOKEN not in daemon.end()


def test_a_token_from_a_file(daemon, python, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    run([python.path, "-c", ""], preloaded(daemon.tcp, HEAPLINE_TOKEN_FILE=file), check=0)
    assert daemon.await_event("run_ends")["processes"] == "1"
    daemon.end()


def test_where_it_will_not_listen(tmp_path):
    heaplined = BUILD / "heaplined"
    env = harness.environment()

    def refuses(*options, status=1, **more):
        ran = run([heaplined, "--output", tmp_path, *options], harness.environment(**more))
        assert ran.status == status and ran.err.startswith("heaplined: "), ran
        return ran.err

    assert "other hosts can reach it" in refuses("--listen", "tcp:0.0.0.0:0")
    assert "other hosts can reach it" in refuses("--listen", "tcp:[::]:0")
    assert "from 8 to 256" in refuses("--listen", "tcp:0.0.0.0:0", status=2, HEAPLINE_TOKEN="short")
    assert "no address to listen at" in refuses()
    assert "an address is unix:PATH" in refuses("--listen", "nonsense")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "Address already in use" in refuses("--listen", f"tcp:127.0.0.1:{port}")
    ran = run([heaplined, "--output", tmp_path / "none", "--listen", f"unix:{tmp_path}/s"], env)
    assert ran.status == 2 and "no such folder" in ran.err


def test_sockets_of_earlier_daemons(tmp_path):
    """One that is left over is replaced, one that is alive is not, and a file never is."""
    first = Daemon(tmp_path, listen=("unix",))
    path = Path(first.socket.removeprefix("unix:"))
    assert path.stat().st_mode & 0o777 == 0o600
    ran = run([BUILD / "heaplined", "--output", tmp_path, "--listen", first.socket])
    assert ran.status == 1 and "Address already in use" in ran.err
    first.process.kill()
    first.process.wait()
    assert path.exists()
    (tmp_path / "again").mkdir()
    second = harness.start([BUILD / "heaplined", "--output", tmp_path / "again", "--listen", first.socket])
    assert "event=listens" in second.stderr.readline()
    second.terminate()
    assert second.wait(harness.TIME_LIMIT) == 0
    path.write_text("not a socket")
    ran = run([BUILD / "heaplined", "--output", tmp_path, "--listen", first.socket])
    assert ran.status == 1 and path.read_text() == "not a socket"


def test_socket_activation(tmp_path, python):
    """As systemd does it: the socket comes as descriptor 3."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()

        def activate():
            os.dup2(listener.fileno(), 3)
            os.environ["LISTEN_PID"] = str(os.getpid())

        script = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" --output "$1"'
        process = harness.start(
            ["sh", "-c", script, BUILD / "heaplined", tmp_path],
            preexec_fn=activate,
            pass_fds=(3,),
        )
        assert "address=inherited:3" in process.stderr.readline()
    run([python.path, "-c", ""], preloaded(f"unix:{tmp_path}/socket"), check=0)
    process.terminate()
    assert process.wait(harness.TIME_LIMIT) == 0
    (file,) = tmp_path.glob("*.heapline")
    assert len(verified(file).report()["processes"]) == 1


# --- hostile and broken peers --------------------------------------------------------------------


def hello(details=(), version=wire.WIRE_VERSION, carrier=STREAM, magic=wire.HELLO_MAGIC, stream=0, position=0, size=None):
    text = b"".join(word.encode() + b"\0" for word in details)
    size = len(text) if size is None else size
    said = wire.HELLO.pack(
        magic=magic,
        wire_version=version,
        python_version=0x030C0100,
        process=4242,
        parent=1,
        carrier=carrier,
        details=size,
        clock_ns=time.monotonic_ns(),
        stream=stream,
        position=position,
    )
    return said + text


GREETING = (f"token={TOKEN}", "run=0123", "machine=other", "folder=/", "argument=peer")


def welcome_of(connection):
    return wire.WELCOME.unpack(connection.recv(wire.WELCOME.size, socket.MSG_WAITALL))


def greet(connection, **changes):
    connection.sendall(hello(GREETING, **changes))
    welcome = welcome_of(connection)
    assert (welcome.verdict, welcome.carrier) == (ACCEPTED, STREAM)
    assert welcome.stream != 0
    return welcome


def frees(count):
    return [wire.first(FREE, n + 1) for n in range(count)]


def frame(position, payload, words=None, magic=wire.FRAME_MAGIC, dropped=0):
    words = len(payload) if words is None else words
    header = wire.FRAME.pack(magic=magic, words=words, position=position, dropped=dropped)
    return header + struct.pack(f"={len(payload)}Q", *payload)


def is_closed(connection):
    """Is there nothing more but a farewell?"""
    with contextlib.suppress(ConnectionResetError):
        return len(connection.recv(1000, socket.MSG_WAITALL)) in (0, wire.WELCOME.size)
    return True


@pytest.mark.parametrize(
    "said, verdict, reason",
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"x" * 100, None, "no hello"),
        (hello(GREETING, version=99), VERSION, "another version of heapline"),
        (hello(GREETING, version=1), VERSION, "another version of heapline"),
        (hello(GREETING, size=1 << 31), None, "no hello"),
        (hello(GREETING, carrier=77), None, "no hello"),
        (hello(()), WRONG_TOKEN, "wrong token"),
        (hello((f"token={TOKEN}", "run=../../etc/passwd")), NONSENSE, None),
        (hello((f"token={TOKEN}", "session=.hidden")), NONSENSE, None),
        (hello((f"token={TOKEN}",)), NONSENSE, None),
        (hello(GREETING)[:-9], None, "said nothing in time"),
        (b"", None, "said nothing in time"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hellos_that_are_none(daemon, said, verdict, reason):
    with daemon.dial() as connection:
        connection.sendall(said)
        if verdict is not None:
            assert welcome_of(connection).verdict == verdict
        assert is_closed(connection)
    if reason:
        assert daemon.await_event("dropped")["reason"] == reason
    else:
        assert daemon.await_event("refused")["reason"] == "the session's name is no plain name"
    assert daemon.recordings() == []
    daemon.end()


def test_guesses_at_the_token(daemon):
    """Every one is told that it is wrong, and the log speaks of them all in few lines; who knows the
    token comes in meanwhile, and from where they were made too."""
    guesses = 300
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(daemon.dial()) for _ in range(guesses)]
        for number, connection in enumerate(connections):
            connection.sendall(hello((f"token=guess {number}", "run=0123")))
        greet(stack.enter_context(daemon.dial(source="127.0.0.2")))
        for connection in connections:
            assert welcome_of(connection).verdict == WRONG_TOKEN
            assert is_closed(connection)
        greet(stack.enter_context(daemon.dial()))
    daemon.await_event("run_ends")
    log = daemon.seen + [daemon.fields_of(line) for line in daemon.end().splitlines()]
    lines = [event for event in log if event["event"] == "dropped"]
    assert {event["reason"] for event in lines} <= {"wrong token", "too many wrong tokens"}
    more = [int(event["count"]) for event in log if event["event"] == "dropped_more"]
    assert len(lines) < guesses / 2 and len(lines) + sum(more) == guesses


@pytest.mark.parametrize(
    "said, problem",
    [
        (frame(5, frees(5)), "missing frame"),
        (frame(0, frees(5)) * 2, "replayed frame"),
        (frame(0, frees(1), words=1 << 20), "oversized frame"),
        (frame(0, [], words=0), "oversized frame"),
        (b"\0" * 100, "no frame"),
        (frame(0, [word & ~LAP for word in frees(5)]), "words out of place"),
        (frame(0, [word & ~FIRST for word in frees(5)]), "words out of place"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_streams_that_make_no_sense(daemon, said, problem):
    """What came before stays; the file says that something is missing."""
    with daemon.dial() as connection:
        greet(connection)
        connection.sendall(said)
        assert daemon.await_event("process_ends")["trouble"] == problem
        assert is_closed(connection)
    assert problem in daemon.await_event("run_ends")["trouble"]
    (file,) = daemon.recordings()
    about = verified(file).summary["run"]
    assert about["complete"] is False and about["lost_events"] >= 1
    assert verified(file).report()["processes"][0]["command"] == ["peer"]
    daemon.end()


def test_a_stream_goes_on_only_for_who_knows_it(daemon):
    """The number is the daemon's; neither another one nor another position will do."""
    with daemon.dial() as connection:
        number = greet(connection).stream
        connection.sendall(frame(0, frees(5)))
    for stream, position in [(number + 1, 5), (number, 4), (number, 6)]:
        with daemon.dial() as stranger:
            stranger.sendall(hello(GREETING, stream=stream, position=position))
            assert welcome_of(stranger).verdict == NONSENSE
    with daemon.dial() as connection:
        connection.sendall(hello(GREETING, stream=number, position=5))
        assert welcome_of(connection).verdict == ACCEPTED
        connection.sendall(frame(5, frees(5)))
    daemon.await_event("run_ends")
    report = verified(daemon.recordings()[0]).report()
    assert report["run"]["complete"] is True
    assert harness.Recording(daemon.recordings()[0]).sql("SELECT unmatched_frees FROM process") == [(10,)]
    daemon.end()


def test_files_of_a_peer_are_not_opened(daemon, tmp_path):
    """What a peer on another host calls its source is not read here."""
    secret = tmp_path / "secret.py"
    secret.write_text("password = 'a secret'\n")
    name = str(secret).encode()
    description = struct.pack("=iBBBBIII", 1, 2, 1, 1, 0, len(name), 4, 4) + name + b"main" + b"\xe8\x00\xe8\x00"
    description += b"\0" * (-len(description) % 7)
    code = [wire.first(wire.CODE, 1 << 57 | 2 << 24 | (20 + len(name) + 8))]
    code += [LAP | int.from_bytes(description[i : i + 7], "little") for i in range(0, len(description), 7)]
    stack = [wire.first(wire.STACK, 1 << 33 | 1), LAP | 2 << 24]
    allocation = [wire.first(wire.ALLOCATION, 32 << 48 | 0x1000), LAP | 100 << 24]
    with daemon.dial() as connection:
        greet(connection)
        connection.sendall(frame(0, [wire.first(wire.THREAD, 1)] + code + stack + allocation))
    daemon.await_event("run_ends")
    recording = verified(daemon.recordings()[0])
    (row,) = recording.rows("exit")
    assert (row["file"], row["bytes"]) == (str(secret), 100)
    assert recording.sql("SELECT count(*) FROM source") == [(0,)]
    daemon.end()


# --- limits --------------------------------------------------------------------------------------


def test_as_many_processes_as_the_daemon_takes(tmp_path, python, program):
    daemon = Daemon(tmp_path, "--max-processes", "2")
    source = program("import sys; print('here', flush=True); sys.stdin.read()")
    inside = [harness.start([python.path, source], preloaded(daemon.socket)) for _ in range(2)]
    for process in inside:
        assert process.stdout.readline() == "here\n"
    ran = run([python.path, "-c", "print('fine')"], preloaded(daemon.socket), check=0)
    assert ran.out == "fine\n"
    assert ran.err == "heapline: the collector has reached a limit, heapline run or the log says which; this process runs untraced\n"
    assert "processes" in daemon.await_event("refused")["reason"]
    for process in inside:
        assert process.communicate()[1] == ""
    for _ in inside:
        daemon.await_event("run_ends")
    # There is room again.
    assert run([python.path, "-c", ""], preloaded(daemon.socket), check=0).err == ""
    daemon.end()


def test_as_many_runs_as_the_daemon_takes(tmp_path, python, program):
    daemon = Daemon(tmp_path, "--max-runs", "1")
    source = program("import sys; print('here', flush=True); sys.stdin.read()")
    inside = harness.start([python.path, source], preloaded(daemon.socket))
    assert inside.stdout.readline() == "here\n"
    ran = run([BUILD / "heapline", "run", "--daemon", daemon.socket, "true"])
    assert ran.status == 125 and "as many runs go on as the daemon takes" in ran.err
    inside.communicate()
    daemon.end()


@pytest.mark.parametrize("way", ["unix", "tcp"])
def test_a_quota_that_is_used_up(tmp_path, python, program, way):
    """Programs go on untraced and say so once; what was recorded stays readable."""
    daemon = Daemon(tmp_path, "--quota", "300KiB")
    source = program(
        """
        import random, sys
        kept = bytes(1_000_000)  #: kept
        while sys.stdin.readline():
            for _ in range(20):
                many = [bytes(random.randrange(100_000)) for _ in range(1000)]
            print("more", flush=True)
        """
    )
    address = daemon.socket if way == "unix" else daemon.tcp
    process = harness.start([python.path, source], preloaded(address, HEAPLINE_TOKEN=TOKEN))
    daemon.await_event("run_begins")

    def go_on():
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "more\n"

    while sum(file.stat().st_size for file in daemon.folder.iterdir()) < 300 << 10:
        go_on()
    assert daemon.await_event("quota_used_up")["quota"] == str(300 << 10)
    daemon.await_event("run_ends")
    go_on()
    _, err = process.communicate()
    assert process.returncode == 0
    assert err == "heapline: the collector has reached a limit, heapline run or the log says which; the program goes on untraced\n"
    (file,) = daemon.recordings()
    report = verified(file).summary["run"]
    assert report["complete"] is False
    ran = run([BUILD / "heapline", "report", file], check=0)
    assert "the disk quota of the daemon is used up" in ran.out + ran.err
    daemon.end()


def test_a_folder_that_vanishes(daemon, python, tmp_path):
    daemon.folder.rename(tmp_path / "elsewhere")
    ran = run([python.path, "-c", "print('fine')"], preloaded(daemon.socket), check=0)
    assert ran.out == "fine\n" and "has reached a limit" in ran.err
    assert "folder" in daemon.await_event("refused")["reason"]
    (tmp_path / "elsewhere").rename(daemon.folder)
    assert run([python.path, "-c", ""], preloaded(daemon.socket), check=0).err == ""
    daemon.await_event("run_ends")
    daemon.end()


def test_a_recording_that_vanishes(daemon, python, program):
    source = program("import sys; print('here', flush=True); sys.stdin.read()")
    process = harness.start([python.path, source], preloaded(daemon.socket))
    assert process.stdout.readline() == "here\n"
    Path(daemon.await_event("run_begins")["file"]).unlink()
    assert process.communicate()[1] == ""
    assert daemon.await_event("run_ends")["trouble"] == "it was deleted while it was written, and is lost"
    daemon.end()


# --- other hosts ---------------------------------------------------------------------------------


@pytest.fixture
def far_host():
    """A network namespace at the other end of a veth pair: the words that run a command there, and
    our own address as it is seen from there."""
    if os.geteuid() != 0:
        pytest.skip("making network namespaces needs root")
    name, near, far = f"heapline{os.getpid()}", f"hl{os.getpid()}a"[:15], f"hl{os.getpid()}b"[:15]
    third = 64 + os.getpid() % 64
    made = subprocess.run(
        f"ip netns add {name} && ip link add {near} type veth peer name {far} netns {name} && "
        f"ip address add 100.{third}.0.1/30 dev {near} && ip link set {near} up && "
        f"ip -n {name} address add 100.{third}.0.2/30 dev {far} && ip -n {name} link set {far} up",
        shell=True,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True)
        pytest.skip(f"no network namespaces here: {made.stderr.strip()}")
    yield ["ip", "netns", "exec", name], f"100.{third}.0.1"
    subprocess.run(["ip", "netns", "delete", name], check=True)


def test_over_a_network(far_host, tmp_path, python, program):
    there, address = far_host
    folder = tmp_path / "recordings"
    folder.mkdir()
    words = [BUILD / "heaplined", "--output", folder, "--listen", f"tcp:{address}:0"]
    process = harness.start(words, harness.environment(HEAPLINE_TOKEN=TOKEN))
    tcp = re.search(r"address=(\S+)", process.stderr.readline())[1]
    source = program(WORKLOAD)
    command = [BUILD / "heapline", "run", "--daemon", tcp, "--", python.path, source]
    run([*there, *command], harness.environment(HEAPLINE_TOKEN=TOKEN), check=0)
    process.terminate()
    process.communicate()
    (file,) = folder.glob("*.heapline")
    check_workload(file, source)
