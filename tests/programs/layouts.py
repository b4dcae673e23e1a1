"""Compares what the shim reads of this CPython with what CPython says itself; see test_layouts.py.

    layouts.py LIBRARY
"""

import ctypes
import dis
import os
import sys
import threading
import types

shim = ctypes.PyDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
for name in ("layout_type", "layout_bytes", "layout_text", "layout_modules"):
    getattr(shim, name).restype = ctypes.c_uint64
shim.layout_init.restype = shim.layout_rows.restype = ctypes.c_uint32
SINCE_3_11 = sys.version_info >= (3, 11)


class FrameSeen(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in "code object offset line is_internal is_visible is_entry".split()]


class ChunkSeen(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in "has_leaf ends_at_limit tracing is_traced".split()]


class CodeSeen(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in "file name table bytecode".split()]
    _fields_ += [(name, ctypes.c_int64) for name in "first_line first_traceable".split()]


def address(thing):
    return ctypes.c_void_p(id(thing))


def equal(seen, said, what):
    assert seen == said, "%s: the shim reads %r, and it is %r" % (what, seen, said)


def stack():
    """The calling function's frames, and what the shim sees of them."""
    seen = (FrameSeen * 64)()
    count = shim.layout_frames(seen, 64)
    said, frame = [], sys._getframe()
    while frame:
        said.append((id(frame.f_code), frame.f_lasti // 2, id(frame)))
        frame = frame.f_back
    return said[1:], [seen[i] for i in range(count)]


def visible(seen):
    return [frame for frame in seen if not frame.is_internal and frame.is_visible]


def look_at_frames():
    def leaf(_):
        return stack()

    def inner():
        return list(map(leaf, [0]))[0]

    def generator():
        yield inner()

    def outer():
        return next(generator())

    said, seen = outer()
    mine = visible(seen)[1:]
    equal([frame.code for frame in mine], [code for code, _, _ in said], "code of the frames")
    equal([frame.offset for frame in mine], [at for _, at, _ in said], "instructions")
    # By then each of them had an object.
    _, seen = stack()
    equal(visible(seen)[1].object, id(sys._getframe()), "a frame's object")


def look_at_loops():
    """With which frames an evaluation loop begins."""

    def begins(seen, function):
        (at,) = [i for i, frame in enumerate(seen) if frame.code == id(function.__code__)]
        return bool(seen[at].is_entry or (seen[at + 1 :] and seen[at + 1].is_internal and seen[at + 1].is_entry))

    def by_python():
        return stack()

    def by_c(_):
        return by_python()

    def waited_for():
        try:
            yield stack()
        except ValueError:
            yield stack()

    def waits():
        yield from waited_for()

    _, seen = next(map(by_c, [0]))
    equal(begins(seen, by_c), True, "the loop of a function that C calls")
    equal(begins(seen, by_python), not SINCE_3_11, "the loop of a function that Python calls")
    if sys.version_info < (3, 12):
        waiting = waits()
        _, executed = next(waiting)
        _, thrown = waiting.throw(ValueError)
        entries = [[one.is_entry for one in seen if one.code == id(waits.__code__)] for seen in (executed, thrown)]
        # 3.8 does not link the one that hands throw() on.
        equal(entries, [[1], [] if sys.version_info < (3, 9) else [0]], "the loop of a generator that waits for another")


def look_at_traced_line():
    lines = []

    def trace(frame, event, _):
        if event == "line":
            seen = (FrameSeen * 64)()
            count = shim.layout_frames(seen, 64)
            lines.extend((one.line, frame.f_lineno) for one in seen[:count] if one.object == id(frame))
        return trace

    def traced():
        one = 1
        return one

    sys.settrace(trace)
    traced()
    sys.settrace(None)
    equal([line for line, _ in lines], [line for _, line in lines], "the line in a frame's object")
    assert len(lines) == 2


def look_at_chunks():
    def look():
        one = ChunkSeen()
        shim.layout_chunk(ctypes.byref(one))
        return one.has_leaf, one.ends_at_limit, one.tracing, one.is_traced

    def deep(count):
        return deep(count - 1) if count else look()

    def trace(frame, event, _):
        seen.append(look())

    seen = []
    equal((look(), deep(300)), ((1, 1, 0, 0),) * 2, "the chunk of frames")
    sys.settrace(trace)
    deep(0)
    sys.settrace(None)
    equal(seen[0], (1, 1, 1, 1), "the chunk, traced")


def look_at_code():
    def closure():
        return lambda: closure

    def generator():
        yield closure

    tables = {(3, 8): "co_lnotab", (3, 9): "co_lnotab"}
    for code in (look_at_objects.__code__, closure.__code__, generator.__code__, closure().__code__):
        seen = CodeSeen()
        shim.layout_code(address(code), ctypes.byref(seen))
        table = getattr(code, tables.get(sys.version_info[:2], "co_linetable"))
        equal(seen.file, id(code.co_filename), "a code's file")
        equal(seen.name, id(code.co_qualname if SINCE_3_11 else code.co_name), "a code's name")
        equal(seen.first_line, code.co_firstlineno, "a code's first line")
        equal(seen.table, id(table), "a code's line table")
        if SINCE_3_11:
            adaptive = code._co_code_adaptive
            equal(ctypes.string_at(seen.bytecode, len(adaptive)), adaptive, "a code's bytecode")
            resume = [i for i in range(0, len(code.co_code), 2) if code.co_code[i] == dis.opmap["RESUME"]]
            equal(seen.first_traceable, resume[0] // 2, "a code's first traceable instruction")
        else:
            equal(seen.bytecode, id(code.co_code), "a code's bytecode")


def look_at_objects():
    size, width = ctypes.c_uint64(), ctypes.c_uint64()
    for content in (b"", b"three", bytes(range(256)) * 9):
        data = shim.layout_bytes(address(content), ctypes.byref(size))
        equal(ctypes.string_at(data, size.value), content, "bytes")
    for text, encoding in (
        ("ascii", "latin-1"),
        ("l\xe4tin", "latin-1"),
        ("\u0142atin", "utf-16-le"),
        ("\U0001f40d and others", "utf-32-le"),
    ):
        data = shim.layout_text(address(text), ctypes.byref(size), ctypes.byref(width))
        equal(ctypes.string_at(data, size.value) if data else None, text.encode(encoding), "a text")
        equal(size.value // width.value, len(text), "a text's length")
    equal(shim.layout_text(address(b"none"), ctypes.byref(size), ctypes.byref(width)), 0, "what is no text")
    for thing in (look_at_objects.__code__, "text", b"bytes", 1, types):
        equal(shim.layout_type(address(thing)), id(type(thing)), "a type")


def look_at_threads():
    owns = []
    thread = threading.Thread(target=lambda: owns.append(shim.layout_owns_thread()))
    thread.start()
    thread.join()
    equal(owns + [shim.layout_owns_thread()], [1, 1], "whose thread state it is")


class Last:
    """Goes when the interpreter tears itself down."""

    def __init__(self):
        self.shim, self.equal, self.write = shim, equal, os.write

    def __del__(self):
        self.equal(self.shim.layout_teardown_begun(), 1, "the teardown at the end")
        self.write(1, b"torn down\n")


def main():
    equal(shim.layout_rows(sys.hexversion), 1, "the rows of this version")
    equal(shim.layout_init(), sys.hexversion, "the version")
    equal(shim.layout_line_table(), {8: 0, 9: 0, 10: 1}.get(sys.version_info[1], 2), "the kind of line table")
    look_at_frames()
    look_at_loops()
    look_at_traced_line()
    if SINCE_3_11:
        look_at_chunks()
    look_at_code()
    look_at_objects()
    look_at_threads()
    equal(shim.layout_modules(), id(sys.modules) if sys.version_info >= (3, 13) else 0, "sys.modules")
    equal((shim.layout_may_finalize(), shim.layout_teardown_begun()), (0, 0), "the teardown before it")
    print("alike", flush=True)
    sys.last_of_all = Last()


main()
