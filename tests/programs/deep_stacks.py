"""Stacks that are deep, and change in every way that CPython has: for a walk that compares only what can
have changed. Usage: deep_stacks.py SEED STEPS. The same seed does the same things."""

import functools
import gc
import random
import sys
import threading

try:
    import greenlet
except ImportError:
    greenlet = None

DEEPEST = 900
sink = [None] * 64


class State(threading.local):
    steps, depth, is_switched = 0, 0, False


state = State()


def allocate():
    sink[random.randrange(64)] = [random.random()]


class Unwind(Exception):
    """Goes through so many frames."""

    def __init__(self, levels):
        self.levels = levels


# Functions whose frames are of all sizes, so that chunks end at every place: what each does is at two
# lines, with or without an allocation before.
SIZES = [*range(1, 12), 20, 45, 46, 47, 150, 400]
SHAPES = {}
for size in SIZES:
    names = ", ".join(f"v{n}" for n in range(size))
    exec(
        f"def sized(go, depth):\n"
        f"    {names}, = range({size})\n"
        f"    if depth % 3: allocate()\n"
        f"    go(depth + 1)\n"
        f"    if depth % 2: allocate()\n"
        f"    return go(depth + 1) if depth % 5 == 0 else v0\n",
        globals(),
        SHAPES,
    )
    SHAPES[size] = SHAPES.pop("sized")


def plain(depth):
    SHAPES[random.choice(SIZES)](go, depth)


def dive(depth, left=None):
    """Straight down, mostly without an allocation on the way."""
    left = random.randrange(20, 400) if left is None else left
    if left and depth < DEEPEST:
        dive(depth + 1, left - 1)
        if left % 50 == 0:
            allocate()
    else:
        bottom(depth)


def bottom(depth):
    for _ in range(random.randrange(1, 6)):
        allocate()
        go(depth + 1)


def leaf(depth):
    for _ in range(random.randrange(20)):
        allocate()


def through_c(depth):
    random.choice(
        (
            lambda: list(map(go, [depth + 1] * 2)),
            lambda: sorted([3, 2, 1], key=lambda n: go(depth + 1) or n),
            lambda: functools.reduce(lambda a, b: go(depth + 1), [1, 2, 3]),
            lambda: max([1, 2], key=lambda n: (allocate(), n)),
        )
    )()


def generator():
    while True:
        depth = yield
        allocate()
        go(depth + 1)
        allocate()


def delegating(levels):
    if levels:
        yield from delegating(levels - 1)
    else:
        yield from generator()


def new_generator():
    made = random.choice((generator, lambda: delegating(random.randrange(1, 120))))()
    next(made)
    return made


def resumed(depth):
    """Goes on from whatever depth is at hand."""
    waiting = state.generators
    made = waiting.pop(random.randrange(len(waiting))) if waiting and random.random() < 0.8 else new_generator()
    try:
        made.send(depth + 1)
    except StopIteration:
        return
    waiting.append(made)


def thrown_into(depth):
    waiting = state.generators
    if not waiting:
        return
    made = waiting.pop(random.randrange(len(waiting)))
    if random.random() < 0.5:
        made.close()
        return
    try:
        made.throw(Unwind(1))
    except Unwind:
        allocate()


async def awaiting(levels, depth):
    if levels:
        await awaiting(levels - 1, depth)
        if levels % 60 == 0:
            allocate()
    else:
        allocate()
        go(depth + 1)


def coroutines(depth):
    chain = awaiting(random.choice((3, 40, 500)), depth)
    try:
        chain.send(None)
    except StopIteration:
        allocate()


def unwinding(depth):
    raise Unwind(random.choice((1, 2, 5, 150)))


def catching(depth):
    try:
        dive(depth + 1)
    except Unwind as caught:
        allocate()
        frames = caught.__traceback__
        while frames and random.random() < 0.9:
            if frames.tb_frame is not sys._getframe():
                try:
                    frames.tb_frame.clear()
                except RuntimeError:  # it is executed
                    break
            frames = frames.tb_next
        if caught.levels > 2:
            caught.levels //= 2
            raise


