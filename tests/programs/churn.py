"""churn.py SECONDS SEED: processes and threads come and go, in every way that there is, until the time is up.

Generations of workers follow each other; each does what chance says for a few seconds. The last line of
the output says how often what was done.
"""

import collections
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

GENERATION_SECONDS = 5
CHILD = "held = [bytes(n) for n in range(500, 1500)]; import json, threading"


def allocate(random):
    for _ in range(20):
        held = [bytes(random.randrange(2000)) for _ in range(200)]
        held += [{"number": n, "text": str(n)} for n in range(100)]


def threads(random):
    seeds = [random.random() for _ in range(10)]
    all = [threading.Thread(target=allocate, args=(__import__("random").Random(seed),)) for seed in seeds]
    for thread in all:
        thread.start()
    for thread in all:
        thread.join()


def forked(run):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            run()
            status = 0
        finally:
            os._exit(status)
    return pid


def ended(pid):
    assert os.waitpid(pid, 0)[1] == 0


def forks(random):
    for pid in [forked(lambda: allocate(random)) for _ in range(4)]:
        ended(pid)


def forks_with_threads(random):
    ended(forked(lambda: threads(random)))


def killed(random):
    pid = forked(lambda: [allocate(random) for _ in range(10_000)])
    time.sleep(random.random() / 50)
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL


def executed(random):
    ended(forked(lambda: os.execv(sys.executable, [sys.executable, "-c", CHILD])))


def spawned(random):
    subprocess.run([sys.executable, "-c", CHILD], check=True)


def from_a_shell(random):
    subprocess.run(f"{sys.executable} -c '{CHILD}' | cat; true", shell=True, check=True)


ACTIONS = (allocate, threads, forks, forks_with_threads, killed, executed, spawned, from_a_shell)


def generation(seed, until, pipe):
    chance = random.Random(seed)
    done = collections.Counter()
    until = min(until, time.monotonic() + GENERATION_SECONDS)
    while time.monotonic() < until:
        action = chance.choice(ACTIONS)
        action(chance)
        done[action.__name__] += 1
    os.write(pipe, json.dumps(done).encode())


def main():
    until = time.monotonic() + float(sys.argv[1])
    seed = int(sys.argv[2])
    done = collections.Counter()
    read, write = os.pipe()
    while time.monotonic() < until:
        seed += 1
        ended(forked(lambda: generation(seed, until, write)))
        done.update(json.loads(os.read(read, 4096)))
        done["generations"] += 1
    print(json.dumps(done))


if __name__ == "__main__":
    main()
