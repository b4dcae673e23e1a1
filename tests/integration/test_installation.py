"""The Debian package and the wheel: installed, used, and taken away again; and the manual."""

import gzip
import re
import shutil
import subprocess
import zipfile

import consumers
import harness
import pytest
from harness import BUILD, REPOSITORY, run
from installed import PROGRAM, assert_numbers, assert_works, package

DOCS = REPOSITORY / "docs"


def worked(heapline, python, program, folder):
    """What the doctor says of a heapline that does what it must; see assert_works()."""
    source = program(PROGRAM)
    file = folder / "installed.heapline"
    return assert_works(lambda *words: run([heapline, *words], check=0), python, source.lines, str(source), file)


@pytest.fixture
def dpkg(tmp_path):
    """dpkg with a fresh root, and a copy of this system's database to look for dependencies in."""
    database, root = tmp_path / "database", tmp_path / "root"
    for name in ("info", "updates", "triggers"):
        (database / name).mkdir(parents=True)
    shutil.copy("/var/lib/dpkg/status", database)
    root.mkdir()
    command = ["dpkg", f"--admindir={database}", f"--instdir={root}", "--force-not-root", "--no-triggers"]

    def dpkg(*arguments):
        return run([*command, "--log=/dev/null", *arguments], harness.environment(PATH=PATH), check=0)

    return dpkg, root


PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def files_of(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_debian_package(dpkg, python, program, tmp_path):
    dpkg, root = dpkg
    dpkg("-i", package("*.deb"))
    files = files_of(root)
    manuals = {f"usr/share/man/man{page.suffix[1:]}/{page.name}.gz" for page in DOCS.glob("*.[1-9]")}
    assert files == manuals | {
        "usr/bin/heapline",
        "usr/bin/heaplined",
        "usr/lib/x86_64-linux-gnu/heapline/heapline_events.so",
        "usr/lib/x86_64-linux-gnu/heapline/libheapline.so",
        "usr/share/bash-completion/completions/heapline",
        "usr/share/doc/heapline/copyright",
        "usr/share/fish/vendor_completions.d/heapline.fish",
        "usr/share/zsh/site-functions/_heapline",
    }
    told = worked(root / "usr/bin/heapline", python.path, program, tmp_path)
    assert told["shim"]["text"] == str(root / "usr/lib/x86_64-linux-gnu/heapline/libheapline.so")
    page = root / "usr/share/man/man1/heapline.1.gz"
    assert gzip.decompress(page.read_bytes()) == (DOCS / "heapline.1").read_bytes()
    dpkg("--purge", "heapline")
    assert files_of(root) == set()


def test_what_the_debian_package_depends_on():
    """Each library by the package that it is from; libiberty is in it."""
    told = run(["dpkg-deb", "-f", package("*.deb"), "Depends"], check=0).out
    named = {re.split(r"[ :(]", part.strip())[0] for part in told.split(",")}
    assert {"libc6", "libdw1", "libelf1", "libjansson4", "libsqlite3-0", "libzstd1"} <= named
    assert not any("dev" in name for name in named)
    assert run(["dpkg-deb", "-f", package("*.deb"), "Recommends"], check=0).out.strip() == "libunwind8"


def test_wheel(program, tmp_path):
    import interpreters

    python = interpreters.find("3.12") or interpreters.find("3.11")
    if python is None:
        pytest.skip("no CPython at hand that can make a virtual environment")
    venv = tmp_path / "venv"
    run([python.path, "-m", "venv", venv], check=0)
    before = files_of(venv)
    pip = [venv / "bin/python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    run([*pip, "install", "--no-index", "--no-compile", package("*.whl")], check=0)
    assert run([venv / "bin/python", "-c", "import heapline"]).status == 1  # there is nothing to import
    told = worked(venv / "bin/heapline", venv / "bin/python", program, tmp_path)
    assert told["shim"]["text"] == str(venv.resolve() / "lib/heapline/libheapline.so")
    run([*pip, "uninstall", "-y", "heapline"], check=0)
    left = {name for name in files_of(venv) if "__pycache__" not in name}
    assert left == {name for name in before if "__pycache__" not in name}


def test_uvx(python, program, tmp_path):
    """As the README has it, for a script that is not executable; nothing is left outside uv's folders."""
    source = program(PROGRAM, "app.py")
    programs = consumers.uv()
    env = harness.environment(
        PATH=f"{programs}:{PATH}",
        HOME=tmp_path / "home",
        UV_CACHE_DIR=tmp_path / "cache",
        UV_TOOL_DIR=tmp_path / "tools",
        UV_PYTHON=python.path,
        UV_PYTHON_DOWNLOADS="never",
        UV_OFFLINE="1",
    )

    def heapline(*words):
        return run(["uvx", "--quiet", "--from", package("*.whl"), "heapline", *words], env, check=0, cwd=tmp_path)

    ran = heapline("run", "app.py")
    (file,) = tmp_path.glob("app.*.heapline")
    assert "peak" in ran.err and file.name in ran.err
    assert_numbers(heapline, file, source.lines, str(source))
    assert {path.name for path in tmp_path.iterdir()} <= {"app.py", file.name, "cache", "tools"}


def test_libraries_in_the_wheel(tmp_path):
    """What the programs load is in the wheel or part of the C library, no newer than the tag says."""
    wheel = package("*.whl")
    tag = re.fullmatch(r"heapline-[\d.]+-py3-none-manylinux_2_(\d+)_x86_64\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    (data,) = tmp_path.glob("*.data")
    own = data / "data/lib/heapline"
    newest = 0
    for path in [*data.glob("scripts/*"), *own.iterdir()]:
        told = run(["readelf", "-d", "-V", path], check=0).out
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", told))
        of_the_system = {name for name in needed if re.match(r"lib(c|m)\.so\.6|ld-linux-x86-64", name)}
        assert all((own / name).exists() for name in needed - of_the_system), path
        newest = max([newest, *(int(minor) for minor in re.findall(r"GLIBC_2\.(\d+)", told))])
    assert newest == int(tag[1])
    (about,) = tmp_path.glob("*.dist-info")
    licences = {path.name for path in (about / "licenses").iterdir()}
    assert {"heapline", "libiberty-dev", "libdw1", "libsqlite3-0"} <= licences


# --- the manual ---


def commands():
    text = run([BUILD / "heapline", "--help"], check=0).out
    return [line.split()[0] for line in text.split("Commands:\n")[1].split("\n\n")[0].splitlines()]


def test_each_command_has_a_page():
    pages = {page.name for page in DOCS.glob("*.[1-9]")}
    assert pages == {f"heapline-{name}.1" for name in commands()} | {"heapline.1", "heaplined.1", "libheapline.7"}
    about = (DOCS / "heapline.1").read_text()
    for name in commands():
        assert f"heapline\\-{name} (1)" in about, name


@pytest.mark.parametrize("command", commands())
def test_a_page_tells_each_option(command):
    """What the help lists stands in the page, and is not all there is to say of it."""
    text = run([BUILD / "heapline", command, "--help"], check=0).out
    page = (DOCS / f"heapline-{command}.1").read_text().replace("\\-", "-")
    for option in re.findall(r"^  (?:-\w,|   ) (--[a-z-]+)", text, re.M):
        assert re.search(rf"{option}(?![a-z-])", page), option


@pytest.mark.parametrize("page", sorted(page.name for page in DOCS.glob("*.[1-9]")))
def test_groff_has_nothing_to_say(page):
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    ran = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", "-rLL=100n", DOCS / page], capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")
