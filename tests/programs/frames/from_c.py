"""Python called by C called by Python: callbacks, special methods, imports, hooks."""
import ctypes
import functools
import gc
import itertools
import json
import operator
import re
import sys
import weakref
from stackcheck import finish, hold, keep, note

list(map(lambda n: keep([None] * note(1000 + n)), range(3)))
list(filter(lambda n: hold(1010 + n), range(2)))
functools.reduce(lambda a, n: hold(1020 + n), range(3))
[3, 1, 2].sort(key=lambda n: keep([None] * note(1030 + n)) or n)
max([1, 2], key=lambda n: hold(1040 + n) or n)
re.sub("a", lambda match: hold(1050) or "b", "cabac")
json.loads('{"a": {"b": 1}}', object_hook=lambda d: hold(1060 + len(d)))
json.dumps({"a": {1}}, default=lambda o: hold(1061) or "x")
list(itertools.accumulate(range(3), lambda a, b: hold(1070 + b) or b))
operator.methodcaller("__call__", 1080)(hold)


@functools.total_ordering
class Compared:
    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        keep([None] * note(1100))
        return self.value < other.value

    def __eq__(self, other):
        keep([None] * note(1101))
        return self.value == other.value

    def __hash__(self):
        keep([None] * note(1102))
        return 1

    def __repr__(self):
        keep([None] * note(1103))
        return "c"

    def __iter__(self):
        keep([None] * note(1104))
        return iter(())

    def __len__(self):
        keep([None] * note(1105))
        return 0


sorted([Compared(2), Compared(1)])
{Compared(1): 1, Compared(2): 2}
"%s" % Compared(1)
repr([Compared(1)])
list(Compared(1))
Compared(1) >= Compared(2)


class Dying:
    pass


dying = Dying()
reference = weakref.ref(dying, lambda _: hold(1200))
del dying
dying = Dying()
dying.itself = dying
weak = weakref.finalize(dying, hold, 1201)
weak.atexit = False
del dying
gc.collect()

callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
compare = callback(lambda a, b: hold(1300) or 0)
numbers = (ctypes.c_int * 2)(1, 2)
ctypes.CDLL(None).qsort(numbers, ctypes.c_size_t(2), ctypes.c_size_t(4), compare)


class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "no_such_module_at_all":
            keep([None] * note(1400))


sys.meta_path.insert(0, Finder())
try:
    import no_such_module_at_all
except ImportError:
    hold(1401)
sys.meta_path.pop(0)
finish()
