"""Code that no file has is shown with its text, which its process has in memory (linecache)."""

import pytest
from harness import BUILD, assert_complete, report, run
from test_sources import shown, texts_of

# Puts a text into linecache as notebooks, templates and generators of code do, and runs it.
MAKE = """
    import linecache, os, sys

    def keep(name, text):
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)

    def make(name, text, **names):
        keep(name, text)
        exec(compile(text, name, "exec"), names)
        return names
"""

CELL = """
    import make

    make.make("/tmp/ipykernel_77/123.py", '''
    def load(size):
        rows = []
        for number in range(10):
            rows.append(bytes(size))  # the cell's line
        return rows

    kept = load(100_000)
    ''')

    # Kept only once it has run, and the first that its function asks for is another block of a list.
    names = {"rows": []}
    text = '''
    def more(size, row):
        rows.append(row)
        rows.append(bytearray(size))  # of each row
    '''
    exec(compile(text, "<generated more>", "exec"), names)
    make.keep("<generated more>", text)
    row = bytes(10)
    for number in range(50):
        names["more"](10_000, row)

    # Characters of every width; a name of its own.
    text = "kept = bytearray(500_000)  # \\xe9 \\u20ac \\U0001f600 %s!\\n"
    make.keep("<\\u20ac 1>", text % "\\ud800")
    exec(compile(text, "<\\u20ac 1>", "exec"))
"""


def test_code_that_no_file_has(interpreter, program, record):
    program(MAKE, "make.py")
    recording = record(interpreter, program(CELL))
    assert_complete(recording)
    everything = shown(recording)
    assert "rows.append(bytes(size))  # the cell's line" in everything
    assert "rows.append(bytearray(size))  # of each row" in everything
    assert "# é € \U0001f600 \ufffd!" in everything
    lines = run([BUILD / "heapline", "lines", recording.file, "/tmp/ipykernel_77/123.py"], check=0).out
    assert "kept = load(100_000)" in lines
    (row,) = [row for row in report(recording.file, "-n", "0")["rows"] if row["function"] == "load" and row["bytes"] > 900_000]
    assert (row["file"], row["line"]) == ("/tmp/ipykernel_77/123.py", 5)


@pytest.mark.each_interpreter
def test_lines_that_are_typed(interpreter, tmp_path):
    if interpreter.version < (3, 13):
        pytest.skip("keeps no text of what is typed")
    typed = "def load(size):\n    return bytearray(size)  # typed\n\nkept = load(3_000_000)\n"
    file = tmp_path / "run.heapline"
    command = [BUILD / "heapline", "run", "-q", "-o", file, "--", interpreter.path, "-q", "-i"]
    run(command, input=typed, check=0, cwd=tmp_path)
    assert "return bytearray(size)  # typed" in run([BUILD / "heapline", "report", file], check=0).out


def test_two_texts_of_one_name(python, program, record):
    """Which of them a line is of nobody can tell."""
    program(MAKE, "make.py")
    source = program(
        """
        import make
        kept = [make.make("<cell>", f"x = bytearray(100_000 + {i})  # is wrong for others\\n") for i in range(3)]
        """
    )
    recording = record(python, source)
    assert_complete(recording)
    assert ("<cell>", 0) in texts_of(recording)
    assert "is wrong for others" not in shown(recording)


def test_a_text_that_does_not_fit(python, program, record):
    program(MAKE, "make.py")
    source = program(
        """
        import make
        make.keep("<cell>", "x = 1  # the wrong line\\n")
        exec(compile("\\n\\nx = bytearray(1_000_000)\\n", "<cell>", "exec"))
        """
    )
    recording = record(python, source)
    assert ("<cell>", 0) in texts_of(recording)
    assert "the wrong line" not in shown(recording)


