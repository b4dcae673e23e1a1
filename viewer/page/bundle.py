"""Builds the page: bundle.py SOURCE FOLDER OUTPUT.

npm installs what package-lock.json names into FOLDER, once for each lock file, and runs nothing that
these packages bring along; build.mjs then writes OUTPUT.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

LOCKS = ("package.json", "package-lock.json")


def install(source, folder):
    stamp = folder / "installed"
    wanted = hashlib.sha256(b"".join((source / name).read_bytes() for name in LOCKS)).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for name in LOCKS:
        shutil.copy(source / name, folder / name)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"]
    done = subprocess.run(["npm", "ci", *options], cwd=folder, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit("npm could not install what the page needs; -Dpage=disabled builds heapline without it")
    stamp.write_text(wanted)


def main():
    source, folder, output = (Path(word).resolve() for word in sys.argv[1:])
    install(source, folder)
    done = subprocess.run(["node", str(source / "build.mjs"), str(folder), str(output)])
    sys.exit(done.returncode)


main()
