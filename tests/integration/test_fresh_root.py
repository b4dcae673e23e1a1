"""Packages on a system that has nothing else of heapline's: installed as a user does, used, taken away."""

import gzip
import re
import zipfile
from pathlib import Path

import consumers
import pytest
from fresh_root import Root
from harness import REPOSITORY
from installed import PROGRAM, assert_numbers, assert_works, package
from interpreters import SID

APP, FILE, PYTHON = "/home/app.py", "/home/app.heapline", "/usr/bin/python3"
NO_LIBUNWIND = "heapline: libunwind 8 is missing (Debian: libunwind8): native frames are not recorded\n"

# The daemon's first line says that it listens.
TO_A_DAEMON = """
mkfifo /home/log
mkdir /home/recordings
exec 3<>/home/log
"$1" --output /home/recordings --listen unix:/home/socket 2>&3 &
read -r line <&3
shim=$2
shift 2
LD_PRELOAD=$shim HEAPLINE_DAEMON=unix:/home/socket HEAPLINE_NATIVE=1 "$@"
kill "$!"
wait "$!"
"""


@pytest.fixture
def root(folder):
    yield Root(folder)
    assert str(folder) not in Path("/proc/mounts").read_text()


def native_frames(heapline, lines):
    """Those below the line `block`, in a recording of PROGRAM with --native."""
    rows = heapline("report", "--json", "-n", "9", "--by", "stack", FILE).json["rows"]
    (stack,) = [row["stack"] for row in rows if (row["bytes"], row["blocks"]) == (1_000_000, 1)]
    assert (stack[0]["file"], stack[0]["line"]) == (APP, lines["block"])
    return stack[1:]


def test_debian_package(root):
    """apt installs it with what it depends on, and purges it; between the two it works."""
    if not list(SID.glob("var/cache/apt/archives/libdw1*.deb")):
        pytest.skip("what the package depends on has not been downloaded: ./dev test does that, with a network")
    lines = root.program(PROGRAM, APP)
    lacking = {"libdw.so.1", "libelf.so.1", "libjansson.so.4", "libunwind-x86_64.so.8"}
    assert not lacking & root.libraries()
    root.put(package("*.deb"), "/home/heapline.deb")
    root.run("apt-get", "install", "-y", "/home/heapline.deb")
    assert lacking <= root.libraries()
    assert root.run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", "heapline").out == "ii "
    assert root.run("dpkg", "--verify", "heapline").out == ""
    files = root.run("dpkg", "-L", "heapline").out.split()

    def heapline(*words):
        return root.run("heapline", *words)

    told = assert_works(heapline, PYTHON, lines, APP, FILE)
    assert told["shim"]["text"] == "/usr/lib/x86_64-linux-gnu/heapline/libheapline.so"
    assert heapline("run", "--native", "-q", "-f", "-o", FILE, PYTHON, APP).err == ""
    assert native_frames(heapline, lines)
    events = heapline("sql", FILE, "SELECT count(*) FROM events").out
    assert int(events.split()[-1]) > 1000
    assert root.run("bash", "-c", ". /usr/share/bash-completion/completions/heapline; complete -p heapline").out
    page = root.layer / "usr/share/man/man1/heapline.1.gz"
    assert gzip.decompress(page.read_bytes()) == (REPOSITORY / "docs/heapline.1").read_bytes()

    root.run("apt-get", "purge", "-y", "heapline")
    assert [file for file in files if "heapline" in file and root.has(file)] == []
    assert root.run("dpkg-query", "-W", "heapline", check=None).status == 1


@pytest.fixture
def uvx(root):
    """uvx(*words): heapline from the wheel, by uvx, in a root that has none of the libraries that
    are in the wheel, but for those of which its Python is made."""
    wheel, programs = package("*.whl"), consumers.uv()
    with zipfile.ZipFile(wheel) as archive:
        brought = set(re.findall(r"/lib/heapline/(\S+\.so\.\S+)", "\n".join(archive.namelist())))
    assert {"libsqlite3.so.0", "libzstd.so.1", "libdw.so.1", "libelf.so.1", "libjansson.so.4"} <= brought
    of_python = set(re.findall(r"^\t(\S+) =>", root.run("ldd", PYTHON).out, re.M))
    for name in brought - of_python:
        stem = name.split(".so.")[0]  # by that name ldconfig would make the others anew
        root.run("find", "/usr/lib", "-name", f"{stem}.so*", "-delete")
    root.run("ldconfig")
    assert brought & root.libraries() <= of_python <= {"libc.so.6", "libm.so.6", "libz.so.1", "libexpat.so.1"}
    for program in ("uv", "uvx"):
        root.put(programs / program, f"/usr/local/bin/{program}")
    root.put(wheel, f"/home/{wheel.name}")

    def uvx(*words, **changes):
        return root.run(
            "uvx", "--quiet", "--offline", "--from", f"/home/{wheel.name}", "heapline", *words,
            UV_PYTHON=PYTHON, UV_PYTHON_DOWNLOADS="never", **changes
        )  # fmt: skip

    return uvx


def test_wheel(root, uvx):
    """It is all that is needed, but for native frames: without libunwind one line says what is
    missing, however many processes there are, and the program runs and is recorded all the same."""
    lines = root.program(PROGRAM, APP)
    told = assert_works(uvx, PYTHON, lines, APP, FILE)
    shim = told["shim"]["text"]
    assert shim.endswith("/lib/heapline/libheapline.so")
    assert "libunwind8" in told["libunwind"]["advice"]
    assert "libunwind-x86_64.so.8" not in root.libraries()
    twice = ["sh", "-c", f"{PYTHON} {APP} && {PYTHON} {APP}"]
    ran = uvx("run", "--native", "-q", "-f", "-o", FILE, *twice)
    assert (ran.out, ran.err) == ("done\ndone\n", NO_LIBUNWIND)
    assert_numbers(uvx, FILE, lines, APP)
    programs = Path(shim).parents[2] / "bin"
    for program in ("heapline", "heaplined"):  # libraries that Python has too are the wheel's all the same
        found = re.findall(r"^\t(\S+) => (\S+)", root.run("ldd", programs / program).out, re.M)
        elsewhere = {name for name, path in found if Path(path).parent.resolve() != Path(shim).parent}
        assert elsewhere <= {"libc.so.6", "libm.so.6"} and len(found) > 2
    ran = root.run("sh", "-euc", TO_A_DAEMON, "sh", programs / "heaplined", shim, *twice)
    assert (ran.out, ran.err) == ("done\ndone\n", 2 * NO_LIBUNWIND)  # one for each process of Python
    assert len(list((root.layer / "home/recordings").glob("*.heapline"))) == 1
