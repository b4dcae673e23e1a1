"""Builds the page: bundle.py SOURCE FOLDER OUTPUT enabled|auto.

npm installs what package-lock.json names into FOLDER, once for each lock file, and runs nothing that
these packages bring along; build.mjs then writes OUTPUT. Where npm cannot, for want of a network,
OUTPUT is empty with `auto`: heapline is then built without the page.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

LOCKS = ("package.json", "package-lock.json")
NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error",
       "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")


def install(source, folder):
    """False when it could not be done."""
    stamp = folder / "installed"
    wanted = hashlib.sha256(b"".join((source / name).read_bytes() for name in LOCKS)).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return True
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for name in LOCKS:
        shutil.copy(source / name, folder / name)
    if subprocess.run(NPM, cwd=folder, stdout=subprocess.DEVNULL).returncode != 0:
        return False
    stamp.write_text(wanted)
    return True


def main():
    source, folder, output = (Path(word).resolve() for word in sys.argv[1:4])
    if install(source, folder):
        sys.exit(subprocess.run(["node", source / "build.mjs", folder, output]).returncode)
    if sys.argv[4] != "auto":
        sys.exit("npm could not install what the page needs; -Dpage=disabled builds heapline without it")
    print("npm could not install what the page needs: heapline html will be without it", file=sys.stderr)
    output.write_bytes(b"")


main()
