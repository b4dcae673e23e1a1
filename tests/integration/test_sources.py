"""The text that is shown beside a line is the one that the line's code was made of, or none."""

import textwrap
import zipfile

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


@pytest.mark.parametrize("replace", ["os.replace('handlers.new', 'handlers.py')", "open('handlers.py', 'w').write(new)"])
def test_a_file_that_changes_before_it_is_read(interpreter, program, record, tmp_path, replace):
    """Its lines and names are those of the code, which is of the text that stood there before."""
    program("def work():\n    return [bytes(1000) for i in range(3000)]  # the right line\n", "handlers.py")
    program("def work():\n    return [bytes(1) for i in range(3)]  # the wrong line\n", "handlers.new")
    source = program(
        f"""
        import os, sys, time
        os.chdir({str(tmp_path)!r})
        new = open("handlers.new").read()
        import handlers
        time.sleep(0.3)  # the time that a person takes at the least
        {replace}
        kept = handlers.work()
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    assert "the wrong line" not in shown(recording)
    # A collector that had little to do has read it while it was the right one.
    assert (str(tmp_path / "handlers.py"), 0) in texts_of(recording) or "the right line" in shown(recording)
    assert (str(source.path), 1) in texts_of(recording)


def test_a_file_that_is_loaded_again_when_it_has_changed(interpreter, program, record, tmp_path):
    """Its lines are those of two texts, of which the first is in the recording by then."""
    program("def work(): return [bytes(1000) for i in range(3000)]  # the first\n", "handlers.py")
    source = program(
        """
        import importlib, os, sqlite3, sys, time
        os.chdir(sys.argv[1])
        import handlers
        kept = handlers.work()
        recording = sqlite3.connect("file:" + sys.argv[2] + "?mode=ro", uri=True)
        while not recording.execute("SELECT count(*) FROM source JOIN file ON source.file = file.id"
                                    " WHERE path LIKE '%handlers.py'").fetchone()[0]:
            time.sleep(0.02)
        recording.close()
        open("handlers.py", "w").write("def work(): return [bytes(2000) for i in range(3000)]  # the sec" "ond\\n")
        importlib.reload(handlers)
        kept += handlers.work()
        """
    )
    file = tmp_path / "again.heapline"
    recording = record(interpreter, source, tmp_path, file, file=file)
    assert_complete(recording)
    assert "# the first" not in shown(recording) and "# the second" not in shown(recording)
    assert (str(tmp_path / "handlers.py"), 0) in texts_of(recording)


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


# --- texts that are no files -------------------------------------------------------------------


@pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_of_an_archive(interpreter, program, record, tmp_path, packed):
    """A program in an archive, as zipapp and pex make them, also behind a line for the kernel."""
    archive = tmp_path / "app.pyz"
    with archive.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", packed) as made:
            made.writestr("__main__.py", "import package.part\n")
            made.writestr("package/__init__.py", "")
            made.writestr("package/part.py", textwrap.dedent(APPLICATION).lstrip("\n"))
    recording = record(interpreter, archive)
    assert_complete(recording)
    (row,) = [row for row in rows_of_load(recording) if row["bytes"] > 1_000_000]
    assert row["file"] == f"{archive}/package/part.py" and row["line"] == 6
    assert "the right line" in shown(recording)


def test_damaged_archives(python, program, record, tmp_path):
    """Whatever stands there by the time it is read, the recording is made; texts are right or none."""
    archive = tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("part.py", textwrap.dedent(APPLICATION).lstrip("\n"))
    whole = archive.read_bytes()
    source = program(
        """
        import sys
        sys.path.insert(0, sys.argv[1])
        text = open(sys.argv[2], "rb").read()
        import part
        open(sys.argv[1], "wb").write(text)
        """
    )
    for i, change in enumerate((whole[:-1], whole[:40], whole[: len(whole) // 2] + whole[len(whole) // 2 + 1 :], b"")):
        archive.write_bytes(whole)
        (tmp_path / "change").write_bytes(change)
        recording = record(python, source, archive, tmp_path / "change")
        assert_complete(recording)
        run([BUILD / "heapline", "lines", recording.file, "part.py"])


COMMAND = "def load(size):\n    return bytes(size)  # the right line\nkept = [load(200_000) for _ in range(10)]\n"


def record_command(tmp_path, *words, name="c.heapline"):
    recording = harness.record([str(word) for word in words], tmp_path / name)
    assert_complete(recording)
    return recording


@pytest.mark.parametrize("options", [["-c"], ["-X", "utf8", "-Bc"], ["-W", "ignore", "-B", "-c"]])
def test_a_command_line(interpreter, tmp_path, options):
    recording = record_command(tmp_path, interpreter.path, *options, COMMAND)
    (row,) = [row for row in rows_of_load(recording) if row["bytes"] > 1_000_000]
    assert (row["file"], row["line"]) == ("<string>", 2)
    assert "the right line" in shown(recording)


@pytest.mark.parametrize(
    "more",
    ["exec('big = bytes(3_000_000)')", "exec('\\n\\n\\ndef f(): return bytes(4_000_000)\\nx = f()')"],
)
def test_what_else_is_called_so(python, tmp_path, more):
    """Of the two texts that are called <string> the file cannot have both."""
    recording = record_command(tmp_path, python.path, "-c", COMMAND + more)
    assert ("<string>", 0) in texts_of(recording)


def test_two_command_lines(python, tmp_path):
    """Each process has its own; a line of that name is neither's."""
    script = f"'{python.path}' -c 'kept = bytes(1_000_000) # one'; '{python.path}' -c 'kept = bytes(1_000_000) # two'"
    recording = record_command(tmp_path, "sh", "-c", script)
    assert ("<string>", 0) in texts_of(recording)
