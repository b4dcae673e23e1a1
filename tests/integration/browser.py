"""A browser for the tests of heapline's pages: headless Chromium, through tests/page/browser.mjs."""

import contextlib
import fcntl
import hashlib
import json
import shutil
import subprocess

from harness import BUILD, TESTS

SOURCE = TESTS / "page"
LOCKS = ("package.json", "package-lock.json")


def packages():
    """The folder in which npm has installed what the lock file names; by one test process alone."""
    folder = BUILD / "tests" / "page"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in LOCKS)).hexdigest()
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            for name in LOCKS:
                shutil.copy(SOURCE / name, folder / name)
            options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
            subprocess.run(["npm", "ci", *options], cwd=folder, check=True, capture_output=True)
            stamp.write_text(wanted)
    return folder


def missing():
    """What is not there to run a browser with; "" when all is."""
    absent = [name for name in ("node", "npm", "chromium") if shutil.which(name) is None]
    return ", ".join(absent)


class Browser:
    """One browser; open() gives it a page, on which everything else is done."""

    def __init__(self):
        command = ["node", SOURCE / "browser.mjs", packages(), shutil.which("chromium")]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def __call__(self, name, *values):
        self.process.stdin.write(json.dumps([name, *map(_plain, values)]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the browser has ended: {self.process.wait()}"
        answer = json.loads(line)
        assert "error" not in answer, f"{name} {values}: {answer['error']}"
        return answer["value"]

    def open(self, file, fragment="", width=1280, height=800, dark=False, bypass=False):
        options = {"width": width, "height": height, "dark": dark, "bypass": bypass}
        self("open", file, fragment, options)

    def close(self):
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def _plain(value):
    return value if isinstance(value, (int, float, bool, dict, type(None))) else str(value)
