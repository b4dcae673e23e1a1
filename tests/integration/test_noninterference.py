"""A program cannot tell whether heapline watches it."""

import signal

import harness
import pytest
from harness import BYTES_HEADER, Program, assert_complete


def test_what_a_program_sees_of_itself(interpreter, record, bare, with_native):
    """Descriptors, threads, signals, modules, environment, limits, … : tests/programs/probe.py."""
    probe = Program.named("probe.py")
    expected = bare(interpreter, probe, "one", "two", env=with_native).json
    seen = record(interpreter, probe, "one", "two", env=with_native).json
    assert len(expected) > 30
    assert {k: v for k, v in seen.items() if v != expected[k]} == {}


@pytest.mark.parametrize("flags", [("-I",), ("-X", "dev"), ("-S", "-E")])
def test_what_it_sees_in_other_modes(python, flags, record, bare, with_native):
    probe = Program.named("probe.py")
    expected = bare(python, probe, flags=flags, env=with_native).json
    assert record(python, probe, flags=flags, env=with_native).json == expected


def test_an_empty_environment(python, tmp_path):
    """Not even a PATH: what heapline adds for itself is not seen."""
    show = [python.path, "-c", "import os; print(sorted(os.environ.items()))"]
    bare = harness.run(show, env={}, check=0)
    recorded = harness.record(show, tmp_path / "run.heapline", env={})
    assert recorded.out == bare.out


def test_a_preload_of_the_program_s_own(python, compiled, tmp_path):
    """LD_PRELOAD belongs to the program: it stays as it was."""
    library = compiled("native.c", "libnative.so", "-shared", "-fPIC")
    show = [python.path, "-c", "import os; print(os.environ['LD_PRELOAD'], '%s' in open('/proc/self/maps').read())" % library.name]
    env = harness.environment(LD_PRELOAD=library)
    bare = harness.run(show, env=env, check=0)
    assert bare.out == f"{library} True\n"
    recorded = harness.record(show, tmp_path / "run.heapline", env=env)
    assert recorded.out == bare.out


def test_errno(interpreter, program, record, bare, with_native):
    """What a call leaves in errno is what it leaves without us, also when the hook has to wait."""
    source = program(
        """
        import ctypes, os
        native = ctypes.CDLL(os.environ["NATIVE"])
        native.errno_cases.argtypes = [ctypes.c_size_t, ctypes.c_uint, ctypes.c_void_p]
        result = (ctypes.c_int * 10)()
        native.errno_cases(2**63 - 1, 500_000, ctypes.addressof(result))
        print(list(result))
        """
    )
    expected = bare(interpreter, source, env=with_native).out
    assert record(interpreter, source, env=with_native).out == expected
    before, enomem, einval = 77, 12, 22
    assert expected == f"{[before] * 5 + [enomem] * 2 + [before, einval, 0]}\n"


def test_every_descriptor_closed(interpreter, program, record):
    """In the middle. The program opens others under the same numbers; nothing of ours lands in
    them, and what it allocates afterwards is still recorded."""
    source = program(
        """
        import os, sys
        before = out = saved = names = taken = descriptor = name = kept = last = None
        before = bytes(1_000_001)  #: before
        out = os.dup(1)
        os.set_inheritable(out, False)
        saved = 900
        os.dup2(out, saved)
        os.closerange(0, saved)
        os.closerange(saved + 1, 4096)
        names = ["reused-%d" % n for n in range(40)]
        taken = [os.open(name, os.O_RDWR | os.O_CREAT, 0o600) for name in names]
        assert taken == list(range(40)), taken
        kept = [bytes(2000 + n) for n in range(20_000)]  #: after
        for descriptor in taken:
            assert os.fstat(descriptor).st_size == 0
            os.close(descriptor)
        for name in names:
            os.unlink(name)
        last = bytes(3_000_003)  #: last
        os.write(saved, b"done\\n")
        """
    )
    recording = record(interpreter, source)
    assert recording.out == "done\n"
    assert_complete(recording)
    assert recording.line(source, "before", "end").bytes == 1_000_001 + BYTES_HEADER
    after = recording.line(source, "after", "end")
    items = sum(2000 + n + BYTES_HEADER for n in range(20_000))
    assert after.blocks - 20_000 <= 2 and 0 < after.bytes - items < 400_000  # the list itself
    assert recording.line(source, "last", "end").bytes == 3_000_003 + BYTES_HEADER


@pytest.mark.parametrize("status", [0, 1, 2, 3, 77, 125, 126, 127, 128, 137, 200, 255])
def test_exit_status(python, status, program, record):
    source = program("import sys; sys.exit(int(sys.argv[1]))")
    recording = record(python, source, status, status=status)
    process = recording.process
    assert (process["exit_status"], process["signal"]) == (status, None)
    assert_complete(recording)


