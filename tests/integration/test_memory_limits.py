"""Programs under a limit of memory: the collector is beside them there, and must not be their end."""

import signal

import harness
import interpreters
import pytest
from cgroups import as_in_a_container, inside, memory_cgroup
from harness import BUILD, heapline_run, run

pytestmark = pytest.mark.one_interpreter

LIMIT = 134_000_000

# Floats, whose recording takes more memory than they do themselves.
FLOATS = """
    import os, sys
    kept = [None] * (int(sys.argv[1]) * 1_000_000 // 32)
    for number in range(len(kept)):
        kept[number] = number + 0.5
    print("done", open("/proc/self/oom_score_adj").read().strip(), flush=True)
    sys.exit(7)
"""
SMALL, LARGE = 10, 87


def run_of(file):
    return run([BUILD / "heapline", "report", "--json", file], check=0).json["run"]


def test_who_is_killed_first(interpreter, program, tmp_path):
    """The program has room for itself, but not for what the collector takes beside it: the program
    goes on and ends as it would."""
    if interpreter.debug:
        pytest.skip("its own memory is another")
    file = tmp_path / "run.heapline"
    command = [interpreter.path, program(FLOATS), LARGE]
    with memory_cgroup(LIMIT) as cgroup:
        bare = run(inside(cgroup, command), check=7)
        seen = run(inside(cgroup, heapline_run(command, file)), check=7)
    assert seen.out == bare.out
    assert seen.err.count("goes on untraced") == 1
    assert seen.err.count("heapline: the collector was killed for want of memory (OOM)") == 1
    assert run_of(file)["complete"] is False


def test_nobody_else_is_put_forward(python, program, tmp_path):
    """That the kernel is to take it first is true of the collector and what it starts."""
    source = program(
        """
        import os, sys
        if os.fork() == 0:
            os.execvp("cat", ["cat", "/proc/self/oom_score_adj"])
        os.wait()
        print(open("/proc/self/oom_score_adj").read().strip(), flush=True)
        sys.stdin.readline()
        """
    )
    own = open("/proc/self/oom_score_adj").read()
    process = harness.start(heapline_run([python.path, source], tmp_path / "run.heapline", ["-q"]))
    assert [process.stdout.readline() for _ in range(2)] == [own, own]
    collector = harness.collector_of(process.pid)
    everybody = [process.pid, *harness.descendants(process.pid)]
    below = [collector, *harness.descendants(collector)]
    adjusted = [pid for pid in everybody if open(f"/proc/{pid}/oom_score_adj").read() == "1000\n"]
    assert sorted(adjusted) == sorted(below)
    process.communicate("\n", timeout=harness.TIME_LIMIT)


TOGETHER = {
    "memory.max": LIMIT,
    "memory.oom.group": 1,
    "memory.current": 30_000_000,
    "memory.stat": "inactive_file 0\\nactive_file 0\\n",
}


@pytest.mark.parametrize("python_name", ["debian", "3.8"])
def test_all_are_killed_together(python_name, program, tmp_path):
    """The collector keeps to its share; then it goes, says so once, and who comes later does not
    notice either."""
    found = interpreters.find(python_name)
    if not found:
        pytest.skip(f"no CPython at hand that is {python_name}")
    file = tmp_path / "run.heapline"
    source = program(FLOATS)
    script = f"{found.path} {source} {LARGE}; {found.path} {source} {SMALL}; {found.path} {source} {LARGE}; exit 5"
    ran = run(as_in_a_container(TOGETHER, heapline_run(["sh", "-c", script], file, ["-q"])), check=5)
    assert ran.out.split()[::2] == ["done"] * 3
    (line,) = ran.err.splitlines()
    assert line.startswith("heapline: the recording ends here, the program goes on untraced: ")
    assert "a quarter of the 127.8 MiB" in line
    held = float(line.rpartition("held ")[2].split()[0])
    assert LIMIT / 4 < (held + 0.05) * 2**20 < LIMIT / 3  # as it is rounded
    about = run_of(file)
    assert about["complete"] is False
    run([BUILD / "heapline", "check", "--verify", file], check=0)


@pytest.mark.parametrize("files, is_whole", [
    ({"memory.current": LIMIT - 5_000_000}, False),
    ({"memory.current": LIMIT - 5_000_000, "memory.stat": "inactive_file 9000000\\nactive_file 9000000\\n"}, True),
    ({"memory.current": LIMIT - 5_000_000, "memory.oom.group": 0}, True),
    ({"memory.max": "max"}, True),
])  # fmt: skip
def test_hardly_any_room_is_left(python, files, is_whole, program, tmp_path):
    file = tmp_path / "run.heapline"
    command = heapline_run([python.path, program(FLOATS), SMALL], file, ["-q"])
    ran = run(as_in_a_container({**TOGETHER, **files}, command), check=7)
    assert run_of(file)["complete"] is is_whole
    assert ran.err.count("there is hardly anything left of the 127.8 MiB") == (not is_whole)


def test_what_the_collector_held(python, program, tmp_path):
    """A command that is killed all the same is told what part of it was not its own."""
    source = program(
        """
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        held = []
        while True:
            held.append(b"x" * 1_000_003)
        """
    )
    file = tmp_path / "run.heapline"
    with memory_cgroup(64_000_000) as cgroup:
        ran = run(inside(cgroup, heapline_run([python.path, source], file)))
    assert ran.status == -signal.SIGKILL
    (row,) = run([BUILD / "heapline", "processes", "--json", file], check=0).json["processes"]
    assert row["out_of_memory"] is True and 500_000 < row["collector_bytes"] < 30_000_000
    for text in (ran.err, run([BUILD / "heapline", "report", file], check=0).out):
        text = " ".join(text.split())
        assert "was killed by the kernel for want of memory (OOM) when it held" in text
        assert "and heapline's collector, of the same limit," in text
