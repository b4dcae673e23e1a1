"""Which tests tell anything beside the others: a covering design instead of the full cross.

A test over interpreters, builds ("editions") and parameters of its own is wanted in cells of that
cross: each of its parameters on at least three interpreters, and each interpreter under two of the
parameters, or under one where there are no more than four. Where it has none of its own it is wanted
on every third interpreter. The check edition walks each stack a second time, so every third parameter
is wanted in it, and each test on at least three of the shapes of reading stacks. Six marks say that a
test, a module or a parameter is another case:

  each_interpreter  what it looks at is how this interpreter is read, or what only some of them have. Two
                    of one version, differently built, share the tests between them
  each_build        … and not these two: one of them has what the other has not
  few_interpreters  what it looks at is the reader's work, which a few of them show, in one edition
  one_interpreter   what it looks at is around the program: each parameter on one interpreter alone
  of_readers        what it looks at is what reports make of a recording, or native frames, which nobody
                    checks: the check edition is for what is over interpreters alone
  across(NAME)      what it looks at is a file: its parameter of that name stands for the interpreter

Nothing here is drawn by lot: a test's cells follow from its name and from the order of its
parameters. They go round the circle of interpreters in steps, and each test begins elsewhere, so that
what is wanted of all tests together is spread evenly over the interpreters, and of the check edition
over the shapes. The full cross remains: `./dev test --full`. An interpreter that is not at hand takes
no cell from another; one test of each function is left to it, which says so.
"""

import math
import zlib

import interpreters

# How the stacks of each CPython are read. One of each is what the check edition needs.
SHAPES = ("debian", "3.8", "3.10", "3.12", "3.13", "sid-3.14", "sid-3.15")
# Debian's, the oldest and the newest.
FEW = ("debian", "3.8", "sid-3.15")

# Next to each other on the circle are interpreters that differ: this far apart in the order of age.
STEP = 4


def circle(names, test):
    """The names in the order in which the cells of this test take them."""
    count = len(names)
    step = STEP if math.gcd(count, STEP) == 1 else 1
    first = zlib.crc32(test.encode()) % count
    return [names[(first + number * step) % count] for number in range(count)]


def share(names, parameters, at_least):
    """On how many of the names each parameter is wanted for every name to be under two of them, or
    under one where there are few."""
    under = 2 if parameters > 4 else 1
    return min(len(names), max(at_least, -(-len(names) * under // parameters)))


def cells(names, parameters, each, test):
    """{(name, number of the parameter)}, each parameter under the next `each` names of the circle."""
    around = circle(names, test)
    return {
        (around[(number * each + place) % len(names)], number)
        for number in range(parameters)
        for place in range(each)
    }


def cells_of_plain(names, parameters, test, marks):
    if "one_interpreter" in marks:
        return cells(names, parameters, 1, test)
    each = share(names, parameters, 3) if parameters > 1 else -(-len(names) // 3)
    return cells(names, parameters, each, test)


def cells_of_check(names, parameters, test, marks):
    thirds = range(0, parameters, 3)
    shapes = [name for name in names if name in SHAPES] or names
    each = 1 if "one_interpreter" in marks else min(len(shapes), -(-3 // len(thirds)))
    return {(name, thirds[number]) for name, number in cells(shapes, len(thirds), each, test)}


CHOICES = {"plain": cells_of_plain, "check": cells_of_check}


def kind_of(name):
    """What tells how an interpreter is to be read; what it is called, where it is not at hand."""
    found = interpreters.find(name)
    return (found.version[:2], found.debug, found.free_threaded) if found else name


def is_turn_of(name, test):
    """Of interpreters of one kind, whether this one takes the test."""
    alike = [other for other in interpreters.NAMES if kind_of(other) == kind_of(name)]
    return alike[zlib.crc32(test.encode()) % len(alike)] == name


class Cross:
    """All tests of one function in one edition."""

    def __init__(self, test, edition):
        self.test = test
        self.edition = edition
        self.marks = set()
        self.names = {}  # in the order in which pytest has them; None where there are no interpreters
        self.absent = {}  # {name: what it says so under}
        self.parameters = {}  # {the parameters of its own: their number}

    def add(self, place):
        (self.names if place.is_at_hand else self.absent).setdefault(place.name, place.own)
        self.parameters.setdefault(place.own, len(self.parameters))
        self.marks |= place.marks

    def wanted(self):
        """{(interpreter, parameters of its own)}"""
        own = list(self.parameters)
        choose = CHOICES[self.edition]
        chosen = choose(list(self.names), len(own), self.test, self.marks) if self.names else set()
        return {(name, own[number]) for name, number in chosen} | set(self.absent.items())


class Place:
    """Where in which cross a test stands."""

    def __init__(self, item):
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        mark = item.get_closest_marker("across")
        axis = mark.args[0] if mark else "interpreter"
        self.name = parameters.get(axis) if axis == "interpreter" else repr(parameters[axis])
        self.is_at_hand = self.name is None or axis != "interpreter" or interpreters.find(self.name)
        self.edition = parameters.get("edition", "plain")
        self.function = (f"{item.module.__name__}.{getattr(item, 'originalname', item.name)}", self.edition)
        others = (key for key in sorted(parameters) if key not in (axis, "edition"))
        self.own = tuple((key, repr(parameters[key])) for key in others)
        self.marks = {mark.name for mark in item.iter_markers()}

    def is_wanted(self, chosen):
        """`chosen`: what the crosses chose, {function: {(interpreter, parameters of its own)}}"""
        if "few_interpreters" in self.marks:
            return self.edition == "plain" and self.name in (None, *FEW)
        if "of_readers" in self.marks and not self.name:
            return self.edition == "plain"
        if "each_interpreter" in self.marks and self.edition == "plain":
            return not self.name or "each_build" in self.marks or is_turn_of(self.name, f"{self.function[0]} {self.own}")
        return (self.name, self.own) in chosen[self.function]


def chosen_of(places):
    crosses = {}
    for place in places:
        crosses.setdefault(place.function, Cross(*place.function)).add(place)
    return {function: cross.wanted() for function, cross in crosses.items()}


def divided(items):
    """(wanted, spared): the tests of a session, and those among them that tell nothing beside others."""
    places = [Place(item) for item in items]
    chosen = chosen_of(places)
    wanted, spared = [], []
    for item, place in zip(items, places):
        (wanted if place.is_wanted(chosen) else spared).append(item)
    return wanted, spared
