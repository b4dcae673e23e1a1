"""Which package the memory belongs to."""

import harness
import pytest
from harness import BUILD, BYTES_HEADER, assert_complete, run

pytestmark = pytest.mark.of_readers

PROGRAM = """
    import alpha, json
    from shared import one, two

    def back(size):
        return bytes(size)

    own = bytes(1_000_000)
    direct = alpha.make(2_000_000)
    through = alpha.through(3_000_000)
    called_back = alpha.call(back, 4_000_000)
    namespaced = alpha.deep(5_000_000)
    both = one.make(7_000_000), two.make(8_000_000)
    decoded = json.loads('"' + "x" * 6_000_000 + '"')
"""

INSTALLED = {
    "alpha/__init__.py": """
import beta
from gamma.inner import more

def make(size):
    return bytes(size)

def through(size):
    return beta.make(size)

def call(function, size):
    return function(size)

def deep(size):
    return more(size)
""",
    "beta.py": "def make(size):\n    return bytes(size)\n",
    "gamma/inner/__init__.py": "def more(size):\n    return bytes(size)\n",
    "Alpha_Dist-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: Alpha-Dist\nVersion: 1.0\n",
    "Alpha_Dist-1.0.dist-info/RECORD": "../../bin/alpha,,\nalpha/__init__.py,sha256=x,1\n"
    "Alpha_Dist-1.0.dist-info/METADATA,,\n",
    "gamma.egg-info/PKG-INFO": "Metadata-Version: 1.0\nName: The Gamma\n",
    "gamma.egg-info/top_level.txt": "gamma\n",
    "broken-2.dist-info/RECORD": '"\n,,,\n\n/\n../x,,\n',
    # Two distributions in one namespace.
    "shared/one/__init__.py": "def make(size):\n    return bytes(size)\n",
    "shared/two/__init__.py": "def make(size):\n    return bytes(size)\n",
    "one-1.dist-info/METADATA": "Name: shared-one\n",
    "one-1.dist-info/RECORD": "shared/one/__init__.py,,\n",
    "two-1.dist-info/METADATA": "Name: shared-two\n",
    "two-1.dist-info/RECORD": "shared/two/__init__.py,,\n",
}


@pytest.fixture
def installed(tmp_path):
    """A folder of installed packages, and an environment in which they are found."""
    folder = tmp_path / "venv" / "site-packages"
    for name, text in INSTALLED.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return harness.environment(PYTHONPATH=folder)


def packages_of(recording, *options):
    rows = harness.report(recording.file, "--at", "end", "-n", "0", *options)["rows"]
    return {row["package"]: row["bytes"] for row in rows}


def about(millions):
    """What is held beside the large blocks is small."""
    return pytest.approx(millions * 1_000_000 + BYTES_HEADER, abs=300_000)


def test_who_allocated_and_who_is_to_blame(interpreter, program, record, installed):
    recording = record(interpreter, program(PROGRAM), env=installed)
    assert_complete(recording)
    innermost = packages_of(recording, "--by", "package")
    assert innermost["Alpha-Dist"] == about(2)
    assert innermost["beta"] == about(3)
    assert innermost["program"] == about(5)
    assert innermost["The Gamma"] == about(5)
    assert innermost["shared-one"] == about(7) and innermost["shared-two"] == about(8)
    assert innermost["stdlib"] >= 6_000_000
    blamed = packages_of(recording, "--blame", "package")
    assert blamed["Alpha-Dist"] == about(2 + 3 + 5)
    assert blamed["program"] == about(1 + 4)
    assert blamed["stdlib"] >= 6_000_000
    assert "beta" not in blamed and "The Gamma" not in blamed
    assert sum(blamed.values()) == sum(innermost.values()) == recording.totals["end_bytes"]


def test_in_every_form(python, program, record, installed):
    recording = record(python, program(PROGRAM), env=installed)
    report = [BUILD / "heapline", "report", "--at", "end"]
    text = run([*report, "--by", "package", recording.file], check=0).out
    assert "by package" in text and "Alpha-Dist" in text and "(no Python frame)" in text
    out = run([*report, "--blame", "package", "--csv", recording.file], check=0).out
    assert out.startswith("package,bytes") and "\nAlpha-Dist," in out
    rows = run([BUILD / "heapline", "diff", "--by", "package", "--json", recording.file, recording.file], check=0).json
    assert {"Alpha-Dist", "stdlib"} <= {row["package"] for row in rows["rows"]}
    files = dict(recording.sql("SELECT path, package FROM file"))
    assert files[str(program(PROGRAM))] == "program"


def test_wrong_usage(python, program, record):
    recording = record(python, program("pass"))
    report = [BUILD / "heapline", "report"]
    run([*report, "--blame", "line", recording.file], check=2)
    run([*report, "--blame", "package", "--by", "line", recording.file], check=2)
    run([*report, "--by", "package", "--cumulative", recording.file], check=2)


IMPORTS = """
    import helper
    later = bytes(2_000_000)

    def lazily():
        import coded
        return coded

    coded = lazily()
"""

IMPORTED = {
    "heavy/__init__.py": "import heavy_part\nTABLE = bytes(9_000_000)\ndef make():\n    return bytes(4_000_000)\n",
    "heavy_part.py": "TABLE = bytes(1_000_000)\n",
    # Thirty thousand strings that come to be while it is compiled, before its own code runs.
    "coded.py": "def words():\n    return [" + ", ".join(f"'a word {n}'" for n in range(30_000)) + "]\n",
}


def test_what_importing_costs(interpreter, program, record, tmp_path):
    folder = tmp_path / "venv" / "site-packages"
    for name, text in IMPORTED.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    program("import heavy\nOWN = bytes(600_000)\nMADE = heavy.make()\n", "helper.py")
    recording = record(interpreter, program(IMPORTS), env=harness.environment(PYTHONPATH=folder))
    assert_complete(recording)
    imported = packages_of(recording, "--blame", "import")
    assert imported["heavy"] == about(9 + 1) and "heavy_part" not in imported
    assert imported["program"] == about(0.6 + 4)  # the module that imports it is the program's own
    assert 30_000 * 50 < imported["coded"] < 30_000 * 200
    report = harness.report(recording.file, "--at", "end", "-n", "0", "--blame", "import")
    assert report["view"]["bytes"] == sum(imported.values())
    everything = harness.report(recording.file, "--at", "end")["view"]["bytes"]
    assert report["view"]["bytes"] <= everything - 2_000_000  # what was allocated later is no import's
    text = run([BUILD / "heapline", "report", "--blame", "import", recording.file], check=0).out
    assert "by package, for what was imported" in text