class Keyword(str):
    """Compared while the callee's frame is pushed and not linked yet."""

    __hash__ = str.__hash__

    def __eq__(self, other):
        go(state.depth + 1)
        return str.__eq__(self, other)


def keyword(first=1, second=2):
    allocate()
    go(state.depth + 1)
    return first, second


def unlinked(depth):
    keyword(**{Keyword("second"): depth})


class Finalized:
    def __del__(self):
        allocate()
        try:
            go(state.depth + 1)
        except Unwind:
            allocate()


def variadic(*arguments, **keywords):
    allocate()


def collected(depth):
    one, other = Finalized(), [None]
    one.other, other[0] = other, one
    del one, other
    variadic(*range(20), **{f"k{n}": n for n in range(20)})
    gc.collect()


def jumping(depth):
    """A trace function sets the line of a frame below it, which may be deep."""
    target = sys._getframe()
    done = []

    def trace(frame, event, argument):
        if frame is target and event == "line" and not done and frame.f_lineno == first + 1:
            done.append(1)
            frame.f_lineno = first + 3
        return trace

    first = sys._getframe().f_lineno + 3
    target.f_trace = trace
    sys.settrace(trace)
    allocate()
    allocate()
    allocate()
    allocate()
    sys.settrace(None)
    allocate()


def threads(depth):
    if threading.current_thread() is not main or state.steps < 50:
        return
    started = [threading.Thread(target=run, args=(random.random(), state.steps // 40)) for _ in range(2)]
    for thread in started:
        thread.start()
    allocate()
    for thread in started:
        thread.join()


def switched(depth):
    if greenlet is None or state.is_switched:
        return leaf(depth)
    state.is_switched = True

    def side(depth):
        for _ in range(3):
            dive(0, random.randrange(300))
            allocate()
            greenlet.getcurrent().parent.switch()

    others = [greenlet.greenlet(side) for _ in range(2)]
    for number in range(6):
        others[number % 2].switch(depth)
        allocate()
    for other in others:
        other.throw()
    state.is_switched = False


def limited(depth):
    if threading.active_count() > 2:  # the limit is all threads'
        return leaf(depth)
    before = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(depth * 3 + 200)
        dive(depth, 1000)
    except RecursionError:
        allocate()
    finally:
        sys.setrecursionlimit(before)


ACTIONS = [plain] * 8 + [dive] * 3 + [leaf] * 6 + [resumed] * 6 + [catching] * 2 + [coroutines] * 2
ACTIONS += [through_c] * 2 + [unwinding, thrown_into, unlinked, unlinked, collected, threads, switched]
if sys.version_info >= (3, 12):  # before, who goes on behind a RecursionError may be ended for it
    ACTIONS.append(limited)
# What makes a walk compare everything from then on is for every other seed.
if int(sys.argv[1]) % 2 == 0:
    ACTIONS.remove(switched)
elif not hasattr(sys, "gettotalrefcount"):  # a debug build does not survive it
    ACTIONS.append(jumping)


def go(depth):
    if state.steps <= 0:
        return
    state.steps -= 1
    state.depth = depth
    action = leaf if depth > DEEPEST else random.choice(ACTIONS)
    try:
        action(depth)
    except RecursionError:
        raise
    except (ValueError, RuntimeError, StopIteration):
        # A generator that runs already, or has ended; too deep.
        allocate()
    state.depth = depth


def run(seed, steps):
    random.seed(seed)
    state.steps, state.depth, state.generators = steps, 0, []
    while state.steps > 0:
        try:
            go(0)
        except (Unwind, RecursionError):
            allocate()


sys.setrecursionlimit(20_000)
threading.stack_size(512 << 20)
main = threading.Thread(target=run, args=(int(sys.argv[1]), int(sys.argv[2])))
main.start()
main.join()
print("done")
