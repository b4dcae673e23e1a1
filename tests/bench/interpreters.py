"""The interpreters under test, each with a private folder of packages.

3.12 and 3.13 are pyenv's, or whichever pythonX.Y the PATH finds. 3.14 comes from a newer Debian
that tests/newer-pythons unpacked into the cache folder and adapted to run without chroot; one that
is unpacked but not adapted is started by its own loader. The packages are put with `pip --target`
into CACHE/bench-VERSION and reach the interpreter by PYTHONPATH: one way for all of them.
"""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

DEFAULT_VERSIONS = ("3.12", "3.13", "3.14")
REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"
FIXED_VARIABLES = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
INHERITED_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR")


def cache_folder():
    named = os.environ.get("HEAPLINE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "heapline"


@dataclass(frozen=True)
class Interpreter:
    version: str  # "3.12"
    command: tuple  # the words that start it
    packages: Path

    @property
    def benchmarks(self):
        return self.packages / "pyperformance" / "data-files" / "benchmarks"

    @property
    def environment(self):
        """A small, fixed environment, so that no setting of the caller's changes the program."""
        kept = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
        return {**kept, **FIXED_VARIABLES, "PYTHONPATH": str(self.packages)}

    def ask(self, code):
        """What one line of Python prints."""
        command = [*self.command, "-c", code]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    def versions(self):
        names = ("memray", "numpy", "pyperformance", "pyperf")
        code = "import sys, importlib.metadata as data; print(sys.version.split()[0], *map(data.version, %r))"
        return dict(zip(("python", *names), self.ask(code % (names,)).split()))


def _pyenv_candidates(version):
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    patches = sorted(
        (root / "versions").glob(f"{version}.[0-9]*"),
        key=lambda folder: [int(part) for part in folder.name.split(".") if part.isdigit()],
    )
    return [(str(folder / "bin" / "python"),) for folder in reversed(patches)]


def _path_candidates(version):
    found = shutil.which(f"python{version}")
    return [(found,)] if found else []


def _debian_candidates(version):
    root = cache_folder() / "debian-sid"
    programs = root / "usr" / "bin"
    candidates = [(str(programs / f"heapline-python{version}"),)]
    libraries = ":".join(str(path) for path in sorted((root / "usr" / "lib").glob("*-linux-gnu")))
    for loader in sorted((root / "lib64").glob("ld-linux-*.so.*")):
        candidates.append((str(loader), "--library-path", libraries, str(programs / f"python{version}")))
    return candidates


def _is_version(command, version):
    """Whether it starts and is what its name says: a pyenv shim may do neither."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([*command, "-c", code], capture_output=True, text=True)
    except OSError:
        return False
    return done.stdout.strip() == version


def find(version):
    """The interpreter of this version, or None."""
    candidates = _pyenv_candidates(version) + _path_candidates(version) + _debian_candidates(version)
    for command in candidates:
        if _is_version(command, version):
            return Interpreter(version, command, cache_folder() / f"bench-{version}")
    return None


def _has_pip(command):
    probe = [*command, "-m", "pip", "--version"]
    return subprocess.run(probe, capture_output=True).returncode == 0


def _pip_command(interpreter):
    """The interpreter's own pip, or another one told which version to install for."""
    if _has_pip(interpreter.command):
        return [*interpreter.command, "-m", "pip"], []
    others = [other.command for other in map(find, DEFAULT_VERSIONS) if other]
    for command in [*others, ("python3",)]:
        if _has_pip(command):
            return [*command, "-m", "pip"], ["--python-version", interpreter.version]
    raise SystemExit("no interpreter with pip: install python3-pip")


def _compile_packages(interpreter):
    subprocess.run(
        [*interpreter.command, "-m", "compileall", "-q", str(interpreter.packages)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )


def prepare(interpreter, renew=False):
    """Fills the interpreter's folder of packages, once for each text of requirements.txt."""
    stamp = interpreter.packages / ".requirements"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not renew and stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"installing the benchmarks' packages for {interpreter.version} into {interpreter.packages}")
    shutil.rmtree(interpreter.packages, ignore_errors=True)
    pip, choice = _pip_command(interpreter)
    options = ["--quiet", "--disable-pip-version-check", "--no-compile", "--only-binary", ":all:"]
    target = ["--target", str(interpreter.packages), "--requirement", str(REQUIREMENTS)]
    quiet = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    subprocess.run([*pip, "install", *options, *choice, *target], env=quiet, check=True)
    _compile_packages(interpreter)
    stamp.write_text(wanted)