@pytest.mark.parametrize(
    "ending, status",
    [
        ("raise ValueError('no')", 1),
        ("import os; os._exit(9)", 9),
        ("import sys; sys.exit('text')", 1),
        ("raise SystemExit(4)", 4),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("import os; os.abort()", -signal.SIGABRT),
        ("import ctypes; ctypes.string_at(1)", -signal.SIGSEGV),
        ("import os, signal; signal.pthread_sigmask(0, {2}); os.kill(os.getpid(), 9)", -9),
        ("import atexit, os; atexit.register(os._exit, 5)", 5),
        ("import threading; threading.Thread(target=lambda: __import__('os')._exit(6)).start()", 6),
    ],
)
def test_ways_to_end(interpreter, ending, status, program, record, bare):
    """The same as bare, to the letter, and the recording says how it ended."""
    source = program(f"kept = bytes(1_000_001)  #: kept\n{ending}\n")
    expected = bare(interpreter, source, status=status)
    recording = record(interpreter, source, status=status, options=["-q"])
    assert (recording.out, recording.err) == (expected.out, expected.err)
    process = recording.process
    if status < 0:
        assert (process["exit_status"], process["signal"]) == (None, -status)
    else:
        assert (process["exit_status"], process["signal"]) == (status, None)
    assert recording.line(source, "kept", "end").bytes == 1_000_001 + BYTES_HEADER
    assert_complete(recording)


FATAL = ["HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV"]
FATAL += ["USR2", "PIPE", "ALRM", "TERM", "XCPU", "VTALRM", "SYS"]


@pytest.mark.parametrize("name", FATAL)
def test_death_by_signal(python, name, program, record, bare):
    number = getattr(signal, f"SIG{name}")
    source = program(
        """
        import os, signal, sys
        number = int(sys.argv[1])
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        kept = bytes(1_000_001)  #: kept
        os.kill(os.getpid(), number)
        """
    )
    bare(python, source, int(number), status=-number)
    recording = record(python, source, int(number), status=-number)
    assert (recording.process["exit_status"], recording.process["signal"]) == (None, number)
    assert recording.line(source, "kept", "end").bytes == 1_000_001 + BYTES_HEADER
    assert_complete(recording)


FORKS = {
    "fork": """
        import os, sys
        def child():
            more = [bytes(5000) for _ in range(2000)]
            sys.stdout.write("child %d\\n" % len(more))
            sys.stdout.flush()
            os._exit(3)
        pid = os.fork()
        if pid == 0:
            child()
        print(os.waitpid(pid, 0)[1] >> 8)
    """,
    "fork that goes on": """
        import os
        pid = os.fork()
        more = [bytes(5000) for _ in range(2000)]
        if pid:
            print(os.waitpid(pid, 0)[1])
        else:
            print("child", len(more), flush=True)
    """,
    "fork of a fork": """
        import os, threading
        def down(depth):
            pid = os.fork()
            if pid == 0:
                if depth:
                    down(depth - 1)
                else:
                    thread = threading.Thread(target=lambda: print("thread", flush=True))
                    thread.start()
                    thread.join()
                os._exit(depth)
            assert os.waitpid(pid, 0)[1] >> 8 == depth
        down(5)
        print("done")
    """,
    "fork while threads allocate": """
        import os, threading
        stop = False
        def busy():
            while not stop:
                [bytes(n) for n in range(1000)]
        threads = [threading.Thread(target=busy) for _ in range(4)]
        for thread in threads: thread.start()
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                stop = True
                [bytes(n) for n in range(2000)]
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        stop = True
        for thread in threads: thread.join()
        print("done")
    """,
    "subprocess": """
        import subprocess, sys
        for _ in range(5):
            print(subprocess.run([sys.executable, "-c", "print(sum(range(1000)))"],
                                 stdout=subprocess.PIPE).stdout)
        print(subprocess.run(["sh", "-c", "echo $0; exit 4"], stdout=subprocess.PIPE))
        print(subprocess.run(["env", "-i", sys.executable, "-c", "import os; print(sorted(os.environ))"],
                             stdout=subprocess.PIPE).returncode)
    """,
    "environment of a child": """
        import os, subprocess
        print(sorted(subprocess.run(["env"], stdout=subprocess.PIPE).stdout.split()))
        print(sorted(subprocess.run(["env"], env={"ONLY": "1"}, stdout=subprocess.PIPE).stdout.split()))
    """,
    "posix_spawn": """
        import os, sys
        pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "print('spawned')"], os.environ)
        print(os.waitpid(pid, 0)[1])
    """,
    "system": """
        import os
        print(os.system("exit 3") >> 8)
        print(os.popen("echo popen").read())
    """,
    "exec": """
        import os, sys
        if len(sys.argv) == 1:
            os.execv(sys.executable, [sys.executable, __file__, "again"])
        print("after exec")
    """,
    "multiprocessing": """
        import multiprocessing
        def square(n):
            return n * n
        if __name__ == "__main__":
            for method in ("fork", "spawn", "forkserver"):
                context = multiprocessing.get_context(method)
                with context.Pool(2) as pool:
                    print(pool.map(square, range(50)))
    """,
    "daemon": """
        import os, time
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.close(read)
                os.close(0); os.close(1); os.close(2)
                [bytes(n) for n in range(1000)]
                os.write(write, b"from the daemon")
                os._exit(0)
            os._exit(0)
        os.close(write)
        os.wait()
        print(os.read(read, 100), os.read(read, 100))
    """,
}


