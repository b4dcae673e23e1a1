"""A parent with so many live blocks forks, and each child ends at once: `forking.py BLOCKS FORKS`.
Says the milliseconds of each fork, exit and wait."""

import json
import os
import sys
import time

blocks, forks = map(int, sys.argv[1:])
kept = [object() for _ in range(blocks)]
taken = []
for _ in range(forks):
    start = time.perf_counter()
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    taken.append((time.perf_counter() - start) * 1e3)
print(json.dumps(taken))
