"""The source, line by line."""

import csv
import io

import harness
import pytest
from harness import BUILD, BYTES_HEADER, assert_complete, run

pytestmark = pytest.mark.of_readers

SOURCE = """
    def make(size):
        block = bytes(size)  #: make
        return block

    def build(count):
        return [make(10_000) for _ in range(count)]  #: build

    class Deep:
        def down(self, depth):
            own = bytes(50_000)  #: own
            return [own] + (self.down(depth - 1) if depth else [])  #: down

    kept = build(100)  #: kept
    deep = Deep().down(9)  #: deep
    for number in range(1000):
        bytes(7_000)  #: thrown
    once = bytes(300_000)  #: once
    del once
"""


def lines(*arguments, check=0, **more):
    return run([BUILD / "heapline", "lines", *arguments], check=check, **more)


WIDE = harness.environment(COLUMNS=160)


def near(value):
    """Lists, dictionaries and frames are small beside the blocks."""
    return pytest.approx(value, abs=20_000)


def test_figures(interpreter, program, record):
    source = program(SOURCE)
    recording = record(interpreter, source)
    assert_complete(recording)
    report = lines("--json", "--at", "end", recording.file, source.path).json
    (file,) = report["files"]
    assert (file["file"], file["changed"], report["at"]) == (str(source), False, "end")
    by_line = {line["line"]: line for line in file["lines"]}
    at = {name: by_line[number] for name, number in source.lines.items()}
    block, deep = 10_000 + BYTES_HEADER, 50_000 + BYTES_HEADER
    assert at["make"]["bytes"] == near(100 * block) and at["make"]["own_bytes"] == near(100 * block)
    # A comprehension stands on the line of the function that it is in, and counts once.
    assert at["build"]["bytes"] == near(100 * block) and at["build"]["own_bytes"] < 20_000
    assert at["kept"]["bytes"] == near(100 * block)
    # A recursion counts once.
    assert at["own"]["own_bytes"] == near(10 * deep)
    assert at["down"]["bytes"] == near(9 * deep)
    assert at["deep"]["bytes"] == near(10 * deep)
    assert at["thrown"]["own_bytes"] < 2_000 and at["thrown"]["own_allocated_bytes"] == near(1000 * 7_033)
    assert 1000 <= at["thrown"]["own_allocations"] < 1300
    assert at["thrown"]["temporary_bytes"] >= 1000 * (7_000 + BYTES_HEADER)
    assert at["make"]["temporary_bytes"] < 20_000
    assert at["once"]["bytes"] < 2_000 and at["once"]["allocated_bytes"] == near(300_033)
    for line in by_line.values():
        assert line["bytes"] == line["end_bytes"] >= line["own_bytes"] >= 0
        assert line["allocated_bytes"] >= line["own_allocated_bytes"]


def test_own_figures_are_the_report(python, program, record):
    source = program(SOURCE)
    recording = record(python, source)
    for at in ("peak", "end", "50%"):
        (file,) = lines("--json", "--at", at, recording.file, source.path).json["files"]
        own = {line["line"]: (line["own_bytes"], line["own_blocks"]) for line in file["lines"] if line["own_blocks"]}
        expected = {n: (s.bytes, s.blocks) for n, s in recording.per_line(source, at).items() if s.blocks}
        assert own == expected


def test_text(python, program, record):
    source = program(SOURCE)
    recording = record(python, source)
    text = lines(recording.file, source.path, "--full", env=WIDE).out
    printed = text.splitlines()
    assert printed[0] == f"Filename: {source}"
    titles = ("Line #", "Mem usage", "Increment", "Occurrences", "At end", "Allocated", "Blocks", "Temporary")
    assert all(title in printed[1] for title in titles)
    for number, line in enumerate(source.path.read_text().splitlines(), 1):
        shown = printed[1 + number]
        assert shown.split()[0] == str(number)
        assert shown.endswith(line) if line else True
    # Indentation is kept.
    start = printed[1].index("Line Contents")
    assert printed[1 + source.lines["make"]][start:].startswith("    block = bytes(size)")
    narrow = lines(recording.file, source.path, env=harness.environment(COLUMNS=50)).out
    assert all(len(line) <= 50 for line in narrow.splitlines()[1:])


def test_function(interpreter, program, record):
    source = program(SOURCE)
    recording = record(interpreter, source)
    printed = lines(recording.file, f"{source.path.name}:down").out.splitlines()
    numbers = [int(line.split()[0]) for line in printed[2:]]
    assert numbers == list(range(source.lines["own"], source.lines["down"] + 1))
    several = lines(recording.file, f"{source}:make", f"{source}:down").out
    assert several.count("Filename: ") == 2


