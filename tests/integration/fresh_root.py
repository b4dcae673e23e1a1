"""A root for one test: the Debian that tests/newer-pythons unpacked, below a layer of its own.

Each command is in it by a mount namespace that begins and ends with the command, so that nothing
stays mounted, however a test ends. What commands write is in the layer, and there for the next one.
"""

import os
import shutil

import pytest
from harness import Program, run
from interpreters import SID

ENTER = """
mount -t overlay -o "lowerdir=$1,upperdir=$2/layer,workdir=$2/work" overlay "$2/top"
mount -t proc proc "$2/top/proc"
mount -t devpts devpts "$2/top/dev/pts"
mount -t tmpfs tmpfs "$2/top/dev/shm"
top=$2/top
shift 2
exec chroot "$top" "$@"
"""

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "NO_COLOR": "1",
    "DEBIAN_FRONTEND": "noninteractive",
}


class Root:
    def __init__(self, folder):
        if os.getuid() != 0:
            pytest.skip("only root can enter a root of its own")
        if not (SID / "usr/bin/python3").exists():
            pytest.skip("no Debian is unpacked to make a root of: ./dev test does that")
        self.folder, self.layer = folder, folder / "layer"
        for name in ("layer", "work", "top"):
            (folder / name).mkdir()
        entered = self.run("true", check=None)
        if entered.status != 0:
            pytest.skip(f"a layer cannot be mounted here: {entered.err}")

    def run(self, *words, check=0, **changes):
        """Runs a command in the root, which has no network."""
        alone = ["unshare", "--net", "--mount", "--propagation", "private"]
        enter = ["sh", "-euc", ENTER, "sh", SID, self.folder]
        return run([*alone, *enter, *words], {**ENVIRONMENT, **changes}, check=check)

    def has(self, path):
        return self.run("test", "-e", path, check=None).status == 0

    def put(self, file, path):
        """Copies a file into the root."""
        target = self.layer / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)

    def program(self, source, path):
        """Writes a program into the root and returns its named lines."""
        target = self.layer / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        return Program.write(target.parent, source, target.name).lines

    def libraries(self):
        """The names of the libraries that its programs find."""
        return {line.split()[0] for line in self.run("ldconfig", "-p").out.splitlines()[1:]}
