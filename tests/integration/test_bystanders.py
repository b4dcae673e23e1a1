"""Tools that watch a program from inside see the same with heapline and without."""

import pytest

WATCHED = """
    def leaf(n):
        return [bytes(k) for k in range(n)]

    def generator(n):
        for k in range(n):
            yield leaf(k)

    class Thing:
        def __init__(self, n):
            self.parts = list(generator(n))

    def work():
        things = [Thing(n) for n in range(6)]
        try:
            raise ValueError
        except ValueError:
            pass
        return sorted(things, key=lambda thing: -len(thing.parts))
"""

HOOKS = {
    "setprofile": """
        def hook(frame, event, argument):
            seen.append((event, frame.f_code.co_name, frame.f_lineno))
        import sys
        sys.setprofile(hook)
        work()
        sys.setprofile(None)
    """,
    "settrace": """
        def hook(frame, event, argument):
            seen.append((event, frame.f_code.co_name, frame.f_lineno))
            return hook
        import sys
        sys.settrace(hook)
        work()
        sys.settrace(None)
    """,
    "monitoring": """
        import sys
        monitoring = sys.monitoring
        E = monitoring.events
        monitoring.use_tool_id(1, "test")
        for event in (E.PY_START, E.PY_RETURN, E.LINE, E.PY_YIELD, E.RAISE, E.CALL):
            monitoring.register_callback(
                1, event, lambda code, *rest, e=event: seen.append((e, code.co_name, str(rest[:1])[:9])))
        monitoring.set_events(1, E.PY_START | E.PY_RETURN | E.LINE | E.PY_YIELD | E.RAISE | E.CALL)
        work()
        monitoring.set_events(1, 0)
    """,
    "threading.setprofile": """
        import threading
        def hook(frame, event, argument):
            seen.append((event, frame.f_code.co_name, frame.f_lineno))
        threading.setprofile(hook)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        del seen[-8:]
    """,
    "trace module": """
        import trace
        tracer = trace.Trace(count=1, trace=0)
        tracer.runfunc(work)
        seen.extend(sorted((line, n) for (file, line), n in tracer.results().counts.items()
                           if file == __file__))
    """,
    "cProfile": """
        import cProfile, pstats
        profile = cProfile.Profile()
        profile.runcall(work)
        stats = pstats.Stats(profile).stats
        seen.extend(sorted((name, calls, own) for (file, line, name), (calls, own, *_) in stats.items()))
    """,
    "tracemalloc": """
        import tracemalloc
        tracemalloc.start(10)
        kept = work()
        snapshot = tracemalloc.take_snapshot()
        tracemalloc.stop()
        snapshot = snapshot.filter_traces([tracemalloc.Filter(True, __file__)])
        for statistic in snapshot.statistics("traceback"):
            lines = [(frame.filename == __file__, frame.lineno) for frame in statistic.traceback]
            seen.append((lines, statistic.size, statistic.count))
        seen.sort()
    """,
    "gc callbacks": """
        import gc
        gc.collect()
        gc.callbacks.append(lambda phase, info: seen.append((phase, info["generation"])))
        kept = work()
        gc.collect()
    """,
    "audit hook": """
        import sys
        sys.addaudithook(lambda event, arguments: seen.append(event) if len(seen) < 1000 else None)
        exec(compile("work()", "<x>", "exec"))
        import fractions
    """,
}


def tools():
    """The newest of them only some interpreters have."""
    for tool in HOOKS:
        yield pytest.param(tool, marks=[pytest.mark.each_interpreter] if tool == "monitoring" else [])


@pytest.mark.parametrize("tool", tools())
def test_sees_the_same(interpreter, tool, program, record, bare):
    if tool == "monitoring" and interpreter.version < (3, 12):
        pytest.skip(f"{interpreter.name} has no sys.monitoring")
    watched = "\n".join(line[4:] for line in WATCHED.splitlines())
    hook = "\n".join(line[8:] for line in HOOKS[tool].splitlines())
    source = program(f"seen = []\n{watched}\n{hook}\nprint(len(seen))\nfor one in seen: print(one)\n")
    expected = bare(interpreter, source).out
    assert int(expected.splitlines()[0]) >= 2
    recording = record(interpreter, source)
    assert recording.out == expected
    functions = {row["function"] for row in recording.rows("peak", file=source)}
    assert "work" in functions and any("leaf" in f for f in functions if f)
