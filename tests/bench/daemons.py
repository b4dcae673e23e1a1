"""A heaplined of the benchmarks' own, in a folder that goes with it."""

import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import processes

LOOK_EVERY = 0.02


class Daemon:
    """It is nobody's child: the benchmarks wait for all that are theirs."""

    def __init__(self, carrier, build):
        self.folder = Path(tempfile.mkdtemp(prefix="heapline-bench-"))
        listen = "tcp:127.0.0.1:0" if carrier == "tcp" else f"unix:{self.folder}/socket"
        script = 'echo $$ >"$0/pid"; exec "$@" 2>"$0/log"'
        command = ["setsid", "-f", "sh", "-c", script, str(self.folder)]
        command += [str(build / "heaplined"), "--output", str(self.folder), "--listen", listen]
        adopted = processes.adopt_orphans(False)
        subprocess.run(command, check=True)
        while not (found := re.search(r"address=(\S+)", self.log())):
            time.sleep(LOOK_EVERY)
        processes.adopt_orphans(adopted)
        self.address = found[1]
        self.pid = int((self.folder / "pid").read_text())
        self.descriptor = os.pidfd_open(self.pid)

    def log(self):
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        shutil.rmtree(self.folder)

    def end(self):
        if self.descriptor is not None:
            signal.pidfd_send_signal(self.descriptor, signal.SIGTERM)
            select.select([self.descriptor], [], [])
            os.close(self.descriptor)
            self.descriptor = None
