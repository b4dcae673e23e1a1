"""The programs: which there are, and how many loops make one take about a second bare."""

from dataclasses import dataclass, replace
from pathlib import Path

QUICK_SHARE = 0.6  # of the loops, so that the quick check stays within two minutes
OWN_PROGRAMS = Path(__file__).resolve().parent / "programs"


@dataclass(frozen=True)
class Program:
    name: str
    origin: str  # "pyperformance" or "own"
    script: str
    loops: int  # calibrated on CPython 3.12 with --calibrate
    options: tuple = ()
    launcher: str = ""  # a script of ours that runs the script
    quick: bool = False
    compared: bool = True  # counts in the geometric means

    def command(self, interpreter, loops=None):
        """The program's own part of the command line: script and arguments."""
        loops = str(loops or self.loops)
        if self.origin == "own":
            return [str(OWN_PROGRAMS / self.script), loops]
        worker = ["--worker", "--warmups", "0", "--values", "1", "--loops", loops]
        launcher = [str(OWN_PROGRAMS / self.launcher)] if self.launcher else []
        return [*launcher, str(interpreter.benchmarks / self.script), *worker, *self.options]


def _pyperformance(name, loops, *options, folder=None, **flags):
    script = f"bm_{folder or name}/run_benchmark.py"
    return Program(name, "pyperformance", script, loops, options, **flags)


def _pure_python_pickle(name, loops, direction):
    options = ("--pure-python", direction)
    return _pyperformance(name, loops, *options, folder="pickle", launcher="fresh_pickle.py")


def _own(name, loops, **flags):
    return Program(name, "own", f"{name}.py", loops, quick=True, **flags)


HELLO_WORLD = "hello_world"

PROGRAMS = (
    _own("compile_sources", 5),
    _own("json_both_ways", 210),
    _own("slotted_objects", 710),
    _own("string_work", 340),
    _own("deep_stack", 3400000),
    _own("unchanged_stack", 11000000),
    _own("around_calls", 2600),
    _own("numpy_arrays", 550),
    _own("distinct_stacks", 1),
    _own("live_blocks", 1000000),
    _pyperformance("async_generators", 2, quick=True),
    _pyperformance("async_tree", 1, "none"),
    _pyperformance("chaos", 16),
    _pyperformance("coroutines", 52, quick=True),
    _pyperformance("deepcopy", 2500, quick=True),
    _pyperformance("deltablue", 380),
    _pyperformance("float", 12),
    _pyperformance("generators", 32, quick=True),
    _pyperformance("go", 9),
    _pyperformance("hexiom", 200),
    _pyperformance("json_dumps", 105),
    _pyperformance("json_loads", 2500),
    _pyperformance("logging", 8400),
    _pyperformance("mdp", 1),
    _pyperformance("nbody", 14),
    _pyperformance("nqueens", 12),
    _pure_python_pickle("pickle_pure_python", 185, "pickle"),
    _pyperformance("pidigits", 5),
    _pyperformance("pyflate", 2),
    _pyperformance("raytrace", 3, quick=True),
    _pyperformance("regex_compile", 8),
    _pyperformance("richards", 29, quick=True),
    _pyperformance("scimark", 2),
    _pyperformance("spectral_norm", 12),
    _pyperformance("sqlglot", 9, "normalize", folder="sqlglot_v2"),
    _pyperformance("telco", 140),
    _pyperformance("tomli_loads", 1),
    _pyperformance("unpack_sequence", 77000),
    _pure_python_pickle("unpickle_pure_python", 280, "unpickle"),
    _pyperformance("xml_etree", 2),
    _own(HELLO_WORLD, 1, compared=False),
)


def _shortened(program):
    return replace(program, loops=max(1, round(program.loops * QUICK_SHARE)))


def choose(names, quick):
    """The programs of these names, in the table's order; all, or the quick ones, without names."""
    unknown = sorted(set(names) - {program.name for program in PROGRAMS})
    if unknown:
        known = " ".join(program.name for program in PROGRAMS)
        raise SystemExit(f"no such program: {' '.join(unknown)} (there are: {known})")
    wanted = [one for one in PROGRAMS if (one.name in names if names else one.quick or not quick)]
    return [_shortened(program) for program in wanted] if quick else wanted
