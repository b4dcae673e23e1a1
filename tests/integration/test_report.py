"""What `heapline report` says agrees with itself, with the file, and with what the program did."""

import csv
import io
import json
import re

import harness
import pytest
from harness import BUILD, BYTES_HEADER, PYTHON_ALLOCATORS, run, sum_of

GROUPINGS = ("line", "file", "function", "stack", "thread", "allocator", "size")
MOMENTS = ("peak", "end", "exit")

SOURCE = """
    import json, threading

    class Record:
        def __init__(self, number):
            self.text = "text %d" % number * 5
            self.values = {n: bytes(n) for n in range(number % 7)}

    def load(count):
        return [Record(n) for n in range(count)]  #: records

    def convert(records):
        big = bytes(20_000_000)  #: big
        return json.dumps([r.text for r in records])

    def thread(number):
        kept[number] = bytes(100_000 + number)  #: thread

    kept = [None] * 4
    records = load(2000)
    text = convert(records)
    threads = [threading.Thread(target=thread, args=(n,), name="worker-%d" % n) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    del records
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """One recording that the tests here only read."""
    import interpreters

    folder = tmp_path_factory.mktemp("report")
    source = harness.Program.write(folder, SOURCE, "app.py")
    recording = harness.record(
        [interpreters.find("debian").path, source], folder / "run.heapline", cwd=folder
    )
    return recording, source


@pytest.fixture
def recording(recorded):
    return recorded[0]


@pytest.fixture
def source(recorded):
    return recorded[1]


def plain(recording, *arguments, **options):
    return run([BUILD / "heapline", "report", *arguments, recording.file], check=0, **options)


@pytest.mark.parametrize("at", MOMENTS)
@pytest.mark.parametrize("by", GROUPINGS)
def test_rows_add_up(recording, by, at):
    report = recording.report(at, by)
    view, totals = report["view"], report["totals"]
    rows = sum_of(report["rows"])
    assert (view["at"], view["by"], view["cumulative"]) == (at, by, False)
    assert (rows.bytes, rows.blocks) == (view["bytes"], view["blocks"])
    assert view["rows_omitted"] == 0
    moment = {"peak": "peak", "end": "end", "exit": "leaked"}[at]
    assert view["bytes"] == totals[f"{moment}_bytes"]
    if at != "peak":
        assert view["blocks"] == totals[f"{moment}_blocks"]
    assert rows.allocated_bytes == totals["allocated_bytes"]
    assert rows.allocations == totals["allocations"]


def test_totals(recording, source):
    totals = recording.totals
    process = recording.process
    for name in ("peak_bytes", "end_bytes", "leaked_bytes", "allocations", "frees"):
        assert totals[name] == process[name]
    assert totals["peak_bytes"] > 20_000_000 > totals["end_bytes"] > totals["leaked_bytes"] >= 0
    assert totals["allocations"] - totals["frees"] == totals["leaked_blocks"]
    assert totals["allocated_bytes"] >= totals["peak_bytes"]
    about = recording.summary["run"]
    assert 0 < totals["peak_time"] < about["seconds"]
    assert about["command"][1:] == [str(source)]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", about["started"])
    assert harness.Path(about["file"]).samefile(recording.file)


def test_known_lines(recording, source):
    big = recording.line(source, "big", "peak")
    assert (big.bytes, big.blocks) == (20_000_000 + BYTES_HEADER, 1)
    assert recording.line(source, "big", "end").bytes == 0
    thread = recording.line(source, "thread", "end", PYTHON_ALLOCATORS)
    assert thread.bytes == sum(100_000 + n + BYTES_HEADER for n in range(4))
    assert recording.line(source, "records", "peak").blocks >= 2000


def test_default_is_the_peak_by_line(recording):
    report = harness.report(recording.file)
    assert (report["view"]["at"], report["view"]["by"]) == ("peak", "line")
    assert len(report["rows"]) == 10
    assert report["rows"] == recording.report()["rows"][:10]
    assert report["view"]["rows_omitted"] == len(recording.report()["rows"]) - 10
    assert report["view"]["bytes"] == recording.report()["view"]["bytes"]


@pytest.mark.parametrize("limit", [1, 3, 1000000])
def test_limit(recording, limit):
    report = harness.report(recording.file, "-n", str(limit))
    everything = recording.report()["rows"]
    assert report["rows"] == everything[:limit]
    assert report["view"]["rows_omitted"] == max(0, len(everything) - limit)


@pytest.mark.parametrize("key", ["bytes", "blocks", "allocated", "allocations", "name"])
def test_sort(recording, key):
    rows = recording.report("peak", "line", "--sort", key)["rows"]
    assert len(rows) == len(recording.report()["rows"])
    if key == "name":
        names = [(row["file"] or "", row["line"] or 0) for row in rows]
        assert names == sorted(names) or [n for n in names if n[0]] == sorted(n for n in names if n[0])
    else:
        field = {"allocated": "allocated_bytes"}.get(key, key)
        values = [row[field] for row in rows]
        assert values == sorted(values, reverse=True)


def test_sorted_by_bytes_unless_told_otherwise(recording):
    values = [row["bytes"] for row in recording.rows("end", "function")]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("at", MOMENTS)
def test_allocators_are_parts_of_the_whole(recording, at):
    parts = [recording.report(at, "line", "--allocator", name) for name in ("raw", "mem", "object", "malloc", "mmap")]
    assert sum(part["view"]["bytes"] for part in parts) == recording.report(at)["view"]["bytes"]
    pair = recording.report(at, "line", "--allocator", "raw", "--allocator", "mem")
    assert pair["view"]["bytes"] == parts[0]["view"]["bytes"] + parts[1]["view"]["bytes"]
    by_allocator = {json.dumps(row): row["bytes"] for row in recording.rows(at, "allocator")}
    assert sorted(by_allocator.values()) == sorted(
        part["view"]["bytes"] for part in parts if part["rows"]
    )


def test_include_and_exclude(recording, source):
    own = recording.report("peak", "line", "--include", "*/app.py")
    assert {row["file"] for row in own["rows"]} == {str(source)}
    rest = recording.report("peak", "line", "--exclude", "*/app.py")
    assert str(source) not in {row["file"] for row in rest["rows"]}
    whole = recording.report("peak", "line")["view"]
    assert own["view"]["bytes"] + rest["view"]["bytes"] == whole["bytes"]
    assert own["view"]["blocks"] + rest["view"]["blocks"] == whole["blocks"]
    nothing = recording.report("peak", "line", "--include", "no such file")
    assert (nothing["rows"], nothing["view"]["bytes"]) == ([], 0)


def test_groupings_are_sums_of_each_other(recording):
    """Lines are sums of stacks, functions and files sums of lines."""

    def grouped(rows, key):
        sums = {}
        for row in rows:
            sums[key(row)] = sums.get(key(row), harness.NOTHING) + sum_of([row])
        return sums

    stacks = recording.rows("peak", "stack")
    lines = recording.rows("peak", "line")
    files = recording.rows("peak", "file")

    def innermost(row):
        return (row["stack"][-1]["file"], row["stack"][-1]["line"]) if row["stack"] else (None, None)

    by_line = grouped(lines, lambda row: (row["file"], row["line"]))
    assert grouped(stacks, innermost) == by_line
    assert grouped(lines, lambda row: row["file"]) == grouped(files, lambda row: row["file"])
    functions = grouped(recording.rows("peak", "function"), lambda row: (row["file"], row["function"]))
    assert grouped(lines, lambda row: (row["file"], row["function"])) == functions


def test_cumulative(recording, source):
    """A line counts once for each stack that it is on, as tracemalloc counts."""
    expected = {}
    for row in recording.rows("peak", "stack"):
        for place in {(f["file"], f["line"], f["function"]) for f in row["stack"]}:
            expected[place] = expected.get(place, 0) + row["bytes"]
    report = recording.report("peak", "line", "--cumulative")
    seen = {
        (row["file"], row["line"], row["function"]): row["bytes"]
        for row in report["rows"]
        if row["file"] is not None
    }
    assert seen == expected
    assert report["view"]["cumulative"] is True


def test_thread_and_size_rows_are_told_apart(recording):
    assert len(recording.rows("end", "thread")) >= 5
    assert len(recording.rows("peak", "size")) >= 5


def test_pid(recording):
    pid = recording.process["pid"]
    assert recording.report("peak", "line", "--pid", str(pid))["rows"] == recording.rows()
    ran = run([BUILD / "heapline", "report", "--json", "--pid", "1", recording.file])
    assert ran.status != 0 or ran.json["rows"] == []


def test_csv(recording):
    table = list(csv.DictReader(io.StringIO(plain(recording, "--csv", "-n", "0", "--at", "peak").out)))
    rows = recording.rows()
    assert len(table) == len(rows)
    assert [int(line["bytes"]) for line in table] == [row["bytes"] for row in rows]
    assert [line["file"] or None for line in table] == [row["file"] for row in rows]


def test_text(recording, source):
    ran = plain(recording, "--at", "peak")
    assert "app.py" in ran.out and "MiB" in ran.out
    assert "big = bytes(20_000_000)" in ran.out, "the source line stands beside its place"
    assert "\x1b" not in ran.out
    assert len(ran.out.splitlines()) <= 60


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
@pytest.mark.parametrize("by", GROUPINGS)
def test_no_line_is_wider_than_the_terminal(recording, columns, by):
    env = harness.environment(COLUMNS=columns)
    for line in plain(recording, "--by", by, env=env).out.splitlines():
        assert len(line) <= columns, line


def test_colour_on_a_terminal_alone(recording, tmp_path):
    command = f"{BUILD}/heapline report {recording.file}"
    env = harness.environment(NO_COLOR=None, TERM="xterm-256color")
    on_terminal = run(["script", "-qec", command, "/dev/null"], env=env, check=0).out
    assert "\x1b[" in on_terminal
    for changed, more in ((harness.environment(TERM="xterm"), ""), (env, " --no-color")):
        ran = run(["script", "-qec", command + more, "/dev/null"], env=changed, check=0)
        assert "\x1b[" not in ran.out
    assert "\x1b" not in run(["sh", "-c", command], env=env, check=0).out


def test_newest_recording_of_the_folder(recording, tmp_path):
    for age, name in ((1, "old.heapline"), (2, "new.heapline")):
        (tmp_path / name).write_bytes(recording.file.read_bytes())
        harness.os.utime(tmp_path / name, (age, age))
    ran = run([BUILD / "heapline", "report", "--json"], cwd=tmp_path, check=0)
    assert "new.heapline" in ran.err and "old.heapline" not in ran.err
    assert ran.json["totals"] == recording.totals


def test_no_recording_in_the_folder(tmp_path):
    ran = run([BUILD / "heapline", "report"], cwd=tmp_path, check=1)
    assert ran.out == "" and ran.err.strip()


def test_reading_changes_nothing(recording, tmp_path):
    """Not the file, not its folder, and a read-only place will do."""
    before = recording.file.read_bytes()
    names = sorted(p.name for p in recording.file.parent.iterdir())
    plain(recording)
    assert recording.file.read_bytes() == before
    assert sorted(p.name for p in recording.file.parent.iterdir()) == names


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["--at", "yesterday"],
        ["--by", "colour"],
        ["--sort", "taste"],
        ["-n", "ten"],
        ["-n", "-1"],
        ["--allocator", "jemalloc"],
        ["--pid", "x"],
        ["one", "two", "three"],
        ["--json", "--csv"],
    ],
)
def test_wrong_usage(recording, arguments):
    ran = run([BUILD / "heapline", "report", *arguments, recording.file], check=2)
    assert ran.out == "" and ran.err.startswith("heapline")


# --- the file, for whoever opens it with SQL ----------------------------------------------------


def test_views_agree_with_the_report(recording):
    columns = "peak_bytes, peak_blocks, end_bytes, end_blocks, leaked_bytes, leaked_blocks"
    for view, by, key in (
        ("lines", "line", ("file", "line", "function")),
        ("functions", "function", ("file", "function")),
        ("files", "file", ("file",)),
    ):
        query = f"SELECT {', '.join(key)}, sum(peak_bytes), sum(end_bytes), sum(leaked_bytes) FROM {view}"
        seen = {row[: len(key)]: row[len(key) :] for row in recording.sql(f"{query} GROUP BY {', '.join(key)}")}
        for column, at in enumerate(MOMENTS):
            expected = {}
            for row in recording.rows(at, by):
                name = tuple(row[part] for part in key)
                expected[name] = expected.get(name, 0) + row["bytes"]
            assert {n: v[column] for n, v in seen.items() if v[column]} == {
                n: v for n, v in expected.items() if v
            }
    ((peak, end, leaked),) = recording.sql("SELECT peak_bytes, end_bytes, leaked_bytes FROM processes")
    totals = recording.totals
    assert (peak, end, leaked) == (totals["peak_bytes"], totals["end_bytes"], totals["leaked_bytes"])
    sums = recording.sql("SELECT sum(peak_bytes), sum(end_bytes), sum(leaked_bytes) FROM allocators")
    assert sums == [(peak, end, leaked)]
    assert recording.sql(f"SELECT {columns} FROM lines LIMIT 1")


def test_the_file_says_what_it_is(recording):
    assert recording.sql("PRAGMA application_id") == [(0x48504C4E,)]
    assert recording.sql("PRAGMA user_version") == [(recording.report()["heapline"]["format"],)]
    assert recording.sql("PRAGMA integrity_check") == [("ok",)]
    loose = recording.sql(
        "SELECT name FROM pragma_table_list WHERE type = 'table' AND NOT strict AND name NOT LIKE 'sqlite%'"
    )
    assert loose == []


def test_the_file_stands_alone(recording, source, tmp_path):
    """Read after the program's source has gone: the lines are in the recording."""
    copy = tmp_path / "elsewhere.heapline"
    copy.write_bytes(recording.file.read_bytes())
    text = source.path.read_text()
    try:
        source.path.write_text("something else\n" * 50)
        ran = run([BUILD / "heapline", "report", "--at", "peak", copy], check=0)
    finally:
        source.path.write_text(text)
    assert "big = bytes(20_000_000)" in ran.out


def test_threads_have_their_names(recording):
    names = {name for (name,) in recording.sql("SELECT name FROM thread")}
    assert names, "at least the main thread's"


@pytest.mark.few_interpreters
def test_small_and_large_blocks(interpreter, program, record):
    """On either side of 512 bytes, which belong to the small ones, and together all there is."""
    source = program(
        """
        small = bytes(512 - bytes().__sizeof__())  #: small
        large = bytes(513 - bytes().__sizeof__())  #: large
        """
    )
    recording = record(interpreter, source)
    both, held = 0, {}
    for size in "small", "large":
        answer = recording.report("end", "line", "--size", size, "-n", "0")
        both += answer["view"]["bytes"]
        for row in answer["rows"]:
            if row["file"] == str(source) and row["line"] in source.by_number:
                held[source.by_number[row["line"]], size] = row["bytes"]
    assert held["small", "small"] >= 512 and ("small", "large") not in held
    assert held["large", "large"] >= 513
    assert both == recording.report("end")["view"]["bytes"]