@pytest.mark.parametrize("stands", ["the right line", "the wrong line"])
def test_a_file_of_that_name(python, program, record, tmp_path, stands):
    """The file's own text is as good as any, if it is that: else the one in memory counts."""
    program(MAKE, "make.py")
    text = "def load():\n    return bytearray(1_000_000)  # in memory\n\nkept = load()\n"
    if stands == "the right line":
        program(text.replace("in memory", stands), "other.py")
    else:
        program("def save():\n    return 1  # the wrong line\n", "other.py")
    source = program(f"import make\nmake.make({str(tmp_path / 'other.py')!r}, {text!r})\n")
    recording = record(python, source)
    everything = shown(recording)
    assert "the wrong line" not in everything
    assert ("# in memory" in everything) == (stands == "the wrong line")
    assert ("# the right line" in everything) == (stands == "the right line")


def without_words(err):
    """Of heapline itself."""
    return "".join(line for line in err.splitlines(True) if not line.startswith("heapline: "))


HOSTILE = """
    import linecache, sys

    class Text(str):
        def __eq__(self, other): print("eq"); return str.__eq__(self, other)
        def __hash__(self): print("hash"); return str.__hash__(self)
        def __len__(self): print("len"); return 7
    class Lines(list):
        def __getitem__(self, index): print("item"); return list.__getitem__(self, index)
        def __len__(self): print("len"); return 7
        def __iter__(self): print("iter"); return list.__iter__(self)
    class Entry(tuple):
        def __getitem__(self, index): print("item"); return tuple.__getitem__(self, index)

    def text(number): return f"def f{number}(): return [bytearray(1000 + {number})]\\n"

    entries = [
        None, 7, (), (1,), (1, None), (lambda: print("called"),), [1, None, [text(3)], "x"],
        (1, None, text(4), "x"), (1, None, Lines([text(5)]), "x"), (1, None, [Text(text(6))], "x"),
        (1, None, [7, None, b"x"], "x"), (1, None, [], "x"), (1, None, ["\\0" * 100, "\\ud800"], "x"),
        (1, None, [text(9), "x" * (9 << 20)], "x"), (1, None, [""] * 3_000_000, "x"),
        Entry((1, None, [text(11)], "x")), (1, 0, [text(12)], "x"), (1, None, (text(13),), "x"),
    ]
    kept = []
    def run_all():
        for number, entry in enumerate(entries):
            name = f"<hostile {number}>"
            linecache.cache[name] = entry
            names = {}
            exec(compile(text(number), name, "exec"), names)
            kept.append(names[f"f{number}"]())
    run_all()
    for key in (7, None, (), Text("<hostile 1>"), ("<hostile 2>", "f", 1), 1 << 100, b"x", frozenset()):
        linecache.cache[key] = (1, None, ["x = 1\\n"], "x")
    print("from here on nothing is to be said")
    run_all()
    real = linecache.cache
    for other in (None, 7, Lines(), type("D", (dict,), {"__getitem__": lambda *a: print("get"), "items": lambda *a: print("items")})()):
        linecache.cache = other
        exec(compile(text(99), "<hostile 99>", "exec"))
    module = sys.modules["linecache"]
    for other in (None, 7, type("M", (type(sys),), {"__getattribute__": lambda *a: print("attribute")})("m")):
        sys.modules["linecache"] = other
        exec(compile(text(98), "<hostile 98>", "exec"))
    del sys.modules["linecache"]
    modules, sys.modules = sys.modules, type("S", (dict,), {"__getitem__": lambda *a: print("get")})(sys.modules)
    exec(compile(text(97), "<hostile 97>", "exec"))
    del sys.modules
    exec(compile(text(96), "<hostile 96>", "exec"))
    sys.modules = modules
    try:
        raise ValueError(exec(compile("kept.append(bytearray(100))", "<hostile 95>", "exec")))
    except ValueError as error:
        print(repr(error))
    print(len(kept))
"""


def test_hostile_entries(interpreter, program, record, bare):
    """Nothing of the program's runs for it, and what it writes is the same."""
    source = program(HOSTILE)
    expected = bare(interpreter, source)
    recording = record(interpreter, source)
    assert_complete(recording)
    assert (recording.out, without_words(recording.err)) == (expected.out, expected.err)
    assert "[bytearray(1000 + 6)]" not in shown(recording)


