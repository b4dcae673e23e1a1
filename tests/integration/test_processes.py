"""All processes of a command in one recording."""

import json
import time

import harness
import pytest
from harness import BUILD, BYTES_HEADER, assert_complete, run


def processes(recording):
    return recording.report()["processes"]


def lines_of(recording, source, pid, *options):
    """What each marked line of the program holds in one process: (bytes, blocks)."""
    rows = harness.report(recording.file, "-n", "0", "--pid", pid, *options)["rows"]
    names = {line: name for name, line in source.lines.items()}
    return {
        names[row["line"]]: (row["bytes"], row["blocks"])
        for row in rows
        if row["file"] == str(source) and row["line"] in names and row["blocks"]
    }


def size(bytes):
    return bytes + BYTES_HEADER


def holds(found, name, bytes):
    """Does the line hold a block of this size, and little beside it (numbers, a dictionary)?"""
    return name in found and size(bytes) <= found[name][0] < size(bytes) + 10_000


def test_a_forked_child_and_what_it_inherits(interpreter, program, record):
    source = program(
        """
        import os, sys
        kept = bytes(1_000_000)  #: parent
        given = bytes(2_000_000)  #: given
        pid = os.fork()
        if pid == 0:
            own = bytes(3_000_000)  #: child
            del given
            more = [bytes(1000 + n) for n in range(500)]  #: many
            sys.stdout.flush()
            os._exit(7)
        print(pid, os.waitpid(pid, 0)[1] >> 8, flush=True)
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    child, status = map(int, recording.out.split())
    assert status == 7
    parent_row, child_row = processes(recording)
    assert child_row["pid"] == child and child_row["parent"] == parent_row["pid"]
    assert child_row["python"] == interpreter.version_text
    many = (sum(size(1000 + n) for n in range(500)), 500)
    found = lines_of(recording, source, child, "--at", "exit")
    assert holds(found, "child", 3_000_000)
    assert found["many"][1] >= 500 and many[0] <= found["many"][0] < many[0] + 40_000  # and a list of numbers
    assert "parent" not in found and "given" not in found
    # With what it inherited: that was there at its peak but for what it had freed.
    found = lines_of(recording, source, child, "--at", "exit", "--inherited")
    assert holds(found, "parent", 1_000_000) and holds(found, "child", 3_000_000)
    assert not holds(found, "given", 2_000_000)
    # A free of what it inherited is not unknown, and none of its own. (A debug build has some blocks
    # from before the recording, in the parent too.)
    ((unmatched, frees),) = recording.sql(f"SELECT unmatched_frees, frees FROM process WHERE pid = {child}")
    assert unmatched <= interpreter.debug and frees <= child_row["allocations"]
    query = f"""SELECT sum(kind = 'inherited') AS inherited, sum(kind = 'free' AND size = {size(2_000_000)}) AS freed
                FROM events WHERE process = 2"""
    (events,) = run([BUILD / "heapline", "sql", "--json", recording.file, query], check=0).json
    assert events["inherited"] > 1000 and events["freed"] == 1
    # The parent's own are not touched.
    assert holds(lines_of(recording, source, parent_row["pid"], "--at", "end"), "given", 2_000_000)


def test_nested_forks_and_many(python, program, record):
    source = program(
        """
        import os
        def down(depth):
            held = bytes(100_000 + depth)  #: held
            pid = os.fork() if depth < 4 else 0
            if pid == 0 and depth < 4:
                down(depth + 1)
            if pid:
                os.waitpid(pid, 0)
            os._exit(0)
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                down(0)
            os.waitpid(pid, 0)
        """
    )
    recording = record(python, source)
    assert_complete(recording)
    rows = processes(recording)
    assert len(rows) == 1 + 10 * 5
    found = [lines_of(recording, source, row["pid"], "--at", "exit") for row in rows[:6]]
    assert "held" not in found[0] and all(holds(f, "held", 100_000) for f in found[1:])
    assert all(row["exit_status"] is None or row["exit_status"] == 0 for row in rows)


STARTS = """
    import os, subprocess, sys
    python, child = sys.executable, sys.argv[1]
    kept = bytes(1_000_000)  #: kept
    subprocess.run([python, child, "0"], check=True)
    subprocess.run([python, child, "1"], env={}, close_fds=True, check=True)
    subprocess.run([python, child, "2"], preexec_fn=lambda: None, check=True)  # no vfork
    os.waitpid(os.posix_spawn(python, [python, child, "3"], {}), 0)
    subprocess.run(f"{python} {child} 4; true", shell=True, check=True)
    assert os.system(f"{python} {child} 5; exit 9") == 9 << 8
    subprocess.run(["env", "-i", python, child, "6"], check=True)
    os.spawnv(os.P_WAIT, python, [python, child, "7"])
    os.spawnlp(os.P_WAIT, python, python, child, "8")
    if os.fork() == 0:
        os.execve(python, [python, child, "9"], {})
    os.wait()
    os.execv(python, [python, child, "10"])
"""


def test_started(interpreter, program, record):
    child = program("import sys\nheld = bytes(3_000_000 + int(sys.argv[1]))  #: held\n", "child.py")
    source = program(STARTS)
    recording = record(interpreter, source, child.path)
    assert_complete(recording)
    rows = recording.sql(
        f"""SELECT process.id, pid, sum(t.peak_bytes) FROM line_total AS t JOIN process ON process.id = t.process
            JOIN location ON location.id = t.location JOIN code ON code.id = location.code
            JOIN file ON file.id = code.file
            WHERE path = '{child}' AND line = {child.lines["held"]} GROUP BY process.id"""
    )
    sizes = sorted(bytes for _, _, bytes in rows)
    assert len(rows) == 11 and size(3_000_000) <= sizes[0] and sizes[-1] < size(3_000_000) + 10_000
    # What replaces itself has one row for each program.
    pids = [row["pid"] for row in processes(recording)]
    assert pids.count(pids[0]) == 2 and rows[-1][1] == pids[0]
    # Where Python forks, the child is one before it executes: 2, 7, 8 and 9, others before 3.10.
    assert len(pids) == 1 + 11 + (4 if interpreter.version >= (3, 10) else 8)


BY_A_LIST = """
    import ctypes, os, sys
    way, python, child = sys.argv[1:]
    own = ctypes.CDLL(None)
    words = [os.fsencode(word) for word in (python, child, "one", "", "three")]
    os.environ["OWN"] = "as before"
    if way == "execl":
        own.execl(words[0], *words, None)
    elif way == "execlp":
        os.environ["PATH"], name = os.path.split(python)
        own.execlp(os.fsencode(name), *words, None)
    elif way == "execle":
        own.execle(words[0], *words, None, (ctypes.c_char_p * 2)(b"ONLY=this", None))
"""


@pytest.mark.one_interpreter
@pytest.mark.parametrize(
    "way, variables",
    [("execl", "as before None"), ("execlp", "as before None"), ("execle", "None this")],
)
def test_executed_by_a_list_of_arguments(interpreter, program, record, way, variables):
    """What it becomes has the arguments and the environment that are meant, and is recorded."""
    child = program(
        """
        import os, sys
        held = bytes(30_000_000)  #: held
        print(sys.argv[1:], os.environ.get("OWN"), os.environ.get("ONLY"))
        """,
        "child.py",
    )
    recording = record(interpreter, program(BY_A_LIST), way, interpreter.path, child.path)
    assert_complete(recording)
    assert recording.out == f"['one', '', 'three'] {variables}\n"
    before, after = processes(recording)
    assert before["pid"] == after["pid"]
    assert holds(lines_of(recording, child, after["pid"]), "held", 30_000_000)


def test_multiprocessing(interpreter, program, record):
    source = program(
        """
        import multiprocessing, os
        def job(number):
            held = bytes(1_000_000)  #: held
            return os.getpid()
        if __name__ == "__main__":
            for method in ("fork", "spawn", "forkserver"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    print(*pool.map(job, range(10), chunksize=1))
                    pool.close()
                    pool.join()
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    workers = set(map(int, recording.out.split()))
    assert workers <= {row["pid"] for row in processes(recording)}
    held = [row for row in recording.rows(file=source) if row["line"] == source.lines["held"]]
    assert 0 <= sum(row["allocated_bytes"] for row in held) - 30 * size(1_000_000) < 30_000


def test_a_daemon_that_closes_everything(interpreter, program, record):
    source = program(
        """
        import os, sys
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for descriptor in range(64):
                    if descriptor != write:
                        try: os.close(descriptor)
                        except OSError: pass
                held = bytes(1_000_000)  #: held
                os.write(write, b"%d" % os.getpid())
                os._exit(0)
            os._exit(0)
        os.close(write)
        os.wait()
        print(os.read(read, 100).decode())
        assert not os.read(read, 1)  # until it has ended
        """
    )
    recording = record(interpreter, source)
    daemon = int(recording.out)
    assert holds(lines_of(recording, source, daemon), "held", 1_000_000)


def test_no_children(interpreter, program, record):
    child = program("held = bytes(3_000_000)", "child.py")
    source = program(
        """
        import os, subprocess, sys
        kept = bytes(1_000_000)  #: kept
        if os.fork() == 0:
            subprocess.run([sys.executable, sys.argv[1]], check=True)
            os._exit(0)
        os.wait()
        """
    )
    recording = record(interpreter, source, child.path, options=["--no-children"])
    assert_complete(recording)
    (row,) = processes(recording)
    found = lines_of(recording, source, row["pid"], "--at", "end")
    assert holds(found, "kept", 1_000_000) and sum(bytes for bytes, _ in found.values()) < 1_100_000


def test_no_children_of_a_shell(python, program, record, tmp_path):
    child = program("held = bytes(3_000_000)", "child.py")
    command = ["sh", "-c", f"{python.path} {child}; exec {python.path} {child}"]
    recording = harness.record(command, tmp_path / "run.heapline", options=["--no-children"])
    assert len(processes(recording)) == 1


def test_forks_amid_threads(python, program, record):
    """Two hundred forks while threads allocate: every child's own counts are exact."""
    source = program(
        """
        import os, threading
        stop = False
        def work():
            while not stop:
                [bytes(n) for n in range(600, 700)]
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        for _ in range(200):
            pid = os.fork()
            if pid == 0:
                held = [bytes(10_000 + n) for n in range(20)]  #: held
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        stop = True
        for thread in threads: thread.join()
        """
    )
    recording = record(python, source)
    assert_complete(recording)
    rows = processes(recording)
    assert len(rows) == 201
    expected = sum(size(10_000 + n) for n in range(20))
    counted = dict(
        recording.sql(
            f"""SELECT pid, sum(leaked_bytes) FROM lines
                WHERE file = '{source}' AND line = {source.lines["held"]} GROUP BY pid"""
        )
    )
    children = [row["pid"] for row in rows[1:]]
    assert all(expected <= counted[pid] < expected + 1000 for pid in children)  # and the list


def test_ended_by_signals(python, program, record):
    source = program(
        """
        import os, signal, time
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
            pid = os.fork()
            if pid == 0:
                held = bytes(500_000 + number)  #: held
                os.kill(os.getpid(), number)
                time.sleep(60)
            assert os.waitpid(pid, 0)[1] & 127 == number
        """
    )
    recording = record(python, source)
    assert_complete(recording)
    found = [lines_of(recording, source, row["pid"], "--at", "exit") for row in processes(recording)]
    assert len(found) == 4 and "held" not in found[0] and all(holds(f, "held", 500_000) for f in found[1:])


def test_without_history(python, program, record):
    source = program(
        """
        import os
        kept = bytes(1_000_000)  #: kept
        if os.fork() == 0:
            own = bytes(3_000_000)  #: own
            del kept
            os._exit(0)
        os.wait()
        """
    )
    recording = record(python, source, options=["--no-history"])
    assert_complete(recording)
    parent, child = processes(recording)
    found = lines_of(recording, source, child["pid"], "--at", "exit", "--inherited")
    assert holds(found, "own", 3_000_000) and not holds(found, "kept", 1_000_000)
    whole = harness.report(recording.file, "--between", "0s", "exit", "--pid", child["pid"])["view"]
    assert whole["bytes"] == child["leaked_bytes"] and whole["exact"] is False


TITLED = """
    import ctypes
    import os
    import sys

    def set_title(text):
        # As setproctitle does: over the words that the kernel shows, the rest of which is cleared.
        fields = open("/proc/self/stat").read().rpartition(")")[2].split()
        start, end = int(fields[45]), int(fields[46])
        ctypes.memmove(start, text.encode().ljust(end - start, b"\\0"), end - start)

    child = os.fork()
    set_title("worker: [app]" if child == 0 else "master: [app]")
    if child == 0:
        sys.stdin.read()
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    os.execvp("cat", ["cat", "/dev/null"])
"""


def test_titles(interpreter, program, tmp_path):
    """Processes are called what they call themselves, and not what they become by an exec."""
    file = tmp_path / "run.heapline"
    command = harness.heapline_run([interpreter.path, program(TITLED), "many", "words"], file)
    process = harness.start(command, env=harness.environment())
    child = int(process.stdout.readline())
    recording = harness.Recording(file)
    wanted = {("master: [app]",), ("worker: [app]",)}
    deadline = time.monotonic() + harness.TIME_LIMIT
    while titles_of(recording) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    process.communicate(timeout=harness.TIME_LIMIT)
    assert process.returncode == 0
    assert titles_of(recording) == wanted
    (of_child,) = recording.sql("SELECT command FROM process WHERE pid = ?", child)[0]
    assert json.loads(of_child) == ["worker: [app]"]


def titles_of(recording):
    return {tuple(json.loads(command)) for (command,) in recording.sql("SELECT command FROM process")}
