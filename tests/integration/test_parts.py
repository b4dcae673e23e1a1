"""Everything that is checked without a whole program: the unit tests in C, plain and under the
sanitizers (TSan has those that make threads), the fuzzers' corpora, and the rules that hold for the
source itself."""

import json
import re
import shutil
import subprocess

import harness
import pytest
import sanitized
from harness import BUILD, TESTS, run

BUILDS = {"plain": BUILD, "asan": BUILD / "asan", "tsan": BUILD / "tsan"}


def meson_tests():
    """(build, test) for every test that meson knows in every build."""
    for build, folder in BUILDS.items():
        if not (folder / "build.ninja").exists():
            yield pytest.param(build, None, id=f"{build}-not built")
            continue
        listed = subprocess.run(
            ["meson", "introspect", "--tests", folder], stdout=subprocess.PIPE, check=True
        )
        for test in json.loads(listed.stdout):
            if build == "tsan" and "heapline:threads" not in test["suite"]:
                continue
            yield pytest.param(build, test, id=f"{build}-{test['name']}")


@pytest.mark.parametrize("build, test", meson_tests())
def test_unit(build, test):
    if test is None:
        pytest.skip(f"there is no {build} build: ./dev test makes it")
    if build != "plain":
        sanitized.build_of(build)
    env = harness.environment(**harness.SANITIZER_OPTIONS, **test["env"])
    # cmocka prints each case; its closing line is not this suite's.
    run(test["cmd"], env=env, cwd=test["workdir"] or BUILDS[build], check=0)


def test_exported_symbols():
    run([TESTS / "check-exported-symbols", BUILD / "libheapline.so"], check=0)


def test_shim_needs_only_libc_and_libunwind():
    needed = run(["readelf", "-d", BUILD / "libheapline.so"], check=0).out
    libraries = {line.split("[")[1].rstrip("]") for line in needed.splitlines() if "(NEEDED)" in line}
    allowed = {"libc.so.6", "libdl.so.2", "libpthread.so.0", "libunwind.so.8", "ld-linux-x86-64.so.2"}
    assert libraries <= allowed


def test_shim_has_little_static_thread_storage():
    """It may be taken from what glibc keeps for libraries that come later, some 1,600 bytes. What a
    thread has of states and interrupted calls is most of it."""
    headers = run(["readelf", "-lW", BUILD / "libheapline.so"], check=0).out
    sizes = [int(line.split()[5], 16) for line in headers.splitlines() if line.split()[:1] == ["TLS"]]
    assert sum(sizes) <= 384


@pytest.mark.parametrize("check", ["check-format", "check-static"])
def test_source(check):
    tool = {"check-format": "clang-format", "check-static": "cppcheck"}[check]
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool} here")
    run([TESTS / check], check=0)


def test_rooms():
    run([TESTS / "check-rooms"], check=0)


def test_the_page_knows_what_schema_says():
    """The page is not compiled with the headers: what it repeats of them is the same to the letter."""
    page = (harness.REPOSITORY / "viewer/page/src/data.ts").read_text()
    says = {}
    for name in ("allocators.h", "page_format.h"):
        says[name] = (harness.REPOSITORY / "schema" / name).read_text()
    (number,) = re.findall(r"^#define PAGE_FORMAT (\d+)$", says["page_format.h"], re.MULTILINE)
    assert f"export const FORMAT = {number};\n" in page
    names = re.findall(r'\bALLOCATOR\(\w+, ("\w+")\)', says["allocators.h"])
    assert names and f"export const ALLOCATORS = [{', '.join(names)}] as const;\n" in page


def test_every_header_compiles_alone(tmp_path):
    folders = ["schema", "preload", "collector", "viewer"]
    includes = [f"-I{harness.REPOSITORY / name}" for name in [".", *folders, "preload/arch/x86_64"]]
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-fsyntax-only", "-xc", "-Wall", "-Werror"]
    libraries = run(["pkg-config", "--cflags", "jansson", "sqlite3", "libzstd"], check=0).out.split()
    for folder in folders:
        for header in sorted((harness.REPOSITORY / folder).rglob("*.h")):
            if header.with_suffix(".c").exists():  # which includes it first
                continue
            source = f'#include "{header}"\n'
            run(["gcc", *flags, *includes, *libraries, "-"], input=source, check=0)


# --- whole programs with sanitized parts --------------------------------------------------------


@pytest.fixture
def mixed(tmp_path):
    """A folder of programs whose collector and viewer are those with ASan: neither makes a thread. The
    shim is not: it lives in a program that is not sanitized."""
    folder = sanitized.build_of("asan")
    mixed = tmp_path / "bin"
    mixed.mkdir()
    shutil.copy(BUILD / "libheapline.so", mixed)
    shutil.copy(folder / "heaplined", mixed)
    shutil.copy(folder / "heapline", mixed)
    return mixed


BUSY = """
    import json, os, threading, subprocess, sys
    kept = []
    def work(number):
        for step in range(200):
            kept.append(json.loads(json.dumps({"a": [number, step, "x" * step]})))
            exec("def f(): return [%d]\\nkept.append(f())" % step)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for one in threads: one.start()
    for one in threads: one.join()
    if os.fork() == 0:
        work(9)
        os._exit(0)
    os.wait()
    for _ in range(3):
        subprocess.run([sys.executable, "-c", "print([bytes(n) for n in range(1000)][3])"])
    print("done")
"""


def test_sanitized_collector(interpreter, mixed, program, tmp_path):
    source = program(BUSY)
    env = harness.environment(**harness.SANITIZER_OPTIONS)
    recording = harness.record(
        [interpreter.path, source], tmp_path / "run.heapline", env=env, build=mixed
    )
    assert recording.out.endswith("done\n")
    assert "Sanitizer" not in recording.err and "runtime error" not in recording.err
    harness.assert_complete(recording)
    for by in ("line", "stack", "thread", "size"):
        recording.report("end", by)
