"""heapline sql reads and does nothing else, and no recording makes any command do more than read."""

import os
import re
import shutil
import sqlite3

import harness
import interpreters
import pytest
from harness import BUILD, run

HEAPLINE = BUILD / "heapline"

# What does more than read, and the word of it that the message must have.
REFUSED = {
    "COMMIT; VACUUM INTO 'made.db'": "COMMIT",
    "END; VACUUM INTO 'made.db'": "COMMIT",
    "ROLLBACK; VACUUM INTO 'made.db'": "ROLLBACK",
    "SELECT 1; COMMIT; SELECT 2": "COMMIT",
    "VACUUM": "VACUUM",
    "VACUUM INTO 'made.db'": "VACUUM INTO",
    "EXPLAIN VACUUM": "VACUUM",
    "ATTACH 'made.db' AS other": "ATTACH",
    "ATTACH ':memory:' AS other": "ATTACH",
    "ATTACH 'secret.db' AS other; SELECT * FROM other.t": "ATTACH",
    "DETACH main": "DETACH",
    "BEGIN": "BEGIN",
    "SAVEPOINT here": "SAVEPOINT",
    "SELECT load_extension('./evil')": "load_extension()",
    "SELECT count(*) FROM run WHERE load_extension('./evil')": "load_extension()",
    "WITH a AS (SELECT load_extension('./evil') AS b) SELECT * FROM a": "load_extension()",
    "SELECT fts3_tokenizer('simple')": "fts3_tokenizer()",
    "SELECT sqlite_log(1, 'text')": "sqlite_log()",
    "PRAGMA writable_schema = 1": "writable_schema",
    "PRAGMA writable_schema": "writable_schema",
    "PRAGMA user_version = 8": "user_version",
    "PRAGMA application_id = 7": "application_id",
    "PRAGMA journal_mode = DELETE": "journal_mode",
    "PRAGMA temp_store_directory = '.'": "temp_store_directory",
    "PRAGMA wal_checkpoint": "wal_checkpoint",
    "PRAGMA mmap_size = 1000000": "mmap_size",
    "PRAGMA trusted_schema = 1": "trusted_schema",
    "PRAGMA query_only = 0": "query_only",
    "PRAGMA optimize": "optimize",
    "PRAGMA incremental_vacuum": "incremental_vacuum",
    "PRAGMA shrink_memory": "shrink_memory",
    "CREATE TABLE t (a)": "schema",
    "CREATE TEMP TABLE t (a)": "schema",
    "CREATE VIEW v AS SELECT 1": "schema",
    "CREATE TEMP VIEW v AS SELECT 1": "schema",
    "CREATE TRIGGER t AFTER INSERT ON run BEGIN SELECT 1; END": "schema",
    "CREATE INDEX i ON run(id)": "schema",
    "CREATE VIRTUAL TABLE temp.f USING fts5(a)": "schema",
    "DROP TABLE run": "schema",
    "DROP VIEW lines": "schema",
    "ANALYZE": "schema",
    "REINDEX": "REINDEX",
    "ALTER TABLE run ADD COLUMN more": "ALTER TABLE",
    "INSERT INTO run SELECT * FROM run": "INSERT",
    "DELETE FROM run": "DELETE",
    "UPDATE run SET command = ''": "UPDATE",
    "EXPLAIN DELETE FROM run": "DELETE",
    "UPDATE sqlite_schema SET sql = ''": "sqlite_master",
    "DELETE FROM sqlite_schema": "sqlite_master",
    # Modules and functions that are not there at all.
    "SELECT * FROM dbstat": "dbstat",
    "SELECT * FROM sqlite_dbpage": "sqlite_dbpage",
    "SELECT * FROM sqlite_stmt": "sqlite_stmt",
    "SELECT writefile('made.db', 'x')": "writefile",
    "SELECT readfile('secret.db')": "readfile",
    "SELECT * FROM fsdir('.')": "fsdir",
    "SELECT edit('x')": "edit",
    "SELECT zeroblob(1000000000)": "too big",
}

ALLOWED = [
    "SELECT * FROM lines ORDER BY peak_bytes DESC, line LIMIT 3",
    "SELECT * FROM functions, allocators LIMIT 1",
    "SELECT kind, count(*), avg(size), total(lifetime) FROM events GROUP BY kind",
    "SELECT s.file, count(*) FROM events AS e JOIN stacks AS s USING (stack) GROUP BY 1 ORDER BY 2",
    "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < 9) SELECT sum(a) OVER "
    "(ORDER BY a ROWS 2 PRECEDING), row_number() OVER () FROM n",
    "SELECT upper(hex(x'ff')), printf('%5.1f', 2), date('now') > '', json_extract('[1]', '$[0]')",
    "SELECT value FROM run, json_each(run.command)",
    "SELECT name FROM sqlite_schema ORDER BY name COLLATE NOCASE",
    "SELECT name FROM pragma_table_info('run')",
    "SELECT name FROM pragma_function_list LIMIT 1",
    "PRAGMA table_info(run)",
    "PRAGMA table_list",
    "PRAGMA user_version",
    "PRAGMA integrity_check",
    "EXPLAIN QUERY PLAN SELECT * FROM lines",
    "SELECT 1; SELECT 2; -- and no more",
    "SELECT 'a' LIKE 'A', 'a' GLOB '*', 'x' || NULL IS NULL, CAST('1' AS INTEGER)",
]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sql")
    program = harness.Program.write(
        folder,
        """
        def keep(number):
            return [bytes(size) for size in range(number)]

        kept = keep(300)
        """,
    )
    return harness.record([interpreters.find("debian").path, program], folder / "good.heapline")


