"""For programs that are measured twice, by tracemalloc in one run and by heapline in another.

With the argument `tracemalloc`, start() begins and finish() prints what each line of the program
holds; without it the program does the same work and prints nothing.

CPython keeps freed floats, lists, dicts, tuples and others on free lists and hands them out again
without asking its allocator, so that such a block still belongs to the line that asked first. A
full garbage collection empties those lists: the programs call fresh() before each thing that they
keep, and none of it comes from there.
"""

import gc
import json
import os
import sys

_measured = "tracemalloc" in sys.argv

fresh = gc.collect


def start():
    if _measured:
        import tracemalloc

        tracemalloc.start(1)
    fresh()


def finish(file):
    fresh()
    if not _measured:
        return
    import tracemalloc

    snapshot = tracemalloc.take_snapshot()
    tracemalloc.stop()
    lines = {}
    for statistic in snapshot.statistics("lineno"):
        frame = statistic.traceback[0]
        if os.path.abspath(frame.filename) == os.path.abspath(file):
            lines[frame.lineno] = [statistic.size, statistic.count]
    json.dump(lines, sys.stdout)
