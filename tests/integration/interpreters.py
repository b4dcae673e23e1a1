"""Which CPythons are at hand.

Each is known by a name, and NAMES lists all that the suite wants; one that cannot be found is
reported as skipped under its name and not passed over.
"""

import functools
import glob
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("HEAPLINE_CACHE", Path.home() / ".cache/heapline"))
SID = CACHE / "debian-sid"
SID_LIBRARIES = SID / "usr/lib/x86_64-linux-gnu"

# Shared libpython, the usual build of pyenv; else whatever the PATH has under that name.
BUILT = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
# Newer than Debian stable's, unpacked by tests/newer-pythons.
NEWER = ("sid-3.13", "sid-3.14", "sid-3.14-dbg", "sid-3.15")
# Debian's own: static and optimized with profiles. The suite itself runs on it.
NAMES = ("debian", *BUILT, *NEWER)

_DESCRIBE = """
import json, sys, sysconfig

def works(module):
    try:
        return bool(__import__(module))
    except ImportError:
        return False

json.dump({
    "version": sys.version_info[:3],
    "debug": hasattr(sys, "gettotalrefcount"),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "prefix": sys.prefix,
    "libraries": [sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME")],
    "modules": [m for m in ("greenlet", "_interpreters", "_xxsubinterpreters") if works(m)],
}, sys.stdout)
"""


@dataclass(frozen=True)
class Interpreter:
    name: str
    path: str
    version: tuple
    debug: bool
    free_threaded: bool
    prefix: str
    libpython: str  # "" where it has none as a shared library
    modules: tuple
    link_flags: tuple  # for a C program that loads its libpython

    @property
    def version_text(self):
        return ".".join(map(str, self.version))

    @property
    def has_qualified_names(self):
        return self.version >= (3, 11)

    def has(self, module):
        return module in self.modules


def _candidates(name):
    if name == "debian":
        return ["/usr/bin/python3"]
    if name in NEWER:
        return [str(SID / "usr/bin" / f"heapline-python{name[len('sid-'):]}")]
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    installed = sorted(glob.glob(f"{root}/versions/{name}.*/bin/python{name}"))
    return installed + [p for p in [shutil.which(f"python{name}")] if p]


def _libpython(described, newer):
    folder, file = described["libraries"]
    if not file or ".so" not in file:
        # Debian's programs are static, their libpython is a package of its own.
        file = "libpython%d.%d%s.so.1.0" % (*described["version"][:2], "d" * described["debug"])
    folders = [SID_LIBRARIES] if newer else [folder, "/usr/lib/x86_64-linux-gnu"]
    for folder in folders:
        if folder and os.path.exists(os.path.join(folder, file)):
            return os.path.join(folder, file)
    return ""


@functools.lru_cache(maxsize=None)
def find(name):
    """The interpreter of that name, or None."""
    for path in _candidates(name):
        if not os.access(path, os.X_OK):
            continue
        ran = subprocess.run([path, "-I", "-W", "ignore", "-c", _DESCRIBE], capture_output=True)
        if ran.returncode != 0:
            continue
        described = json.loads(ran.stdout)
        newer = name in NEWER
        flags = ()
        if newer:
            flags = (
                f"-Wl,--dynamic-linker={SID_LIBRARIES}/ld-linux-x86-64.so.2",
                f"-Wl,--disable-new-dtags,-rpath,{SID_LIBRARIES}",
            )
        return Interpreter(
            name=name,
            path=path,
            version=tuple(described["version"]),
            debug=described["debug"],
            free_threaded=described["free_threaded"],
            prefix=described["prefix"],
            libpython=_libpython(described, newer),
            modules=tuple(described["modules"]),
            link_flags=flags,
        )
    return None