@pytest.fixture
def copy(good, tmp_path):
    """The recording alone in a folder, and a file beside it that is nobody's business."""
    file = tmp_path / "copy.heapline"
    shutil.copy(good.file, file)
    with sqlite3.connect(tmp_path / "secret.db") as database:
        database.execute("CREATE TABLE t AS SELECT 'secret' AS a")
    database.close()
    return file


def unharmed(file):
    return sorted(os.listdir(file.parent)), file.read_bytes()


@pytest.mark.parametrize("query", REFUSED)
def test_only_reading(copy, query):
    before = unharmed(copy)
    ran = run([HEAPLINE, "sql", copy, query], cwd=copy.parent, check=1)
    assert REFUSED[query] in ran.err and ran.err.startswith("heapline sql: "), ran
    assert len(ran.err.splitlines()) == 1 and "secret" not in ran.out
    assert unharmed(copy) == before


@pytest.mark.parametrize("query", ALLOWED)
def test_all_of_reading(copy, query):
    before = unharmed(copy)
    ran = run([HEAPLINE, "sql", copy, query], cwd=copy.parent, check=0)
    assert ran.out and not ran.err
    assert unharmed(copy) == before


def test_statements_before_a_refused_one_are_answered(copy):
    ran = run([HEAPLINE, "sql", "--csv", copy, "SELECT 7 AS a; DROP TABLE run; SELECT 8"], check=1)
    assert ran.out == "a\n7\n"


# --- recordings that somebody has prepared ---------------------------------------------------

COMMANDS = (
    ["report"], ["report", "--json", "--at", "end"], ["lines"], ["tree"], ["timeline"], ["processes"],
    ["check", "--verify"], ["html", "-o", "-"], ["export", "--format", "folded", "-o", "-"],
    ["report", "--growing"], ["report", "--temporary"],
)  # fmt: skip

REPLACE = "ALTER TABLE {0} RENAME TO old_{0}"
FOR_EVER = "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT"
PREPARED = {
    "triggers": [
        f"CREATE TRIGGER {what}_{table} AFTER {what} ON {table} BEGIN SELECT load_extension('./evil'); END"
        for what in ("INSERT", "UPDATE", "DELETE") for table in ("run", "process", "file")
    ],
    "a view for a table": [REPLACE.format("run"), f"CREATE VIEW run AS {FOR_EVER} * FROM old_run, n"],
    "a view for a table of later formats": [
        "DROP TABLE run_peak", f"CREATE VIEW run_peak AS {FOR_EVER} max(a) AS bytes, 1 AS blocks, 2 AS time FROM n",
    ],
    "a computed column": [
        "ALTER TABLE file ADD COLUMN more TEXT AS (replace(hex(zeroblob(100000000)), '0', '0000000000'))",
    ],
    "a column that is computed": [
        REPLACE.format("file"),
        "CREATE TABLE file (id INTEGER PRIMARY KEY, kept TEXT, module INTEGER, package INTEGER, "
        "path TEXT AS (hex(zeroblob(1000000))))",
        "INSERT INTO file (id, kept) SELECT id, path FROM old_file",
    ],
    "full-text search for a table": [
        REPLACE.format("file"), "CREATE VIRTUAL TABLE file USING fts5(id, path, module, package)",
        "INSERT INTO file (id, path) SELECT id, path FROM old_file",
    ],
    "a virtual table more": ["CREATE VIRTUAL TABLE more USING rtree(id, a, b)"],
    "a blob without end": ["UPDATE source SET text = zeroblob(268435457)"],
    "a schema that is none": [
        "PRAGMA writable_schema = 1",
        "UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE file USING fts5(id, path)' WHERE name = 'file'",
    ],
    "a module of its own": [
        "PRAGMA writable_schema = 1",
        "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 0, 'CREATE VIRTUAL TABLE x USING evil(a)')",
    ],
}  # fmt: skip


def prepare(file, statements):
    database = sqlite3.connect(file, isolation_level=None)
    for statement in statements:
        database.execute(statement)
    database.close()


