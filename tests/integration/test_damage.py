"""Files that are no recording, or no longer a whole one: a message and status 1, or the right
numbers, and never anything else."""

import random
import shutil
import sqlite3

import harness
import interpreters
import pytest
from harness import BUILD, run

MUTATIONS = 300


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    source = harness.Program.write(
        folder,
        """
        def parse(number):
            return eval("[1, 2, %d]" % number)

        kept = [parse(number) for number in range(500)]
        functions = [eval("lambda: [%d]" % n) for n in range(200)]
        more = [f() for f in functions]
        """,
    )
    return harness.record([interpreters.find("debian").path, source], folder / "good.heapline")


def numbers(report):
    return (
        report["totals"],
        [report["view"][name] for name in ("bytes", "blocks", "time")],
        [
            [row[name] for name in ("bytes", "blocks", "allocated_bytes", "allocations")]
            for row in report["rows"]
        ],
    )


def read(file, *options):
    return run([BUILD / "heapline", "report", "--json", "-n", "0", *options, file])


def assert_refused(file):
    ran = read(file)
    assert (ran.status, ran.out) == (1, ""), ran
    assert str(file) in ran.err and len(ran.err.splitlines()) == 1, ran.err
    text = run([BUILD / "heapline", "report", file])
    assert (text.status, text.out) == (1, "")


def test_missing(tmp_path):
    assert_refused(tmp_path / "missing.heapline")


def test_folder(tmp_path):
    assert_refused(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"text\n" * 1000, bytes(100_000), b"SQLite format 3\0", b"SQLite format 3\0" * 500],
)
def test_not_a_database(tmp_path, content):
    file = tmp_path / "bad.heapline"
    file.write_bytes(content)
    assert_refused(file)
    assert file.read_bytes() == content


def test_another_database(tmp_path):
    file = tmp_path / "other.heapline"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE run (id INTEGER)")
    database.close()
    assert_refused(file)


def changed(good, tmp_path, *statements):
    file = tmp_path / "changed.heapline"
    shutil.copy(good.file, file)
    with sqlite3.connect(file) as database:
        for statement in statements:
            database.execute(statement)
    database.close()
    return file


def test_a_newer_format(good, tmp_path):
    file = changed(good, tmp_path, "PRAGMA user_version = 9999")
    assert_refused(file)
    assert "newer" in read(file).err


def test_not_ours_by_its_number(good, tmp_path):
    assert_refused(changed(good, tmp_path, "PRAGMA application_id = 7"))


@pytest.mark.parametrize("table", ["run", "process", "node_chunk", "counter_chunk", "location", "code"])
def test_a_table_missing(good, tmp_path, table):
    assert_refused(changed(good, tmp_path, f"DROP TABLE {table}"))


@pytest.mark.parametrize("table", ["run", "process", "node_chunk", "counter_chunk", "location", "code", "file"])
def test_a_table_emptied(good, tmp_path, table):
    file = changed(good, tmp_path, f"DELETE FROM {table}")
    for by in ("line", "stack"):
        ran = read(file, "--by", by)
        assert ran.status in (0, 1), ran
        if ran.status == 0:
            expected = good.report("peak", by)
            assert numbers(ran.json) == numbers(expected)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE counter_chunk SET data = zeroblob(100000)",
        "UPDATE counter_chunk SET data = x''",
        "UPDATE counter_chunk SET count = 2000000000",
        "UPDATE counter_chunk SET count = -1",
        "UPDATE counter_chunk SET count = count - 1",
        "UPDATE node_chunk SET data = x'28b52ffd'",
        "UPDATE node_chunk SET count = 9223372036854775807",
        "UPDATE node_chunk SET first = first + 7",
        "UPDATE location SET code = 999999",
        "UPDATE code SET file = -3",
        "UPDATE run SET command = 'no json'",
        "UPDATE process SET peak_bytes = peak_bytes + 1",
        "UPDATE source SET bytes = 1 << 40",
    ],
)
@pytest.mark.parametrize("by", ["line", "stack"])
def test_nonsense_inside(good, tmp_path, statement, by):
    """By somebody who knows the format: still no crash, and rows that add up where there are any."""
    ran = read(changed(good, tmp_path, statement), "--by", by)
    assert ran.status in (0, 1), ran
    if ran.status == 0:
        rows = harness.sum_of(ran.json["rows"])
        assert (rows.bytes, rows.blocks) == tuple(ran.json["view"][n] for n in ("bytes", "blocks"))


def test_truncated(good, tmp_path):
    whole = good.file.read_bytes()
    expected = numbers(good.report())
    file = tmp_path / "short.heapline"
    lengths = {*range(0, len(whole), max(1, len(whole) // 60)), 15, 16, 17, 99, 100, 101}
    lengths |= {4095, 4096, 4097, 8192, len(whole) - 1, len(whole) - 4096}
    for length in sorted(n for n in lengths if 0 <= n < len(whole)):
        file.write_bytes(whole[:length])
        ran = read(file)
        assert ran.status in (0, 1), (length, ran)
        if ran.status == 0:
            assert numbers(ran.json) == expected, length
        else:
            assert str(file) in ran.err and ran.out == "", (length, ran)


def are_right(report, expected, by):
    """A place is a plain row, which nothing checks: another line in it tells stacks apart, or makes two one."""
    totals, view, rows = numbers(report)
    if by != "stack" or (totals, view) != expected[:2]:
        return (totals, view, rows) == expected
    return [sum(column) for column in zip(*rows)] == [sum(column) for column in zip(*expected[2])]


@pytest.mark.parametrize("kind", ["bit", "byte", "zeros", "garbage", "swap"])
@pytest.mark.parametrize("by", ["line", "stack"])
def test_damaged_at_random(good, tmp_path, kind, by):
    """Whatever is still reported is what was recorded."""
    whole = good.file.read_bytes()
    expected = numbers(good.report("peak", by))
    file = tmp_path / "damaged.heapline"
    numbers_of = random.Random(f"{kind} {by}")
    wrong = []
    for _ in range(MUTATIONS // (10 if by == "line" else 30)):  # stacks are long
        data = bytearray(whole)
        at = numbers_of.randrange(len(data))
        if kind == "bit":
            data[at] ^= 1 << numbers_of.randrange(8)
        elif kind == "byte":
            data[at] = numbers_of.randrange(256)
        elif kind == "zeros":
            data[at : at + 64] = bytes(len(data[at : at + 64]))
        elif kind == "garbage":
            data[at : at + 500] = numbers_of.randbytes(len(data[at : at + 500]))
        else:
            page, other = (numbers_of.randrange(len(data) // 4096) * 4096 for _ in range(2))
            data[page : page + 4096], data[other : other + 4096] = (
                data[other : other + 4096],
                data[page : page + 4096],
            )
        file.write_bytes(data)
        ran = read(file, "--by", by)
        if ran.status == 0 and not are_right(ran.json, expected, by):
            wrong.append((at, "other numbers"))
        elif ran.status == 1 and (ran.out or str(file) not in ran.err):
            wrong.append((at, ran))
        elif ran.status not in (0, 1):
            wrong.append((at, ran))
    assert wrong == []
