"""heapline and tracemalloc agree on every line, byte for byte and block for block.

Each program of tests/programs/held runs twice: alone, measuring itself with tracemalloc, and under
heapline. Compared is what lives at the end.
"""

import ast

import pytest
from harness import PROGRAMS, PYTHON_ALLOCATORS, Program, assert_complete

HELD = sorted(path.name for path in (PROGRAMS / "held").glob("*.py"))


def lines_compared(program):
    """From the mark `first` to `last`, and the bodies of functions: all that runs after
    tracemalloc has been started, and nothing that ran before."""
    lines = set(range(program.lines["first"], program.lines["last"] + 1))
    for node in ast.walk(ast.parse(program.path.read_text())):
        if isinstance(node, ast.FunctionDef):
            lines.update(range(node.body[0].lineno, node.end_lineno + 1))
    return lines


def between_marks(program, lines):
    compared = lines_compared(program)
    return {line: sums for line, sums in lines.items() if line in compared}


def seen_by_tracemalloc(program, printed):
    lines = {int(line): tuple(sums) for line, sums in printed.items()}
    return between_marks(program, lines)


def seen_by_heapline(program, recording, allocators=PYTHON_ALLOCATORS):
    lines = recording.per_line(program, "end", allocators)
    return between_marks(program, {line: (s.bytes, s.blocks) for line, s in lines.items()})


def differences(program, seen, expected):
    """[line: seen, expected] of the lines that differ, with their text."""
    text = program.path.read_text().splitlines()
    return [
        f"{line}: {seen.get(line)}, {expected.get(line)}  {text[line - 1].strip()}"
        for line in sorted({*seen, *expected})
        if seen.get(line) != expected.get(line)
    ]


@pytest.mark.parametrize("name", HELD)
def test_every_line(interpreter, name, record, bare):
    program = Program.named(f"held/{name}")
    expected = seen_by_tracemalloc(program, bare(interpreter, program, "tracemalloc").json)
    assert len(expected) >= 10
    recording = record(interpreter, program)
    assert_complete(recording)
    assert differences(program, seen_by_heapline(program, recording), expected) == []


def test_the_known_difference(interpreter, program, record, bare):
    """CPython keeps freed floats on a list and takes the next ones from there without a word to
    the allocator. tracemalloc is told by the interpreter that an old block got a new owner;
    an allocator hook cannot know, and the block keeps the line that first asked for it.
    """
    source = program(
        """
        import snapshot
        kept = [None] * 200
        snapshot.start()
        for number in range(200):
            kept[number] = number + 0.5  #: first
        for number in range(200):
            kept[number] = None
        for number in range(90):
            kept[number] = number + 0.25  #: last
        snapshot.finish(__file__)
        """
    )
    tracemalloc = bare(interpreter, source, "tracemalloc").json
    recording = record(interpreter, source)
    # The list keeps the first line's floats, 90 of them get a second life on the last line, and
    # the full collection in finish() gives the others back.
    ninety = (90 * 24, 90)
    assert tuple(tracemalloc[str(source.lines["last"])]) == ninety
    assert str(source.lines["first"]) not in tracemalloc
    first = recording.line(source, "first", "end")
    last = recording.line(source, "last", "end")
    assert (first.bytes, first.blocks) == ninety
    assert (last.bytes, last.blocks) == (0, 0)


def test_both_at_once(interpreter, record, bare):
    """Neither changes what the other sees."""
    program = Program.named("held/objects.py")
    alone = bare(interpreter, program, "tracemalloc").json
    recording = record(interpreter, program, "tracemalloc")
    assert recording.json == alone
    # tracemalloc's own tables are raw allocations, on whichever line made them grow.
    domains = ("mem", "object")
    without = record(interpreter, program, file="without.heapline")
    assert seen_by_heapline(program, recording, domains) == seen_by_heapline(
        program, without, domains
    )
