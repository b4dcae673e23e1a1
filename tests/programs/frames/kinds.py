"""Every kind of code object and of call that allocates on its own line."""
import functools
from stackcheck import finish, hold, keep, note

keep([None] * note(1000))


def plain():
    keep([None] * note(1001))


def nested():
    def inner():
        keep([None] * note(1002))
        plain()

    inner()


def with_defaults(first, *rest, key=None, **more):
    keep([None] * note(1003 + len(rest) + len(more)))


def recursive(depth):
    if depth:
        return recursive(depth - 1)
    keep([None] * note(1006))


plain()
nested()
with_defaults(1)
with_defaults(*[1, 2, 3], **{"a": 1, "b": 2})
recursive(7)

small = lambda: keep([None] * note(1010))
small()
(lambda: (lambda: keep([None] * note(1011)))())()

# Comprehensions are functions of their own up to 3.11 and inlined from 3.12.
[keep([None] * note(1020 + n)) for n in range(2)]
{keep([None] * note(1022 + n)) for n in range(2)}
{keep([None] * note(1024 + n)): n for n in range(2)}
list(keep([None] * note(1026 + n)) for n in range(2))
[[keep([None] * note(1028 + n)) for n in range(m)] for m in range(3)]


def comprehensions():
    [keep([None] * note(1030 + n)) for n in range(2)]
    [hold(1032 + n) for n in range(2) if n]
    return [
        keep(
            [None] * note(1034),
        )
        for n in range(2)
    ]


comprehensions()


class Body:
    keep([None] * note(1040))

    class Inner:
        keep([None] * note(1041))
        [keep([None] * note(1042)) for n in range(2)]

        def method(self):
            keep([None] * note(1043))

    def __init__(self):
        keep([None] * note(1044))

    def __enter__(self):
        keep([None] * note(1045))
        return self

    def __exit__(self, *_):
        keep([None] * note(1046))

    def __getattr__(self, name):
        keep([None] * note(1047))

    def __add__(self, other):
        keep([None] * note(1048))
        return self

    def __getitem__(self, key):
        keep([None] * note(1049))

    @property
    def shown(self):
        keep([None] * note(1050))

    @classmethod
    def made(cls):
        keep([None] * note(1051))

    @staticmethod
    def static():
        keep([None] * note(1052))

    def __del__(self):
        keep([None] * note(1053))


with Body() as body:
    body.anything
    body + 1
    body[3]
    body.shown
    body.made()
    body.static()
    Body.Inner().method()
del body


def decorator(function):
    keep([None] * note(1060))

    @functools.wraps(function)
    def wrapper(*args):
        keep([None] * note(1061))
        return function(*args)

    return wrapper


@decorator
@decorator
def decorated(value):
    keep([None] * note(1062))


decorated(3)


@functools.lru_cache(maxsize=None)
def cached(value):
    keep([None] * note(1063))


cached(1)
functools.partial(plain)()


def raises():
    try:
        raise ValueError
    except ValueError:
        keep([None] * note(1070))
    finally:
        keep([None] * note(1071))


raises()


class Meta(type):
    def __new__(mcs, name, bases, body):
        keep([None] * note(1080))
        return super().__new__(mcs, name, bases, body)

    def __call__(cls):
        keep([None] * note(1081))
        return super().__call__()


class FromMeta(metaclass=Meta):
    pass


FromMeta()

# exec and eval, with names of their own and without.
exec("keep([None] * note(1090))")
exec(compile("\n\nkeep([None] * note(1091))", "<generated>", "exec"))
exec(compile("def made():\n    keep([None] * note(1092))\nmade()", "/no/such/file.py", "exec"))
eval("keep([None] * note(1093))")
eval(compile("[keep([None] * note(1094)) for n in range(2)]", "<expression>", "eval"))
finish()
