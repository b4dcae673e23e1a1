"""The programs that open what heapline exports, one that installs it, and packages with native code that
it records, in the versions that the suite is held to.

Each is fetched once, by its registry's own client, into the folder that the suite keeps between
runs. Where there is no network, and only there, the tests that need it are skipped.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import urllib.error
import urllib.request

import pytest
from harness import PROGRAMS, environment, run
from interpreters import CACHE

PPROF = "github.com/google/pprof@v0.0.0-20240727154555-813a5fbdbec8"  # the last that Go 1.19 builds
SPEEDSCOPE = "speedscope@1.25.0"
MPROF = ("memory_profiler==0.61.0", "psutil==7.1.3", "matplotlib==3.10.7", "numpy==2.3.5")
MEMRAY = ("memray==1.20.0",)
NATIVE = ("orjson==3.13.0", "msgpack==1.2.4", "kiwisolver==1.5.1", "numpy==2.3.5")
UV = ("uv==0.13.8",)

FOLDER = CACHE / "consumers"
PYTHON = "/usr/bin/python3"

GO_PROXY = "https://proxy.golang.org/"
NPM_REGISTRY = "https://registry.npmjs.org/"
PYPI = "https://pypi.org/simple/"


def is_reachable(registry):
    try:
        with urllib.request.urlopen(registry, timeout=20):
            return True
    except urllib.error.HTTPError:  # it has answered
        return True
    except OSError:
        return False


@contextlib.contextmanager
def alone(name):
    """One worker of the suite at a time fetches it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fetched(what, registry, command):
    """The folder with `what`, a name with its version; command(folder) fills it."""
    name = what.replace("/", "-")
    folder = FOLDER / name
    with alone(name):
        if folder.exists():
            return folder
        part = tempfile.mkdtemp(dir=FOLDER)
        argv, changes = command(part)
        if shutil.which(argv[0]) is None:
            pytest.fail(f"{argv[0]} is missing, which fetches {what}: ./dev test installs it")
        got = run(argv, environment(XDG_CACHE_HOME=None, **changes), cwd=part)
        if got.status == 0:
            os.rename(part, folder)
            return folder
        shutil.rmtree(part)
        if is_reachable(registry):
            pytest.fail(f"{what} could not be fetched: {got.out}{got.err}")
        pytest.skip(f"{what} is not at hand, and there is no network to fetch it")


def pprof():
    return fetched(PPROF, GO_PROXY, lambda part: (["go", "install", PPROF], {"GOBIN": part})) / "pprof"


def speedscope(*files):
    """What speedscope's own importer makes of the files; see the script."""
    command = ["npm", "install", "--prefix", ".", "--no-audit", "--no-fund", "--ignore-scripts", SPEEDSCOPE]
    folder = fetched(SPEEDSCOPE, NPM_REGISTRY, lambda part: (command, {}))
    release = folder / "node_modules/speedscope/dist/release"
    return run(["node", PROGRAMS / "consumers/speedscope.js", release, *files], check=0).json


def from_pypi(*wanted):
    command = [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted]
    return fetched(wanted[0], PYPI, lambda part: ([*command, "--target", part], {}))


def uv():
    """The folder of the programs uv and uvx."""
    return from_pypi(*UV) / "bin"


def packages(*wanted):
    """The environment in which PYTHON has these packages."""
    folder = from_pypi(*wanted)
    return environment(PYTHONPATH=folder, MPLBACKEND="Agg", MPLCONFIGDIR=folder)
