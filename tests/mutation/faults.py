"""Small faults for the C sources: where one can stand, what it changes, and which are drawn for a seed.

A fault changes one line within a function, in place, so that all other lines keep their numbers: a
comparison turned, a number off by one, another constant, a condition negated, "and" for "or", two
arguments swapped, a statement dropped. Comments, texts in quotes and what preprocessor and assertions
say are left alone. How many each part gets goes by its lines of code; within a part each line of a
function is as likely as any other. Nothing is compiled here: what cannot be compiled, or compiles to
the same code, is for `run` to refuse and to draw the next one instead.
"""

import collections
import itertools
import random
import re

PARTS = ("preload", "collector", "viewer", "schema")

# What is no code, over several lines too.
SILENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)

TURNED = {"<": "<=", ">": ">=", "<=": "<", ">=": ">", "==": "!=", "!=": "=="}

Line = collections.namedtuple("Line", "file number function")


class Fault(collections.namedtuple("Fault", "line kind before after")):
    """`before` and `after` are the whole line, without its end."""

    def __str__(self):
        return f"{self.line.file}:{self.line.number} {self.line.function}(): {self.kind}: {self.after.strip()}"

    def apply(self, tree):
        self._replace(tree, self.before, self.after)

    def take_back(self, tree):
        self._replace(tree, self.after, self.before)

    def _replace(self, tree, old, new):
        path = tree / self.line.file
        lines = path.read_bytes().split(b"\n")
        assert lines[self.line.number - 1] == old.encode(), f"{path}:{self.line.number} is another line"
        lines[self.line.number - 1] = new.encode()
        path.write_bytes(b"\n".join(lines))


def masked(text):
    """The text, as long as it was, with blanks where there is no code."""
    return SILENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


# --- kinds: each gives (from, to, what stands there instead) for every place in a line ----------------


def comparison_turned(code):
    for found in re.finditer(r" (<|>|<=|>=|==|!=) ", code):
        yield *found.span(1), TURNED[found[1]]


def off_by_one(code):
    for found in re.finditer(r" [+-] (1)\b(?![.\w])", code):
        yield *found.span(1), "0"


def wrong_constant(code):
    for found in re.finditer(r"(?<![\w.])([2-9]|[1-9]\d+)\b(?![.\w])", code):
        yield *found.span(1), str(int(found[1]) + 1)


def condition_negated(code):
    for found in re.finditer(r"\b(?:if|while) (\(.*\))(?: \{| return\b.*| continue;| break;)?$", code.rstrip()):
        if found[1].count("(") == found[1].count(")"):
            yield *found.span(1), f"(!{found[1]})"


def other_connective(code):
    for found in re.finditer(r" (&&|\|\|) ", code):
        yield *found.span(1), "||" if found[1] == "&&" else "&&"


def arguments_swapped(code):
    for found in re.finditer(r"\w\(((?:[^(),]+, )?)([\w.>-]+), ([\w.>-]+)([,)])", code):
        if found[2] != found[3]:
            yield found.start(2), found.end(3), f"{found[3]}, {found[2]}"


def statement_dropped(code):
    """An assignment, which is no declaration, or a call whose value nobody wants."""
    found = re.fullmatch(r"\s+((?:[\w.>()\[\]*-]+ [-+|&^]?= [^;]+|[\w.>-]+\([^;]*\)|[\w.>-]+(?:\+\+|--));)\s*", code)
    if found and not re.match(r"return\b", found[1]) and found[1].count("(") == found[1].count(")"):
        yield *found.span(1), ";"


KINDS = {
    kind.__name__.replace("_", " "): kind
    for kind in (
        comparison_turned,
        off_by_one,
        wrong_constant,
        condition_negated,
        other_connective,
        arguments_swapped,
        statement_dropped,
    )
}


def faults_of(line, text, code):
    if code.lstrip().startswith("#") or "assert" in code or "invariant" in code:
        return []
    return [
        Fault(line, name, text, text[:start] + instead + text[end:])
        for name, kind in KINDS.items()
        for start, end, instead in kind(code)
    ]


# --- where they can stand -----------------------------------------------------------------------------


def lines_of_functions(tree, path):
    """(Line, its text, its code): a function's body stands between braces in the first column."""
    text = (tree / path).read_text()
    function, before = None, ""
    for number, (line, code) in enumerate(zip(text.split("\n"), masked(text).split("\n")), 1):
        if line == "{":
            function = (re.findall(r"(\w+)\(", before) or ["?"])[0]
        elif line == "}":
            function = None
        elif function and code.strip():
            yield Line(str(path), number, function), line, code
        before = before + code if before and not code.startswith("}") and code[:1] in (" ", "\t") else code


def sources(tree, part):
    return sorted(path.relative_to(tree) for path in (tree / part).rglob("*.c"))


def shares(sizes, count):
    """count, divided by sizes; what rounding leaves goes to the largest remainders."""
    exact = {name: count * size / sum(sizes.values()) for name, size in sizes.items()}
    given = {name: int(share) for name, share in exact.items()}
    left = sorted(exact, key=lambda name: given[name] - exact[name])
    for name in left[: count - sum(given.values())]:
        given[name] += 1
    return given


class Draw:
    """Faults for a seed, part by part, each in another line."""

    def __init__(self, tree, seed):
        self.random = random.Random(seed)
        self.lines = {
            part: [found for path in sources(tree, part) for found in lines_of_functions(tree, path)] for part in PARTS
        }
        for lines in self.lines.values():
            self.random.shuffle(lines)

    def shares(self, count):
        return shares({part: len(lines) for part, lines in self.lines.items()}, count)

    def of_part(self, part):
        """All that can be drawn of a part: a kind first, for some have many more places than others."""
        for found in self.lines[part]:
            faults = faults_of(*found)
            if faults:
                kind = self.random.choice(sorted({fault.kind for fault in faults}))
                yield self.random.choice([fault for fault in faults if fault.kind == kind])

    def take(self, count, is_wanted=lambda fault: True):
        """The first `count` that are wanted, spread over the parts."""
        for part, share in self.shares(count).items():
            yield from itertools.islice(filter(is_wanted, self.of_part(part)), share)
