"""Native frames have the names of the files that were loaded, whatever has become of these since.

Each program loads a library, something happens to the library's file, and then the library
allocates: that is when heapline sees it first. The name of another file's function would be a lie.
"""

import functools
import os
import select
import shutil
import signal
import subprocess
import textwrap

import harness
import pytest
from harness import BUILD, run
from native_library import CALL, HEAD, NAMES, WITH_ID, are_offsets, functions, note_of, record, split, write
from test_security import NOBODY, become

pytestmark = pytest.mark.of_readers


def as_nobody():
    return {"preexec_fn": functools.partial(become, NOBODY)} if os.geteuid() == 0 else {}


def assert_missing(recording, library, note):
    """No names, and the report says why."""
    assert are_offsets(functions(recording, library), library)
    assert note_of(recording, library) == note
    text = run([BUILD / "heapline", "report", "--at", "exit", "-n", "0", recording.file], check=0).out
    assert f"Names are missing for {library.name}: {note}." in " ".join(text.split())


def test_a_file_that_stays(python, folder, build_library):
    library = build_library("libstays.so")
    recording = record(folder, python, "", library)
    assert functions(recording, library) == NAMES and note_of(recording, library) is None
    assert recording.sql("SELECT count(*) FROM file WHERE path LIKE '%/library.c'") == [(1,)]


def test_a_path_from_the_folder(python, folder, build_library):
    """Also when the program has gone elsewhere since."""
    library = build_library("libnear.so")
    recording = record(folder, python, "os.chdir('/')", "./libnear.so")
    assert functions(recording, library) == NAMES


@pytest.mark.parametrize("way", ["os.unlink(path)", "os.replace(path + '.new', path)"], ids=["deleted", "replaced"])
def test_a_file_that_lost_its_name(python, folder, build_library, way):
    library = build_library("libgone.so")
    build_library("libgone.so.new", hidden="impostor")
    shutil.copy(library, folder / "kept")
    # Who may not open what the kernel still has sees addresses, and is told why.
    recording = record(folder, python, way, library, **as_nobody())
    assert_missing(recording, library, "its file was deleted or replaced after it was loaded")
    shutil.copy(folder / "kept", library)
    build_library("libgone.so.new", hidden="impostor")
    if os.geteuid() == 0:
        recording = record(folder, python, way, library, options=["-f"])
        assert functions(recording, library) == NAMES


def test_a_file_that_may_not_be_read(python, folder, build_library):
    library = build_library("libclosed.so")
    if os.geteuid() == 0:
        os.chown(library, NOBODY, NOBODY)
    recording = record(folder, python, "os.chmod(path, 0)", library, **as_nobody())
    assert_missing(recording, library, "its file could not be opened")


@pytest.mark.parametrize("way", ["", "os.replace(path + '.new', path)"], ids=["stays", "replaced"])
def test_a_process_that_is_gone(python, folder, build_library, way):
    """The collector comes to read when there is nobody left to be asked."""
    library = build_library("libpast.so")
    build_library("libpast.so.new", hidden="impostor")
    text = f"print(os.getpid(), flush=True)\nsys.stdin.readline()\n{way}\n"
    source = harness.Program.write(folder, textwrap.dedent(HEAD) + text + CALL).path
    file = folder / "run.heapline"
    process = harness.start([BUILD / "heapline", "run", "--native", "-q", "-o", file, python.path, source, library])
    pid = int(process.stdout.readline())
    collector = harness.collector_of(process.pid)
    os.kill(collector, signal.SIGSTOP)
    descriptor = os.pidfd_open(pid)
    process.stdin.write("\n")
    process.stdin.close()
    assert select.select([descriptor], [], [], harness.TIME_LIMIT)[0]
    os.close(descriptor)
    os.kill(collector, signal.SIGCONT)
    assert process.wait(harness.TIME_LIMIT) == 0
    recording = harness.Recording(file)
    if way:
        assert_missing(recording, library, "its file is another one than was loaded")
    else:
        assert functions(recording, library) == NAMES


def test_a_process_with_files_of_its_own(python, folder, build_library):
    """In a container a path means what it means there."""
    if os.geteuid() != 0 or run(["unshare", "--mount", "true"]).status:
        pytest.skip("this needs a mount namespace")
    library = build_library("outside/libinner.so", hidden="impostor")
    build_library("inside/libinner.so")
    mount = f"mount --bind {folder}/inside {folder}/outside && exec \"$@\""
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", python.path, write(folder, ""), library]
    recording = harness.record(command, folder / "run.heapline", ["--native"], cwd=folder)
    assert functions(recording, library) == NAMES


