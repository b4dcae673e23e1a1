"""Root starts a run, and others work in it."""

import os
import shutil

import harness
import pytest
from harness import BUILD, BYTES_HEADER, assert_complete, run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


@pytest.fixture
def place(tmp_path):
    """A folder, and programs of heapline, that everybody can read."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder != folder.parent and folder.owner() == "root" and str(folder) != "/tmp":
            folder.chmod(folder.stat().st_mode | 0o055)
    build = tmp_path / "build"
    build.mkdir()
    for name in ("heapline", "heaplined", "libheapline.so"):
        shutil.copy(BUILD / name, build / name)
    return build


WORKERS = """
    import os, subprocess, sys
    kept = bytes(1_000_000)
    if os.fork() == 0:
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        kept = bytes(2_000_000)  #: dropped
        if os.fork() == 0:
            kept = bytes(3_000_000)  #: forked
            os._exit(0)
        os.wait()
        subprocess.run([sys.executable, "-c", "kept = bytes(5_000_000)"], check=True)
        os._exit(0)
    os.wait()
"""


def check_workers(file, source):
    recording = harness.Recording(file)
    assert_complete(recording)
    processes = recording.report()["processes"]
    assert len(processes) == 4
    for name, size in {"dropped": 2_000_000, "forked": 3_000_000}.items():
        assert recording.line(source, name).allocated_bytes == size + BYTES_HEADER
    assert max(process["peak_bytes"] for process in processes) > 5_000_000


def test_workers_of_another_user(place, python, program, tmp_path):
    """A supervisor's user=, uWSGI's --uid: forked, and executed, after it has become nobody."""
    source = program(WORKERS)
    ran = run(harness.heapline_run([python.path, source], tmp_path / "run.heapline", build=place), check=0)
    assert "untraced" not in ran.err
    check_workers(tmp_path / "run.heapline", source)


@pytest.mark.parametrize("words", [AS_NOBODY, ["su", "-s", "/bin/sh", "nobody", "-c"]], ids=["setpriv", "su"])
def test_a_program_of_another_user(words, place, python, program, tmp_path):
    source = program("kept = bytes(3_000_000)  #: kept")
    command = [str(python.path), str(source)]
    words = [*words, *command] if words is AS_NOBODY else [*words, " ".join(command)]
    recording = harness.record(words, tmp_path / "run.heapline", build=place)
    assert_complete(recording)
    assert recording.line(source, "kept").bytes == 3_000_000 + BYTES_HEADER
    assert "untraced" not in recording.err


def test_what_only_root_may_read_is_not_read(place, python, program, tmp_path):
    """A process of another user names files, and root's collector reads them."""
    secret = tmp_path / "secret.py"
    secret.write_text("x = 1\n")
    secret.chmod(0o600)
    source = program(
        f"""
        import os
        code = compile("kept = bytes(3_000_000)", {str(secret)!r}, "exec")
        exec(code)
        """
    )
    recording = harness.record([*AS_NOBODY, python.path, source], tmp_path / "run.heapline", build=place)
    texts = {path for (path,) in recording.sql("SELECT path FROM source JOIN file ON file.id = source.file")}
    files = {path for (path,) in recording.sql("SELECT path FROM file")}
    assert str(secret) in files and str(secret) not in texts and str(source) in texts


def test_a_stranger_at_the_door(place, python, program, tmp_path):
    """Who does not know the key is none of the run, whoever else it may say it is; and who says
    nothing holds nobody up."""
    source = program(
        """
        import os, socket, sys
        address = open("/proc/net/unix").read().split("@heapline-")[1].split()[0]
        if os.fork() == 0:
            os.setresuid(65534, 65534, 65534)
            strangers = []
            for _ in range(20):
                strangers.append(socket.socket(socket.AF_UNIX))
                strangers[-1].connect("\\0heapline-" + address)
            if os.fork() == 0:
                os._exit(0)
            os.wait()
            env = {"LD_PRELOAD": sys.argv[1], "HEAPLINE_DAEMON": "unix:@heapline-" + address, "HEAPLINE_RUN": "0" * 32}
            os.execve(sys.executable, [sys.executable, "-c", "kept = bytes(7_000_000)"], env)
        os.wait()
        """
    )
    command = [python.path, source, place / "libheapline.so"]
    ran = run(harness.heapline_run(command, tmp_path / "run.heapline", build=place), check=0)
    processes = harness.Recording(tmp_path / "run.heapline").report()["processes"]
    assert len(processes) == 3 and max(process["peak_bytes"] for process in processes) < 7_000_000
    assert ran.err.count("the collector does not answer") == 1


@pytest.mark.parametrize("options", [["--all-users"], []], ids=["all", "own"])
def test_a_daemon_of_root(options, place, python, program, tmp_path):
    """It takes them in where it was told to, and then only into runs whose key they know."""
    source = program(WORKERS)
    folder = tmp_path / "recordings"
    folder.mkdir()
    address = f"unix:{tmp_path}/socket"
    daemon = harness.start([place / "heaplined", "--listen", address, "--output", folder, *options])
    while "event=listens" not in daemon.stderr.readline():
        pass
    ran = run([place / "heapline", "run", "--daemon", address, "--", python.path, source], check=0)
    (file,) = folder.iterdir()
    if options:
        check_workers(file, source)
        env = harness.environment(LD_PRELOAD=place / "libheapline.so", HEAPLINE_DAEMON=address)
        refused = run([*AS_NOBODY, "/usr/bin/env", f"LD_PRELOAD={place}/libheapline.so", f"HEAPLINE_DAEMON={address}", python.path, "-c", "pass"], check=0)
        assert "the collector does not answer" in refused.err
    else:
        facts = harness.Recording(file).report()["run"]
        assert facts["complete"] is False and facts["absences"] == {"unheard": 2}
        assert ran.err.count("the collector's socket is another user's") == 2
    assert len(list(folder.iterdir())) == 1
    daemon.terminate()
    daemon.communicate()
