"""Allocators that a program asks CPython for once and calls without their context, as CPython's own
allow."""

import harness
import pytest
from harness import assert_complete

MODES = {
    "as it is": ((), {}),
    "malloc": ((), {"PYTHONMALLOC": "malloc"}),
    "debug": ((), {"PYTHONMALLOC": "debug"}),
    "malloc_debug": ((), {"PYTHONMALLOC": "malloc_debug"}),
    "-X dev": (("-X", "dev"), {}),
}
# There the functions of CPython need their context: without heapline such a program dies.
NEED_A_CONTEXT = ("debug", "malloc_debug", "-X dev")


@pytest.fixture
def library(compiled):
    return compiled("allocator_calls.c", "liballocator_calls.so", "-shared", "-fPIC")


def needs_context(interpreter, mode):
    return interpreter.debug and mode != "malloc" or mode in NEED_A_CONTEXT


@pytest.mark.parametrize("mode", MODES)
def test_calls_without_a_context(interpreter, mode, program, record, bare, library):
    source = program(
        """
        import ctypes, os, sys, threading, time
        library = ctypes.PyDLL(sys.argv[1])
        free_threads = ctypes.CDLL(sys.argv[1])
        library.hold.argtypes = [ctypes.c_int, ctypes.c_size_t]
        library.ask()
        def work():
            for _ in range(20):
                free_threads.call_all(0)
                for domain in range(3):
                    library.call_all(domain)
                    library.exchange(domain)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        # One that has been joined may be about to free its state, while CPython's end sets the raw domain anew.
        while len(os.listdir("/proc/self/task")) > 1: time.sleep(0.001)
        for domain in range(3):
            library.hold(domain, 100_011 + domain)  #: hold
        print("done")
        """
    )
    flags, variables = MODES[mode]
    options = {"flags": flags, "env": harness.environment(**variables)}
    if not needs_context(interpreter, mode):
        assert bare(interpreter, source, library, **options).out == "done\n"
    recording = record(interpreter, source, library, **options)
    assert recording.out == "done\n"
    assert_complete(recording)
    for domain, allocator in enumerate(("raw", "mem", "object")):
        held = recording.line(source, "hold", "end", [allocator])
        assert 0 <= held.bytes - (100_011 + domain) < 1000, allocator


@pytest.mark.parametrize("mode", ["as it is", "malloc", "debug", "malloc_debug"])
def test_asked_for_before_start_up(interpreter, mode, compiled, edition, tmp_path):
    """Start-up puts other allocators in the place of those that the program goes on to call."""
    if not interpreter.libpython:
        pytest.skip(f"{interpreter.name} has no shared libpython")
    flags = ["-DMAIN", interpreter.libpython, *interpreter.link_flags, "-Wl,--allow-shlib-undefined"]
    if not interpreter.link_flags:
        flags.append(f"-Wl,-rpath,{interpreter.libpython.rpartition('/')[0]}")
    main = compiled("allocator_calls.c", "allocator_calls", "-Wl,--no-as-needed", *flags)
    # From 3.12 on the others need an interpreter.
    early = 3 if interpreter.version < (3, 12) else 1
    command = [main, "kept = bytes(1_000_001); print('done')", early]
    env = harness.environment(PYTHONHOME=interpreter.prefix, **MODES[mode][1])
    if not interpreter.debug:
        assert harness.run(command, env=env, check=0).out == "done\n"
    recording = harness.record(command, tmp_path / "run.heapline", env=env, build=edition)
    assert recording.out == "done\n"
    assert_complete(recording)
    assert recording.totals["peak_bytes"] > 1_000_000