def test_a_file_that_is_written_over(python, folder, build_library):
    """What it was called before stays; from then on it is another one."""
    library = build_library("libchanged.so")
    change = """
    library.early(70_002)
    for _ in range(60_000): bytearray(9)
    with open(path, "ab") as file:
        file.write(b"x")
    """
    recording = record(folder, python, change, library)
    rows = [row["stack"][-1]["function"] for row in recording.rows("exit", "stack", ["malloc"]) if row["bytes"] == 70_002]
    assert rows == ["early"]
    assert_missing(recording, library, "its file has been changed")


# --- debug information ---------------------------------------------------------------------------

def functions_and_note(python, folder, library):
    recording = record(folder, python, "", library)
    return functions(recording, library), note_of(recording, library)


def test_debug_information_in_a_file_of_its_own(python, folder, build_library):
    library = build_library("libsplit.so")
    debug = split(library)
    assert functions_and_note(python, folder, library) == (NAMES, None)
    debug.rename(folder / "elsewhere")
    names, note = functions_and_note(python, folder, library)
    assert names[0] == "allocate" and are_offsets(names[1:], library)
    assert note == "the file with its debug information was not found"
    # Another build's, under the name that the link has.
    other = build_library("libother.so", hidden="impostor")
    subprocess.run(["objcopy", "--only-keep-debug", other, debug], check=True)
    names, note = functions_and_note(python, folder, library)
    assert names[0] == "allocate" and are_offsets(names[1:], library)
    assert note == "a debug file that was found is of another build"


@WITH_ID
def test_without_debug_information(python, folder, build_library):
    """The symbol table has names and no lines."""
    library = build_library("libplain.so")
    subprocess.run(["strip", "--strip-debug", library], check=True)
    assert functions_and_note(python, folder, library) == (NAMES, "it has no debug information")
    text = run([BUILD / "heapline", "report", "--at", "exit", "-n", "0", folder / "run.heapline"], check=0).out
    assert "libplain.so hidden" in text and "Names are missing for libplain.so" not in text
    subprocess.run(["strip", library], check=True)
    names, note = functions_and_note(python, folder, library)
    assert names[0] == "allocate" and are_offsets(names[1:], library)
    assert note == "it has no debug information"
    text = run([BUILD / "heapline", "report", "--at", "exit", "-n", "0", folder / "run.heapline"], check=0).out
    assert "Names are missing for libplain.so: it has no debug information." in text


@WITH_ID
@pytest.mark.parametrize("section", [".debug_info", ".debug_abbrev"])
def test_damaged_debug_information(python, folder, build_library, section):
    library = build_library("libbroken.so")
    (folder / "garbage").write_bytes(bytes(range(255, 0, -1)) * 40)
    subprocess.run(["objcopy", "--update-section", f"{section}={folder}/garbage", library], check=True)
    names, note = functions_and_note(python, folder, library)
    assert names == NAMES
    assert note in ("its debug information is damaged or too large", "its debug information could not be read")
    files = harness.Recording(folder / "run.heapline").sql("SELECT path FROM file WHERE path LIKE '%library.c'")
    assert files == []


# --- while names are looked up -------------------------------------------------------------------


def test_time_goes_on_while_names_are_looked_up(python, folder, build_library):
    """Whoever reads the symbols does not answer: the program does not wait, and its clock moves."""
    library = build_library("libslow.so")
    source = write(
        folder,
        """
    for _ in range(60_000): bytearray(9)  # the collector has begun
    import time
    print(os.getpid(), flush=True)
    sys.stdin.readline()
    library.allocate(70_002)
    begun = time.monotonic()
    while time.monotonic() - begun < 0.2:
        pass
    library.allocate(70_003)
    print("done", flush=True)
    sys.stdin.readline()
    """,
    )
    file = folder / "run.heapline"
    process = harness.start([BUILD / "heapline", "run", "--native", "-q", "-o", file, python.path, source, library])
    process.stdout.readline()
    collector = harness.collector_of(process.pid)
    (worker,) = [pid for pid in harness.descendants(collector) if not harness.descendants(pid)]
    os.kill(worker, signal.SIGSTOP)
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"
    os.kill(worker, signal.SIGCONT)
    process.stdin.close()
    assert process.wait(harness.TIME_LIMIT) == 0
    recording = harness.Recording(file)
    query = "SELECT size, time FROM events WHERE size IN (70002, 70003) AND kind = 'allocation'"
    rows = run([BUILD / "heapline", "sql", "--json", file, query], check=0).json
    times = {row["size"]: row["time"] for row in rows}
    assert times[70_003] - times[70_002] > 0.15
    assert functions(recording, library) == NAMES
