"""at_once.py KIND …: many threads or processes at work, and what they tell of themselves, as JSON.

contend LIBRARY WORK THREADS SECONDS   threads in C (contention.c)
threads COUNT LOOPS                    threads in Python that share LOOPS jobs
pool WORKERS LOOPS                     processes that share LOOPS jobs; 0 WORKERS: this one does all
forks COUNT                            children that end at once
"""

import ctypes
import json
import multiprocessing
import os
import sys
import threading
import time

WORKS = ("loop", "tree")  # as in contention.c


class ContentionResult(ctypes.Structure):
    _fields_ = [
        ("seconds", ctypes.c_double),
        ("longest_pause", ctypes.c_double),
        ("long_pauses", ctypes.c_uint64),
        ("allocations", ctypes.c_uint64),
    ]


def contend(library, work, threads, seconds):
    result = ContentionResult()
    run = ctypes.CDLL(library).contend
    run.argtypes = [ctypes.c_uint, ctypes.c_double, ctypes.c_int, ctypes.c_void_p]
    if run(int(threads), float(seconds), WORKS.index(work), ctypes.addressof(result)) != 0:
        raise SystemExit("the threads cannot be made")
    return {name: getattr(result, name) for name, _ in result._fields_}


def job(number):
    """About a millisecond, and almost nothing but allocations."""
    words = [f"{number}:{n}" for n in range(1500)]
    counts = {}
    for word in ",".join(words).split(","):
        counts[word] = counts.get(word, 0) + len(word)
    return sum(counts.values())


def jobs(numbers):
    for number in numbers:
        job(number)


def timed(run):
    started = time.perf_counter()
    run()
    return {"seconds": time.perf_counter() - started}


def threads(count, loops):
    count, loops = int(count), int(loops)

    def run():
        all = [threading.Thread(target=jobs, args=(range(n, loops, count),)) for n in range(count)]
        for thread in all:
            thread.start()
        for thread in all:
            thread.join()

    return timed(run)


def pool(workers, loops):
    workers, loops = int(workers), int(loops)

    def run():
        if not workers:
            return jobs(range(loops))
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            pool.map(job, range(loops), chunksize=20)
            pool.close()
            pool.join()

    return timed(run)


def forks(count):
    def run():
        for _ in range(int(count)):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)

    return timed(run)


if __name__ == "__main__":
    kinds = {"contend": contend, "threads": threads, "pool": pool, "forks": forks}
    print(json.dumps(kinds[sys.argv[1]](*sys.argv[2:])))
