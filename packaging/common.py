"""What both packages are made from: the files that `meson install` puts under a prefix."""

import os
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
HERE = TOP / "packaging"


def output_of(*command, **options):
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def installed(build, folder):
    """Installs the build below `folder` and returns it; debugging information is left out."""
    output_of("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--strip", "--destdir", folder)
    return folder


def files_below(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def packages_of(stage):
    """The Debian packages of a stage of .ci/packages."""
    lines = (TOP / ".ci/packages").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[:1] == [stage]]


def description():
    """A line, and the sentences that go on from it."""
    first, *rest = (HERE / "description").read_text().splitlines()
    return first, rest


def version():
    return re.search(r"^  version: '(.*)',$", (TOP / "meson.build").read_text(), re.M)[1]


def timestamp():
    """The time that files of a package have: the commit's, so that a second build is the same."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told is None:
        asked = subprocess.run(
            ["git", "--git-dir=.git", "log", "-1", "--format=%ct"], cwd=TOP, capture_output=True, text=True
        )
        told = asked.stdout.strip() if asked.returncode == 0 else "1700000000"
    return int(told)
