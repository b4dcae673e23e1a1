"""Instances of classes of several kinds, closures, and what hangs on them.

Each function is called from one line only: up to 3.10 a function keeps its frame, which belongs to
its first caller here and to its last one in tracemalloc.
"""
from snapshot import finish, fresh, start


class Slotted:
    __slots__ = ("left", "right", "name")

    def __init__(self, name):
        self.name = "name-%06d" % name
        self.left = None
        self.right = None


class Plain:
    def __init__(self, number):
        self.number = "%d" % number
        self.text = "t" * (number % 40 + 2)

    def grow(self):
        for extra in range(12):
            setattr(self, "extra_%d" % extra, None)


class Text(str):
    pass


class Deeper(Plain):
    def __init__(self, number):
        self.children = {"child-%d" % n for n in range(number % 20)}


def chain(length):
    last = None
    for number in range(length):
        node = Slotted(number)
        node.left = last
        last = node
    return last


def counter(start):
    state = {"value-%d" % n for n in range(start, start + 8)}

    def count():
        return state

    return count


def numbers():
    for number in range(10):
        yield "number %d" % number


plain, deeper, texts, counters, running = [[None] * 500 for _ in range(5)]
hundred = range(100)
start()
root = chain(500)  #: first
fresh()
for number in range(500):
    plain[number] = Plain(number)
fresh()
for number in range(50):
    plain[number].grow()
fresh()
for number in range(300):
    deeper[number] = Deeper(number)
fresh()
for number in range(200):
    texts[number] = Text("subclass of str %d" % number)
fresh()
for number in hundred:
    counters[number] = counter(number)
fresh()
for number in range(50):
    running[number] = numbers()
    next(running[number])  #: last
finish(__file__)
