"""The builds with sanitizers, which ./dev test makes while the first tests run."""

import fcntl

import pytest
from harness import BUILD


def build_of(name):
    """The folder of the build of that name, when it has been built."""
    folder = BUILD / name
    if not (folder / "build.ninja").exists():
        pytest.skip(f"there is no {name} build: ./dev test makes it")
    lock = BUILD / "sanitized.lock"
    if lock.exists():
        with open(lock) as held:
            fcntl.flock(held, fcntl.LOCK_SH)
        assert (BUILD / "sanitized.built").exists(), (BUILD / "sanitized.log").read_text()[-5000:]
    return folder