@pytest.mark.parametrize("kind", PREPARED)
def test_a_prepared_recording_runs_nothing(copy, kind):
    """Answered or refused with a line, at once, and nothing is written."""
    prepare(copy, PREPARED[kind])
    before = unharmed(copy)
    commands = COMMANDS[:1] if kind == "a blob without end" else COMMANDS  # it is as large as it says
    for name, *options in commands:
        ran = run([HEAPLINE, name, *options, copy], cwd=copy.parent)
        assert ran.status in (0, 1, 2), (name, ran)
        if ran.status:
            assert len(ran.err.splitlines()) == 1 and ran.err.startswith(f"heapline {name}: "), (name, ran)
            assert kind != "triggers"
        assert unharmed(copy) == before, name
    if kind not in ("triggers", "a blob without end"):
        assert run([HEAPLINE, "report", copy]).status == 1


# Views are what the recording's maker wrote; what they may do is what the reader may.
VIEWS = {
    "CREATE VIEW lines AS SELECT load_extension('./evil') AS a": "load_extension",
    "CREATE VIEW lines AS SELECT fts3_tokenizer('simple') AS a": "fts3_tokenizer",
    "CREATE VIEW lines AS SELECT * FROM dbstat": "dbstat",
    "CREATE VIEW lines AS SELECT * FROM pragma_wal_checkpoint": "pragma_wal_checkpoint",
    "CREATE VIEW lines AS SELECT zeroblob(999999999) AS a": "too big",
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_that_somebody_has_replaced(copy, view):
    prepare(copy, ["DROP VIEW lines", view])
    before = unharmed(copy)
    ran = run([HEAPLINE, "sql", copy, "SELECT * FROM lines"], cwd=copy.parent, check=1)
    assert VIEWS[view] in ran.err and not ran.out, ran
    assert run([HEAPLINE, "report", copy], cwd=copy.parent, check=0).out
    assert unharmed(copy) == before


# --- the work that a query makes ---------------------------------------------------------------

# Prints how many statements a query has run in all, those of the tables behind it too, and how many
# thousand steps of SQLite's machine.
COUNTED = """
    import sqlite3, sys
    _, file, extension, query = sys.argv
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    database.enable_load_extension(True)
    database.load_extension(extension)
    statements, steps = [], []
    database.set_trace_callback(statements.append)
    database.set_progress_handler(lambda: steps.append(1), 1000)
    rows = database.execute(query).fetchall()
    print(len(statements), len(steps), len(rows))
"""

MANY_STACKS = """
    def make(depth):
        return [bytes(depth)] + (make(depth - 1) if depth else [])
    for depth in range(600):
        exec(f"def f{depth}(): return [bytes({depth}) for _ in range(20)]")
        kept = eval(f"f{depth}()")
    kept = make(400)
"""

SPELLINGS = [
    "SELECT count(*) FROM events AS e JOIN stacks AS s ON s.stack = e.stack WHERE e.kind = 'free'",
    "SELECT count(*) FROM stacks AS s JOIN events AS e ON s.stack = e.stack",
    "SELECT count(*) FROM stacks AS s, events AS e WHERE s.stack = e.stack AND e.process = 1 AND e.time > 0.001",
    "SELECT count(*) FROM stacks JOIN events USING (stack) WHERE kind != 'inherited' AND size > 10",
    "SELECT count(*) FROM events AS e JOIN stacks AS s USING (stack) JOIN stacks AS p ON p.stack = s.parent",
]


def examples():
    """What the man pages and the README say in quotes to heapline sql or sqlite3."""
    pages = [*sorted((harness.REPOSITORY / "docs").glob("*.[17]")), harness.REPOSITORY / "README.md"]
    quoted = [text for page in pages for text in re.findall(r'"(SELECT [^"]*)"', page.read_text())]
    return [" ".join(text.replace("\\-", "-").split()) for text in quoted]


@pytest.fixture(scope="module")
def many_stacks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stacks")
    program = harness.Program.write(folder, MANY_STACKS)
    return harness.record([interpreters.find("debian").path, program], folder / "stacks.heapline")


@pytest.mark.parametrize("query", [*examples(), *SPELLINGS])
def test_a_query_goes_through_the_events_once(python, program, many_stacks, query):
    """Not once for every stack, in whatever order they are named; a scan takes five statements."""
    counted = program(COUNTED, "counted.py")
    ran = run([python.path, counted, many_stacks.file, BUILD / "heapline_events.so", query], check=0)
    statements, steps, rows = map(int, ran.out.split())
    ((stacks, events),) = many_stacks.sql(
        "SELECT (SELECT max(first + count) FROM node_chunk), (SELECT sum(events) FROM process)"
    )
    assert stacks > 1000 and rows > 0
    assert statements < 40 and steps * 1000 < 100 * (stacks + events)


def test_examples_are_found():
    assert len(examples()) >= 2 and any("JOIN stacks" in query for query in examples())
