"""The text that is shown beside a line is the one that the line's code was made of, or none."""

import textwrap

import harness
import pytest
from harness import BUILD, assert_complete, run

# Runs a text as a freezer does: its code names a file that this process never opens.
FROZEN = """
    import sys
    text = open(sys.argv[1]).read()
    exec(compile(text, sys.argv[2], "exec"), {"__name__": "frozen"})
"""

APPLICATION = """
    # the application

    def load(size):
        rows = []
        for number in range(10):
            rows.append(bytes(size))  # the right line

        return rows

    kept = load(100_000)
"""

# Another program whose file is called alike; as long, and with a function of the same name.
OTHER = """
    import os

    for name in os.listdir("."):
        print(name)  # the wrong line
        pass; pass; pass  # the wrong line
    def load(x): return x  # the wrong line
    x = 1
    for name in (): pass
    x = 2  # the wrong line
    x = 3  # the wrong line
"""


def texts_of(recording):
    return recording.sql("SELECT path, source.file IS NOT NULL FROM file LEFT JOIN source ON file = file.id")


def shown(recording):
    everything = run([BUILD / "heapline", "report", "--by", "line", "-n", "0", recording.file], check=0).out
    return everything + run([BUILD / "heapline", "html", recording.file, "-o", "-"], check=0).out


def record_frozen(record, interpreter, program, tmp_path, name, beside):
    """Runs APPLICATION frozen under the name, where the text `beside` stands in app.py."""
    (tmp_path / "hidden").mkdir()
    application = program(APPLICATION, "hidden/application.txt")
    if beside is not None:
        program(beside, "app.py")
    recording = record(interpreter, program(FROZEN), application, name)
    assert_complete(recording)
    return recording


def rows_of_load(recording):
    return [row for row in harness.report(recording.file, "-n", "0")["rows"] if row["function"] == "load"]


def test_another_file_of_that_name(interpreter, program, record, tmp_path):
    """A freezer has taken the folder away, and the current one has a file of that name."""
    recording = record_frozen(record, interpreter, program, tmp_path, "app.py", OTHER)
    (row,) = [row for row in rows_of_load(recording) if row["bytes"] > 1_000_000]
    assert row["file"] == "app.py" and row["line"] == 6
    assert "the wrong line" not in shown(recording)


def test_the_very_file(interpreter, program, record, tmp_path):
    recording = record_frozen(record, interpreter, program, tmp_path, "app.py", APPLICATION)
    (row,) = [row for row in rows_of_load(recording) if row["bytes"] > 1_000_000]
    assert row["file"] == str(tmp_path / "app.py") and row["line"] == 6
    assert "the right line" in shown(recording)


@pytest.mark.parametrize("beside", [OTHER, "x = 1\n", "\n" * 40, APPLICATION.replace("load", "save")])
def test_another_file_at_that_path(python, program, record, tmp_path, beside):
    """The path is that of the machine on which it was built; here something else stands there."""
    recording = record_frozen(record, python, program, tmp_path, str(tmp_path / "app.py"), beside)
    (row,) = [row for row in rows_of_load(recording) if row["bytes"] > 1_000_000]
    assert row["file"] == str(tmp_path / "app.py") and row["line"] == 6
    assert "the wrong line" not in shown(recording)
    assert (str(tmp_path / "app.py"), 0) in texts_of(recording)


def test_a_text_that_fits_at_first(python, program, record, tmp_path):
    """What the first code says of the text is true of another one, too; the next one refutes it."""
    source = program(
        """
        import sys
        first = "x = [bytes(100_000) for _ in range(9)]"
        second = "\\n" * 20 + "def f():\\n    return bytes(100_000)\\nkept = f()"
        for text in (first, second):
            exec(compile(text, "app.py", "exec"))
        """
    )
    program("x = 7  # the wrong line\n", "app.py")
    recording = record(python, source)
    assert "the wrong line" not in shown(recording)


STANDARD = """
    import argparse, ast, asyncio, collections, contextlib, csv, ctypes, dataclasses, decimal, difflib, doctest
    import email.message, enum, fractions, functools, http.client, inspect, json, logging.config, pathlib, pickle
    import random, re, sqlite3, statistics, string, subprocess, tarfile, tempfile, textwrap, tokenize, typing
    import unittest.mock, urllib.request, xml.dom.minidom, xml.etree.ElementTree, zipfile

    @dataclasses.dataclass(order=True)
    class Point:
        x: int
        @property
        @functools.lru_cache(maxsize=None)
        def far(self) -> "list[int]":
            return [bytes(size) for size in map(lambda size: size * 10, range(self.x))]
        class Inner(str):
            names = {name: f'''
                {name * 100
                  }
                ''' for name in map(str, range(100))}
    async def work():
        async with contextlib.AsyncExitStack() as stack:
            return [chunk async for chunk in chunks()]
    async def chunks():
        for size in range(1000): yield bytes(size)
    Point(100).far if False else Point(50).__class__.far
    asyncio.run(work())
    print(inspect.signature(Point), unittest.mock.create_autospec(Point), json.dumps([{"a": [1, 2]}] * 100))
    ast.unparse(ast.parse("x = 1")) if hasattr(ast, "unparse") else None
    random.Random(1).sample(range(1000), 100); re.compile("(a|b)*c{3}"); statistics.median(range(100))
    xml.dom.minidom.parseString("<a><b/></a>").toprettyxml()
"""


def test_no_right_text_is_lost(interpreter, program, record):
    """Everything that a program imports, and all ways to write a function, fit their own text."""
    source = program(STANDARD)
    recording = record(interpreter, source)
    assert_complete(recording)
    texts = {path: has for path, has in texts_of(recording) if path.startswith("/")}
    assert len(texts) > 60
    assert not [path for path, has in texts.items() if not has]
