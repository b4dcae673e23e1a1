"""Each row of the table of CPythons (preload/python/python_versions.c), inside the real ones."""

import ctypes

import interpreters
import pytest
from harness import PROGRAMS, REPOSITORY, run

PYTHON = REPOSITORY / "preload" / "python"
SOURCES = [PYTHON / f"{name}.c" for name in ("python_versions", "python_layout", "python_text")]


@pytest.fixture(scope="session")
def layouts(compiled):
    flags = ("-shared", "-fPIC", "-fno-strict-aliasing", f"-I{REPOSITORY}", f"-I{REPOSITORY / 'schema'}")
    return compiled("python_layouts.c", "python_layouts.so", *flags, *SOURCES)


@pytest.mark.each_interpreter
def test_this_row(interpreter, layouts, bare):
    ran = bare(interpreter, PROGRAMS / "layouts.py", layouts)
    assert (ran.out, ran.err) == ("alike\ntorn down\n", "")


def test_no_other_rows(layouts):
    """Every row is of an interpreter that the suite knows."""
    versions = {tuple(map(int, name.split("-")[1 if "sid" in name else 0].split("."))) for name in interpreters.NAMES[1:]}
    table = ctypes.CDLL(str(layouts))
    assert [version for version in sorted(versions) if table.layout_rows(version[0] << 24 | version[1] << 16) != 1] == []
    assert table.layout_rows_of_all() == len(versions)
