"""Generators: suspended, resumed from elsewhere, delegating, closed, thrown into."""
from stackcheck import finish, hold, keep, note


def simple(start):
    keep([None] * note(start))
    yield 1
    keep([None] * note(start + 1))
    got = yield 2
    keep([None] * note(start + 2 + (got or 0)))
    yield 3


def consume(generator):
    for _ in generator:
        pass


def delegating(start):
    yield from simple(start)
    keep([None] * note(start + 50))
    yield from (hold(start + 51 + n) for n in range(2))


def deep(depth, start):
    if depth:
        yield from deep(depth - 1, start)
    else:
        yield from simple(start)
    keep([None] * note(start + 100 + depth))


def cleaning():
    try:
        yield 1
    except ValueError:
        keep([None] * note(2000))
        yield 2
    finally:
        keep([None] * note(2001))


def tree(depth):
    if depth:
        yield from tree(depth - 1)
        hold(3000 + depth)
        yield depth
        yield from tree(depth - 1)


consume(simple(1000))
one, two = simple(1010), simple(1020)
for _ in range(3):
    next(one)
    next(two)
resumed = simple(1030)
next(resumed)


def elsewhere():
    next(resumed)
    resumed.send(5)


elsewhere()
consume(delegating(1200))
consume(deep(30, 1400))
thrown = cleaning()
next(thrown)
thrown.throw(ValueError)
thrown.close()
dropped = cleaning()
next(dropped)
del dropped
consume(tree(6))
sum(hold(4000 + n) or 1 for n in range(3))
list(map(lambda n: hold(4100 + n), (n for n in range(3))))
sorted((n for n in range(4)), key=lambda n: hold(4200 + n) or n)
finish()
