"""Fixtures of the whole-program tests: the interpreters, and recording a program on each."""

import itertools
import subprocess
import tempfile
import zlib
from pathlib import Path

import design
import harness
import interpreters
import native_library
import pytest


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="the full cross of interpreters, builds and parameters")


def pytest_configure(config):
    harness.as_from_a_terminal()


def pytest_collection_modifyitems(config, items):
    if not config.getoption("full"):
        items[:], spared = design.divided(items)
        config.hook.pytest_deselected(items=spared)


@pytest.fixture(params=interpreters.NAMES)
def interpreter(request):
    """Each CPython at hand in turn."""
    return require(request.param)


@pytest.fixture
def python():
    """One CPython, for what does not depend on its version."""
    return require("debian")


def require(name):
    found = interpreters.find(name)
    if found is None:
        pytest.skip(f"no CPython at hand that is {name}")
    return found


@pytest.fixture
def program(tmp_path):
    """Writes a program's source into a file of the test's own folder."""

    def write(source, name="program.py"):
        return harness.Program.write(tmp_path, source, name)

    return write


@pytest.fixture(params=["plain", "check"])
def edition(request):
    """The build, and the one whose shim walks every stack a second time, in full, and aborts the
    program at the first difference. Whatever is recorded is recorded under both."""
    return harness.BUILD if request.param == "plain" else check_build()


def check_build():
    if not (harness.BUILD / "check" / "libheapline.so").exists():
        pytest.skip("there is no check build: ./dev test makes it")
    return harness.BUILD / "check"


# Whose recordings are of what a history or slices say: each of them is held against its sums.
OF_HISTORY = ("test_history", "test_inheritance", "test_models", "test_moments", "test_slices", "test_sum")


def is_verified(request):
    """Of the other tests one in three, the same ones each time."""
    return (
        request.config.getoption("full")
        or request.node.path.stem in OF_HISTORY
        or zlib.crc32(request.node.name.encode()) % 3 == 0
    )


def verified(recording):
    """Its history, or its slices, must say what its sums say."""
    if recording.file.exists():
        harness.run([harness.BUILD / "heapline", "check", "--verify", recording.file], check=0)
    return recording


@pytest.fixture
def record(tmp_path, edition, request):
    """record(interpreter, program, *args): runs it under heapline; see harness.record()."""

    look = verified if is_verified(request) else lambda recording: recording
    recorded = itertools.count(1)

    def record(interpreter, program, *args, flags=(), file=None, **options):
        if file is None:  # recordings are read late: each has a file of its own
            number = next(recorded)
            file = "run.heapline" if number == 1 else f"run-{number}.heapline"
        command = [interpreter.path, *flags, program, *args]
        options.setdefault("cwd", tmp_path)
        options.setdefault("build", edition)
        return look(harness.record(command, tmp_path / file, **options))

    return record


@pytest.fixture
def bare(tmp_path):
    """bare(interpreter, program, *args): runs it without heapline."""

    def bare(interpreter, program, *args, flags=(), status=0, **options):
        options.setdefault("cwd", tmp_path)
        return harness.run([interpreter.path, *flags, program, *args], check=status, **options)

    return bare


def compile_command(source, output, flags):
    if source.suffix == ".rs":
        return ["rustc", "--edition=2021", "--crate-type=cdylib", "-g", "-O", "-D", "warnings", *flags, "-o", output, source]
    compiler = "g++" if source.suffix == ".cpp" else "gcc"
    return [compiler, "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-o", output, source, *flags, "-pthread", "-ldl"]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """compiled(name, output, flags): a program or library of tests/programs in C, C++ or Rust, built
    once a session."""
    folder = tmp_path_factory.mktemp("compiled")
    built = {}

    def build(source, output, *flags):
        key = (source, output, flags)
        if key not in built:
            path = folder / f"{len(built)}" / output
            path.parent.mkdir()
            command = compile_command(harness.PROGRAMS / source, path, flags)
            subprocess.run([str(word) for word in command], check=True)
            built[key] = path
        return built[key]

    return build


@pytest.fixture(scope="session")
def native(compiled):
    """The library that the programs load with ctypes, as the variable NATIVE names it to them."""
    return compiled("native.c", "libnative.so", "-shared", "-fPIC")


@pytest.fixture
def with_native(native):
    return harness.environment(NATIVE=native)


@pytest.fixture
def folder():
    """One that every user can reach, and write in."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        folder.chmod(0o777)
        yield folder


@pytest.fixture(params=["--build-id", "--build-id=none"])
def build_library(request, folder):
    """build_library(name, hidden): a library whose hidden function has this name."""

    def build(name, hidden="hidden"):
        return native_library.compile_library(folder, name, "-g", f"-Wl,{request.param}", hidden=hidden)

    return build


@pytest.fixture(autouse=True)
def nothing_is_left_running():
    yield
    harness.end_started()


@pytest.fixture(scope="session", autouse=True)
def programs_are_built():
    for name in ("heapline", "heaplined", "libheapline.so"):
        if not (harness.BUILD / name).exists():
            pytest.exit(f"{harness.BUILD / name} is missing: ./dev build makes it", 1)


def pytest_report_header(config):
    found = [f"{name} ({i.version_text})" for name in interpreters.NAMES if (i := interpreters.find(name))]
    absent = [name for name in interpreters.NAMES if interpreters.find(name) is None]
    return ["CPythons: " + ", ".join(found), "not at hand: " + (", ".join(absent) or "none")]