CHANGED = """
    import linecache, sys, threading

    sys.setswitchinterval(1e-6)
    stop = False
    lines = ["x = 1\\n"] * 50

    def change():
        number = 0
        while not stop:
            number += 1
            name = f"<{number % 100}>"
            linecache.cache[name] = (1, None, lines, name)
            lines.append("y = 2\\n")
            if number % 7 == 0: lines[:] = ["x = 1\\n" * (number % 50)]
            if number % 13 == 0: linecache.cache.pop(f"<{number % 50}>", None)
            if number % 1000 == 0: linecache.cache.clear()
            if number % 1001 == 0: linecache.cache = dict(linecache.cache)

    def work():
        for number in range(3000):
            names = {}
            exec(compile(f"def f(): return [bytearray({number})]\\nkept = f()", f"<{number % 100}>", "exec"), names)

    threads = [threading.Thread(target=work) for _ in range(3)] + [threading.Thread(target=change)]
    for thread in threads: thread.start()
    for thread in threads[:3]: thread.join()
    stop = True
    threads[3].join()
    print("done")
"""


def test_entries_that_change_all_the_time(interpreter, program, record):
    recording = record(interpreter, program(CHANGED))
    assert recording.out == "done\n"
    assert_complete(recording)


INTERPRETERS = """
    import sys, threading
    sys.path.insert(0, sys.argv[1])
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters

    CODE = '''
    import sys
    sys.path.insert(0, {folder!r})
    import make
    for number in range(200):
        make.make(f"<of {which} {{number}}>", f"def f(): return bytearray({{number}})\\\\n\\\\nkept = f()\\\\n")
    make.make("<one of {which}>", "kept = bytearray(300_000)  # of {which}\\\\n")
    '''

    def work(which):
        interpreter = interpreters.create()
        interpreters.run_string(interpreter, CODE.format(folder=sys.argv[1], which=which))
        interpreters.destroy(interpreter)

    threads = [threading.Thread(target=work, args=(which,)) for which in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print("done")
"""


@pytest.mark.each_interpreter
def test_subinterpreters(interpreter, program, record, tmp_path):
    """Each asks its own."""
    if not (interpreter.has("_interpreters") or interpreter.has("_xxsubinterpreters")):
        pytest.skip("has no subinterpreters")
    program(MAKE, "make.py")
    recording = record(interpreter, program(INTERPRETERS), tmp_path)
    assert recording.out == "done\n", recording.err
    assert_complete(recording)
    everything = run([BUILD / "heapline", "report", "--sort", "allocated", "-n", "0", recording.file], check=0).out
    for which in range(4):
        assert f"kept = bytearray(300_000)  # of {which}" in everything


def test_at_the_end(interpreter, program, record, bare):
    """Code that is made while the interpreter ends."""
    program(MAKE, "make.py")
    source = program(
        """
        import atexit, make, threading, time

        def late(name):
            text = f"kept = bytearray(1_000_000)  # {name}\\n"
            make.make(f"<{name}>", text)

        class Dies:
            def __del__(self, late=late): late("in a destructor")

        dies = Dies()
        atexit.register(late, "in an exit callback")
        def work():
            number = 0
            while True:
                number += 1
                make.make(f"<daemon {number % 100}>", "kept = [bytearray(100)]\\n")
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        print("done")
        """
    )
    recording = record(interpreter, source)
    assert recording.status == 0 and recording.out == "done\n"
    assert "# in an exit callback" in run(
        [BUILD / "heapline", "report", "--sort", "allocated", "-n", "0", recording.file], check=0
    ).out


def test_a_forked_child(interpreter, program, record):
    program(MAKE, "make.py")
    source = program(
        """
        import make, os
        names = make.make("<before>", "def f(): return bytearray(1_000_000)  # before\\n")
        if os.fork() == 0:
            kept = names["f"]()
            make.make("<after>", "kept = bytearray(2_000_000)  # in the child\\n")
            os._exit(0)
        os.wait()
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    everything = shown(recording)
    assert "return bytearray(1_000_000)  # before" in everything
    assert "kept = bytearray(2_000_000)  # in the child" in everything