@pytest.mark.parametrize("kind", FORKS)
def test_children_go_on_unharmed(interpreter, kind, program, record, bare):
    text = "\n".join(line[8:] for line in FORKS[kind].splitlines())
    source = program(f"kept = bytes(1_000_001)  #: kept\n{text}\n")
    flags = ("-W", "ignore")
    expected = bare(interpreter, source, flags=flags)
    assert expected.out
    recording = record(interpreter, source, flags=flags, options=["-q"])
    assert recording.out == expected.out
    assert recording.err == expected.err
    if kind == "exec":
        return
    first = recording.process["pid"]
    rows = harness.report(recording.file, "--at", "end", "--pid", first, "-n", "0")["rows"]
    (kept,) = [r for r in rows if r["file"] == str(source) and r["line"] == source.lines["kept"]]
    assert kept["bytes"] == 1_000_001 + BYTES_HEADER


def test_exec_of_what_cannot_be_read(interpreter, program, record, bare):
    """The kernel says EFAULT, and so do we; also where a text or an array runs into a page that is not there."""
    source = program(
        """
        import ctypes, errno, mmap, os
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
        libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        page = libc.mmap(None, 8192, 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        libc.mprotect(page + 4096, 4096, 0)
        ends = page + 4096
        ctypes.memset(page, ord("x"), 4096)
        text = ctypes.c_char_p(b"A=b")
        words = (ctypes.c_void_p * 2)(ctypes.cast(text, ctypes.c_void_p).value, None)
        bad_word = (ctypes.c_void_p * 2)(8, None)
        cut_word = (ctypes.c_void_p * 2)(ends - 5, None)
        ctypes.memmove(ends - 8 - 16, words, 8)  # at the end of the page: no null
        endless = ends - 8
        ctypes.memmove(endless, words, 8)
        good, empty = b"/nowhere", (ctypes.c_void_p * 1)(None)
        calls = [(8, empty, empty), (ends - 3, empty, empty), (good, empty, 8), (good, empty, bad_word),
                 (good, empty, cut_word), (good, empty, endless), (good, empty, words), (None, empty, empty)]
        for path, arguments, environment in calls:
            path = ctypes.c_char_p(path) if isinstance(path, bytes) else ctypes.c_void_p(path)
            pid = ctypes.c_int()
            pointer = environment if not isinstance(environment, int) else ctypes.c_void_p(environment)
            results = [libc.execve(path, arguments, pointer), errno.errorcode.get(ctypes.get_errno())]
            results.append(libc.execveat(-100, path, arguments, pointer, 0))
            results.append(errno.errorcode.get(ctypes.get_errno()))
            results.append(libc.posix_spawn(ctypes.byref(pid), path, None, None, arguments, pointer))
            print(results)
        """
    )
    expected = bare(interpreter, source)
    assert "EFAULT" in expected.out and "ENOENT" in expected.out
    recording = record(interpreter, source, options=["-q"])
    assert (recording.out, recording.err, recording.status) == (expected.out, expected.err, 0)


def test_exec_with_as_much_as_is_allowed(interpreter, program, record, bare):
    """Whoever has no room for our variables beside his own goes without them."""
    source = program(
        """
        import os, resource
        resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
        def fits(size, spawn):
            words = ["true", *["x" * 20_000] * 10, "y" * size]
            if spawn:
                try:
                    return os.waitpid(os.posix_spawn("/bin/true", words, {"A": "b"}), 0)[1] == 0
                except OSError:
                    return False
            pid = os.fork()
            if pid == 0:
                try:
                    os.execve("/bin/true", words, {"A": "b"})
                finally:
                    os._exit(1)
            return os.waitpid(pid, 0)[1] == 0
        for spawn in (False, True):
            least, most = 1, 100_000
            while most - least > 1:
                middle = (least + most) // 2
                least, most = (middle, most) if fits(middle, spawn) else (least, middle)
            print(least)
        """
    )
    expected = bare(interpreter, source)
    recording = record(interpreter, source, options=["-q"])
    assert (recording.out, recording.err, recording.status) == (expected.out, expected.err, 0)


