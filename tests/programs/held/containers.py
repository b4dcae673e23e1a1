"""Containers that grow: every resize is a realloc that moves the block to the line that caused it."""
import array
import collections
from snapshot import finish, fresh, start

words = ["%d" % n for n in range(500)]
nested, pairs, tuples, huge = [[None] * 300 for _ in range(4)]

start()
numbers = array.array("l", range(10_000, 30_000))  #: first
by_number = {}
for number in numbers:
    by_number["%d" % number] = None
fresh()
unique = set()
for number in numbers:
    unique.add("%d" % number)
fresh()
frozen = frozenset(words)
fresh()
queue = collections.deque()
for number in numbers:
    queue.append(None)
fresh()
counts = collections.Counter()
for number in range(300):
    counts["count %d" % number] += 1
fresh()
table = collections.defaultdict(set)
for number in range(500):
    table["t%d" % (number % 50)].add(str(number + 100_000))
fresh()
packed = array.array("d", [0.0]) * 4000
packed.extend(array.array("d", [1.0]) * 100)
fresh()
appended = []
for number in range(3000):
    appended.append(None)
fresh()
for number in range(100):
    nested[number] = [None] * (number + 40)
fresh()
inserted = [None] * 50
for number in range(200):
    inserted.insert(10, None)
fresh()
for number in range(300):
    pairs[number] = {"key": None, "other": None}
fresh()
for number in range(100):
    tuples[number] = tuple(inserted[: number + 30])
fresh()
for number in range(50):
    huge[number] = 1 << (2000 + 100 * number)
fresh()
ordered = collections.OrderedDict()
for word in words:
    ordered[word] = None  #: last
finish(__file__)