def test_without_a_name_the_hottest(python, program, record):
    source = program(SOURCE)
    recording = record(python, source)
    assert lines(recording.file).out.startswith(f"Filename: {source}\n")
    ran = lines(cwd=recording.file.parent)
    assert "run.heapline" in ran.err and ran.out.startswith("Filename: ")


def test_long_files_are_folded(python, program, record):
    filler = "\n".join(f"x{number} = {number}" for number in range(500))
    source = program(f"{filler}\nkept = bytes(1_000_000)  #: kept\n{filler}\n")
    recording = record(python, source)
    folded = lines(recording.file, source.path, env=WIDE).out
    assert "   ..." in folded and len(folded.splitlines()) < 100
    assert f"{source.lines['kept']} " in folded and "kept = bytes(1_000_000)" in folded
    assert len(lines(recording.file, source.path, "--full").out.splitlines()) == 1001 + 2


LEAK = """
    def main():
        big = bytes(2_000_000_000)  # nothing but address space
        del big
        kept.append(bytes(7_000_000))  #: leak
    kept = []
    main()
"""


@pytest.mark.parametrize("filler", [0, 200])
def test_a_small_leak_is_not_folded(python, program, record, filler):
    """Beside what the file once held it is nothing; at the end it is all there is."""
    between = "\n" * filler
    source = program(LEAK.replace("        del big", f"        del big{between}"))
    recording = record(python, source)
    folded = lines(recording.file, source.path, env=WIDE).out.splitlines()
    assert ("   ..." in folded) == bool(filler)
    (leak,) = [line for line in folded if "kept.append(" in line]
    assert "6836 KiB" in leak or "6.7 MiB" in leak


def test_a_short_file_is_shown_whole(python, program, record):
    """The leak is less than a hundredth of everything, in a file that one looks at anyway."""
    source = program(LEAK.replace("        del big", "        kept.append(big)") + "    x = 1\n" * 24)
    recording = record(python, source)
    shown = lines(recording.file, source.path, env=WIDE).out
    assert len(shown.splitlines()) == 2 + 30 and "   ..." not in shown


def test_a_file_that_has_changed(python, program, record):
    source = program(SOURCE)
    recording = record(python, source)
    source.path.write_text("# something else\n")
    text = lines(recording.file, source.path, env=WIDE).out
    assert "changed since" in text.splitlines()[0] and "block = bytes(size)" in text
    assert lines(recording.file, source.path, "--json").json["files"][0]["changed"] is True
    source.path.unlink()
    text = lines(recording.file, source.path, env=WIDE).out
    assert "changed since" not in text and "block = bytes(size)" in text


def test_without_history(python, program, record):
    source = program(SOURCE)
    recording = record(python, source, options=["--no-history"])
    (file,) = lines("--json", recording.file, source.path).json["files"]
    thrown = next(line for line in file["lines"] if line["line"] == source.lines["thrown"])
    assert thrown["temporary_bytes"] >= 7_000_000
    assert lines(recording.file, source.path).out


def test_wrong_usage(python, program, record, tmp_path):
    recording = record(python, program(SOURCE))
    assert "nowhere.py" in lines(recording.file, "nowhere.py", check=1).err
    assert "program.py:nothing" in lines(recording.file, "program.py:nothing", check=1).err
    lines(tmp_path / "none.heapline", check=1)
    lines(recording.file, "--by", "line", check=2)
    assert "after the end" in lines(recording.file, "--at", "1h", check=1).err
    assert lines("--help").out


def test_a_span_and_csv(python, program, record):
    source = program(
        """
        import time
        first = bytes(200_000)  #: first
        time.sleep(0.05)
        bytes(1_000_000)  # the peak lies between
        time.sleep(0.05)
        second = bytes(100_000)  #: second
        """
    )
    recording = record(python, source)
    report = lines("--json", "--between", "0s", "end", recording.file, source.path).json
    assert (report["at"], report["from"], report["to"]) == (None, "0s", "end")
    whole = {line["line"]: line for line in report["files"][0]["lines"]}
    assert whole[source.lines["first"]]["own_bytes"] == near(200_000 + BYTES_HEADER)
    late = lines("--csv", "--between", "peak", "end", recording.file, source.path).out
    rows = {int(row["line"]): row for row in csv.DictReader(io.StringIO(late))}
    second = rows[source.lines["second"]]
    assert int(second["own_bytes"]) == near(100_000 + BYTES_HEADER) and second["file"] == str(source)
    assert rows[source.lines["first"]]["own_bytes"] == "0"  # held at both
    assert set(whole[source.lines["second"]]) | {"file"} == set(second)
    lines("--csv", "--json", recording.file, check=2)
    lines("--at", "end", "--between", "0s", "end", recording.file, check=2)
