"""Memory cgroups for tests: real ones where they can be made, and made-up ones."""

import contextlib
import os

import pytest


def hierarchy():
    """(version, mount point, our path in it) of the one that has the memory controller."""
    lines = dict(line.split(":", 2)[1:] for line in open("/proc/self/cgroup").read().splitlines())
    mounts = [line.split() for line in open("/proc/self/mounts")]
    first = [m[1] for m in mounts if m[2] == "cgroup" and "memory" in m[3].split(",")]
    second = [m[1] for m in mounts if m[2] == "cgroup2"]
    if first:
        return 1, first[0], lines["memory"].rstrip("/")
    if second and lines.get("") is not None:
        return 2, second[0], lines[""].rstrip("/")
    pytest.skip("no cgroups are mounted")


@contextlib.contextmanager
def memory_cgroup(limit):
    """The folder of a new cgroup with a limit, below ours; also swapped memory counts."""
    version, mount, path = hierarchy()
    folder = f"{mount}{path}/heapline-test-{os.getpid()}"
    names = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"] if version == 1 else ["memory.max"]
    try:
        os.mkdir(folder)
    except OSError as error:
        pytest.skip(f"a cgroup cannot be made here: {error}")
    try:
        for name in names:
            if name == names[0] or os.path.exists(f"{folder}/{name}"):
                with open(f"{folder}/{name}", "w") as file:
                    file.write(str(limit))
        if version == 2 and os.path.exists(f"{folder}/memory.swap.max"):
            with open(f"{folder}/memory.swap.max", "w") as file:
                file.write("0")
    except OSError as error:
        os.rmdir(folder)
        pytest.skip(f"a cgroup with a limit cannot be made here: {error}")
    try:
        yield folder
    finally:
        os.rmdir(folder)


def inside(folder, command):
    """A command line that runs `command` in the cgroup."""
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', folder, *map(str, command)]


def as_in_a_container(files, command):
    """A command line that runs `command` where it finds a cgroup of version 2 with these files, in
    mounts of its own; only root can do that."""
    mounts = [line.split() for line in open("/proc/self/mounts")]
    if os.geteuid() or not any(m[2] == "cgroup2" for m in mounts):
        pytest.skip("mounts cannot be made here, or there is no cgroup2")
    (point, *_) = [m[1] for m in mounts if m[2] == "cgroup2"]
    lines = dict(line.split(":", 2)[1:] for line in open("/proc/self/cgroup").read().splitlines())
    folder = point + lines[""].rstrip("/")
    hidden = [m[1] for m in mounts if m[2] == "cgroup" and "memory" in m[3].split(",")]
    steps = [f"umount -l {name}" for name in hidden]
    steps += [f"mount -t tmpfs none {point}", f"mkdir -p {folder}"]
    steps += [f"printf '{text}' > {folder}/{name}" for name, text in files.items()]
    return ["unshare", "-m", "sh", "-c", " && ".join([*steps, 'exec "$@"']), "sh", *map(str, command)]
