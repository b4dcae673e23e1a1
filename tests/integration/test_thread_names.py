"""Threads are called what the program calls them."""

import pytest
from harness import assert_complete
from test_storms import counted

pytestmark = pytest.mark.each_interpreter


def names_of(recording, size):
    """Whose allocations of that many bytes they are: {name: how many}."""
    names, counts = dict(recording.sql("SELECT id, name FROM thread")), {}
    for thread, (allocations, _) in counted(recording, size, "thread").items():
        counts[names[thread]] = counts.get(names[thread], 0) + allocations
    return counts


def require_names(interpreter):
    if interpreter.debug and interpreter.version >= (3, 14):
        pytest.skip("a debug build is not asked: it aborts where an attribute's name may be freed")


def test_what_python_calls_them(interpreter, program, record):
    require_names(interpreter)
    source = program(
        """
        import concurrent.futures, threading
        kept = []
        def work():
            for _ in range(10): kept.append(bytes(3_333))
        threads = [threading.Thread(target=work, name=name) for name in ("reader", "\\u20ac", "x" * 100, "\\0\\n")]
        threads.append(threading.Thread(target=work))
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
            pool.submit(work).result()
        work()
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    (main,) = [name for (name,) in recording.sql("SELECT name FROM thread WHERE tid = (SELECT pid FROM process)")]
    unnamed = "Thread-1 (work)" if interpreter.version >= (3, 10) else "Thread-1"
    expected = {name: 10 for name in ("reader", "€", "x" * 63, "\ufffd\n", unnamed, "pool_0", main)}
    assert names_of(recording, 3_333) == expected


def test_names_that_are_none(interpreter, program, record, bare):
    """Nothing of the program's runs to find one."""
    source = program(
        """
        import threading
        class Named(threading.Thread):
            @property
            def _name(self): print("asked"); return "wrong"
            @_name.setter
            def _name(self, value): pass
            def run(self): work()
        class Text(str):
            def __str__(self): print("asked")
        class Asked(threading.Thread):
            def __getattribute__(self, name):
                if name == "_name": print("asked")
                return threading.Thread.__getattribute__(self, name)
        kept = []
        def work():
            kept.append(bytes(3_333)); kept.append([bytes(10)] * 10)
            len(list(map(str, range(1000))))
        def strange(value):
            threading.current_thread()._name = value
            work()
        def nobody():
            threading._active.pop(threading.get_ident())
            work()
            threading._active[threading.get_ident()] = threading.main_thread()
        def others():
            for key in (None, "x", -1, 1 << 100, 1.5, True): threading._active[key] = Text("x")
            work()
            for key in (None, "x", -1, 1 << 100, 1.5, True): del threading._active[key]
        targets = [lambda value=value: strange(value) for value in (None, 7, b"x", Text("x"))]
        threads = [threading.Thread(target=target) for target in (*targets, nobody, others)]
        threads += [Named(), Asked(target=work)]
        for thread in threads:
            thread.start()
            thread.join()
        import _thread
        lock = _thread.allocate_lock()
        lock.acquire()
        def bare():
            work()
            lock.release()
        _thread.start_new_thread(bare, ())
        lock.acquire()
        print(len(kept))
        """
    )
    expected = bare(interpreter, source)
    recording = record(interpreter, source)
    assert_complete(recording)
    assert recording.out == expected.out  # threading itself may ask
    assert sum(names_of(recording, 3_333).values()) == 9


def test_names_in_a_forked_child(python, program, record):
    source = program(
        """
        import os, threading
        kept = []
        def work(size):
            for _ in range(5): kept.append(bytes(size))
        def fork():
            work(3_333)
            if os.fork() == 0:
                thread = threading.Thread(target=work, args=(4_444,), name="in the child")
                thread.start(); thread.join()
                os._exit(0)
            os.wait()
        thread = threading.Thread(target=fork, name="forks")
        thread.start(); thread.join()
        """
    )
    recording = record(python, source)
    assert_complete(recording)
    assert names_of(recording, 3_333) == {"forks": 5}
    assert names_of(recording, 4_444) == {"in the child": 5}


@pytest.mark.parametrize("target", ["pass_by", "pass_by if n % 2 else stay"])
def test_numbered_names_have_a_row_in_common(interpreter, program, record, target):
    """What has gone and holds nothing is told from its kind, and not from each other; sums are exact."""
    require_names(interpreter)
    source = program(
        f"""
        import threading
        kept = []
        def pass_by(): bytes(3_333)
        def stay(): kept.append(bytes(3_333))
        for n in range(1_000):
            thread = threading.Thread(target={target}, name=f"request {{n}}")
            thread.start()
            thread.join()
        """
    )
    recording = record(interpreter, source)
    assert_complete(recording)
    names = names_of(recording, 3_333)
    assert sum(names.values()) == 1_000
    assert all(name.startswith("request ") for name in names)
    if target == "pass_by":
        assert len(names) < 300 and names["request *"] > 500