def test_fork_warns_as_much_as_before(interpreter, program, record, bare):
    """CPython warns on fork when it counts more than one thread: we are none."""
    source = program("import os\nif os.fork() == 0: os._exit(0)\nos.wait()\n")
    flags = ("-W", "always")
    expected = bare(interpreter, source, flags=flags)
    assert record(interpreter, source, flags=flags, options=["-q"]).err == expected.err


def test_closed_standard_streams(python, program, tmp_path):
    """Started with stdin, stdout and stderr closed: what the program opens gets their numbers."""
    source = program(
        """
        import os
        first = os.open("out", os.O_WRONLY | os.O_CREAT, 0o600)
        kept = [bytes(1000) for _ in range(10_000)]
        os.write(first, b"%d" % first)
        """
    )
    run = f"exec {harness.BUILD}/heapline run -q -o run.heapline {python.path} {source} <&- >&- 2>&-"
    harness.run(["sh", "-c", run], check=0, cwd=tmp_path)
    with_heapline = (tmp_path / "out").read_text()
    (tmp_path / "out").unlink()
    harness.run(["sh", "-c", f"exec {python.path} {source} <&- >&- 2>&-"], check=0, cwd=tmp_path)
    assert with_heapline == (tmp_path / "out").read_text()


def test_limits_on_descriptors_and_memory(python, program, tmp_path):
    """Few descriptors and little address space left are the program's, and it gets along."""
    source = program("kept = [bytes(1000) for _ in range(1000)]\nprint('done')\n")
    for limit in ("ulimit -n 16", "ulimit -v 400000"):
        run = f"{limit}; exec {harness.BUILD}/heapline run -f -q -o run.heapline {python.path} {source}"
        assert harness.run(["sh", "-c", run], check=0, cwd=tmp_path).out == "done\n"


def test_a_short_stack(python, program, record):
    """Threads with the smallest stack that CPython lets them have."""
    source = program(
        """
        import threading
        kept = [None] * 100
        def work(number):
            kept[number] = bytes(10_000 + number)  #: work
        threading.stack_size(32768)
        for number in range(100):
            thread = threading.Thread(target=work, args=(number,))
            thread.start()
            thread.join()
        """
    )
    recording = record(python, source)
    seen = recording.line(source, "work", "end")
    assert (seen.bytes, seen.blocks) == (sum(10_000 + n + BYTES_HEADER for n in range(100)), 100)


def test_seccomp(interpreter, program, record, bare):
    """A program that forbids itself every system call but a few does not die of one of ours. Only a
    ring that runs full, or half full with a sleeping reader, needs any."""
    source = program(
        """
        import ctypes
        import struct

        READ, WRITE, SIGRETURN, EXIT, EXIT_GROUP = 0, 1, 15, 60, 231
        LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
        ALLOW, KILL = 0x7FFF0000, 0x80000000
        allowed = (READ, WRITE, SIGRETURN, EXIT, EXIT_GROUP)
        steps = [(LOAD, 0, 0, 0)]  # the call's number
        for index, number in enumerate(allowed):
            steps.append((JUMP_IF_EQUAL, len(allowed) - index, 0, number))
        steps += [(RETURN, 0, 0, KILL), (RETURN, 0, 0, ALLOW)]
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))

        class Filter(ctypes.Structure):
            _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]

        libc = ctypes.CDLL(None, use_errno=True)
        call = libc.syscall
        call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_long]
        filter = Filter(len(steps), ctypes.addressof(code))
        NO_NEW_PRIVILEGES, SECCOMP, BY_FILTER = 38, 22, 2
        kept = [None] * 2000

        def fill():
            for number in range(2000):
                kept[number] = object()

        fill()  # pymalloc now has the memory that the next time needs, and keeps it
        for number in range(0, 2000, 2):
            kept[number] = None
        assert libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
        assert libc.prctl(SECCOMP, BY_FILTER, ctypes.byref(filter), 0, 0) == 0
        fill()
        call(WRITE, 1, b"done\\n", 5)
        call(EXIT_GROUP, 0, None, 0)
        """
    )
    expected = bare(interpreter, source)
    assert expected.out == "done\n"
    assert record(interpreter, source).out == expected.out
