"""Where names of native functions come from beside the libraries: earlier runs, and servers."""

import os
import shutil
import subprocess

import harness
import pytest
from harness import BUILD, run
from native_library import NAMES, WITH_ID, are_offsets, build_id, functions, note_of, record, split, write
from test_daemon import Daemon

pytestmark = pytest.mark.of_readers


def cached(folder, library):
    """Its file in the cache."""
    return folder / "cache" / "heapline" / "symbols" / build_id(library)


def with_cache(folder, **more):
    return harness.environment(XDG_CACHE_HOME=folder / "cache", **more)


@WITH_ID
def test_a_second_run_knows_the_names(python, folder, build_library):
    library = build_library("libknown.so")
    debug = split(library)
    first = record(folder, python, "", library, env=with_cache(folder))
    assert functions(first, library) == NAMES
    assert cached(folder, library).stat().st_mode & 0o777 == 0o600
    # What only the cache can know by now.
    debug.unlink()
    second = record(folder, python, "", library, env=with_cache(folder))
    assert functions(second, library) == NAMES
    assert second.sql("SELECT count(*) FROM file WHERE path LIKE '%/library.c'") == [(1,)]
    shutil.rmtree(folder / "cache")
    third = record(folder, python, "", library, env=with_cache(folder))
    assert third.rows("exit", "stack") and are_offsets(functions(third, library)[1:], library)


@WITH_ID
def test_a_cache_of_another_build(python, folder, build_library):
    """A file in the cache is looked at before it is believed."""
    library, other = build_library("libone.so"), build_library("libother.so", hidden="impostor")
    record(folder, python, "", other, env=with_cache(folder))
    shutil.copy(cached(folder, other), folder / "taken")
    record(folder, python, "", library, env=with_cache(folder))
    for damage in (lambda data: (folder / "taken").read_bytes(), lambda data: data[:50], lambda data: data[:-1] + b"x"):
        file = cached(folder, library)
        file.write_bytes(damage(file.read_bytes()))
        assert functions(record(folder, python, "", library, env=with_cache(folder)), library) == NAMES


@WITH_ID
@pytest.mark.parametrize("cache", ["a file", "none"])
def test_a_cache_that_cannot_be_written(python, folder, build_library, cache):
    library = build_library("libfree.so")
    changes = {"XDG_CACHE_HOME": folder / "cache"}
    if cache == "a file":
        (folder / "cache").write_text("")
    else:
        changes = {"XDG_CACHE_HOME": None, "HOME": None}
    recording = record(folder, python, "", library, env=harness.environment(**changes))
    assert functions(recording, library) == NAMES
    assert (recording.err.count("heapline: "), "cache" in recording.err) == (3, False)


# --- servers -------------------------------------------------------------------------------------


def has_library():
    return run(["sh", "-c", "ldconfig -p | grep -q libdebuginfod.so.1"]).status == 0


@pytest.fixture
def server(folder):
    """server(library): serves the library's debug information, which is nowhere else; the variables."""
    if not has_library():
        pytest.skip("libdebuginfod is not installed")

    def serve(library):
        place = folder / "server" / "buildid" / build_id(library) / "debuginfo"
        place.parent.mkdir(parents=True)
        split(library).rename(place)
        return {"DEBUGINFOD_URLS": f"file://{folder}/server", "DEBUGINFOD_CACHE_PATH": folder / "downloads"}

    return serve


@WITH_ID
def test_debug_information_from_a_server(python, folder, build_library, server):
    library = build_library("libserved.so")
    variables = server(library)
    recording = record(folder, python, "", library, env=with_cache(folder, **variables))
    assert are_offsets(functions(recording, library)[1:], library)  # nobody has asked for it
    assert note_of(recording, library) == "the file with its debug information was not found"
    command = harness.heapline_run([python.path, folder / "program.py", library], folder / "run.heapline", ["-f", "--debuginfod"])
    run(command, with_cache(folder, **variables), check=0, cwd=folder)
    recording = harness.Recording(folder / "run.heapline")
    assert functions(recording, library) == NAMES and note_of(recording, library) is None
    notes = {module["note"] for module in recording.report("exit")["modules"]}
    assert "no server has its debug information" in notes
    # The next time it is in the cache.
    shutil.rmtree(folder / "server")
    shutil.rmtree(folder / "downloads")
    run(command, with_cache(folder, **variables), check=0, cwd=folder)
    recording = harness.Recording(folder / "run.heapline")
    assert functions(recording, library) == NAMES and note_of(recording, library) is None


@WITH_ID
def test_a_daemon_asks_servers(python, folder, build_library, server):
    library = build_library("libserved.so")
    variables = server(library)
    daemon = Daemon(folder, "--debuginfod", listen=("unix",), variables=variables)
    command = [python.path, write(folder, ""), library]
    run([BUILD / "heapline", "run", "--native", "--daemon", daemon.socket, *command], check=0, cwd=folder)
    daemon.await_event("run_ends")
    (file,) = daemon.folder.iterdir()
    assert functions(harness.Recording(file), library) == NAMES
    daemon.end()


def test_when_no_server_can_be_asked(python, folder):
    words = [BUILD / "heapline", "run", "--debuginfod", "-o", folder / "run.heapline", python.path, "-c", "print('runs')"]
    ran = run(words, harness.environment(DEBUGINFOD_URLS=None))
    assert (ran.status, ran.out) == (125, "") and "set DEBUGINFOD_URLS" in ran.err
    assert os.listdir(folder) == []
    ran = run([BUILD / "heaplined", "--debuginfod", "--output", folder, "--listen", f"unix:{folder}/s"], harness.environment(DEBUGINFOD_URLS=" "))
    assert ran.status == 2 and "set DEBUGINFOD_URLS" in ran.err
    ran = run([*words[:3], "--daemon", "unix:/nowhere", "true"], harness.environment(DEBUGINFOD_URLS="file:///"))
    assert ran.status == 125 and "heaplined --debuginfod" in ran.err
