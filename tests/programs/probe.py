"""Prints, as JSON, all that a program can easily see of the process that it is."""

import atexit
import ctypes
import faulthandler
import gc
import json
import os
import re
import resource
import signal
import sys
import threading

libc = ctypes.CDLL(None, use_errno=True)


def descriptors():
    found = {}
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        try:
            target = os.readlink("/proc/self/fd/" + name)
        except OSError:  # the listing's own
            target = None
        inheritable = target and os.get_inheritable(int(name))
        found[name] = (target and re.sub(r"\[\d+\]", "[n]", target), inheritable)
    return found


def status(*names):
    found = {}
    with open("/proc/self/status") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name in names:
                found[name] = value.strip()
    return found


def limits():
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}


def prctl(option):
    value = ctypes.c_int(-1)
    libc.prctl(option, ctypes.byref(value), 0, 0, 0)
    return value.value


def handlers():
    return {int(n): str(signal.getsignal(n)).partition(" at ")[0] for n in signal.Signals}


def stream(file):
    return [type(file).__name__, file.fileno(), file.isatty(), file.encoding, file.line_buffering]


def environment_block():
    """As C sees it, in its order."""
    block = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
    index = 0
    found = []
    while block[index]:
        found.append(os.fsdecode(block[index]))
        index += 1
    return found



probed = {
    "descriptors": descriptors(),
    "tasks": len(os.listdir("/proc/self/task")),
    "task names": [open("/proc/self/task/%s/comm" % t).read() for t in os.listdir("/proc/self/task")],
    "signals": status("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"),
    "handlers": handlers(),
    "mask": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
    "wakeup": signal.set_wakeup_fd(-1),
    "timers": [signal.getitimer(n) for n in range(3)],
    "privileges": status("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "CapEff", "CapBnd"),
    "limits": limits(),
    "umask": os.umask(0o22),
    "cwd": os.getcwd(),
    "group": os.getpgrp(),
    "session": os.getsid(0),
    "nice": os.nice(0),
    "affinity": sorted(os.sched_getaffinity(0)),
    "oom": open("/proc/self/oom_score_adj").read(),
    "death signal": prctl(2),
    "subreaper": prctl(37),
    "dumpable": libc.prctl(3, 0, 0, 0, 0),
    "name": open("/proc/self/comm").read(),
    "executable link": os.readlink("/proc/self/exe"),
    "command line": open("/proc/self/cmdline").read(),
    "environ": dict(os.environ),
    "environment block": environment_block(),
    "argv": sys.argv,
    "original argv": getattr(sys, "orig_argv", None),
    "executable": sys.executable,
    "path": sys.path,
    "flags": str(sys.flags),
    "modules": sorted(sys.modules),
    "meta path": [str(type(finder)) for finder in sys.meta_path],
    "path hooks": len(sys.path_hooks),
    "profile": str(sys.getprofile()),
    "trace": str(sys.gettrace()),
    "recursion limit": sys.getrecursionlimit(),
    "switch interval": sys.getswitchinterval(),
    "threads": [thread.name for thread in threading.enumerate()],
    "frames": len(sys._current_frames()),
    "stack size": threading.stack_size(),
    "gc": [gc.isenabled(), gc.get_threshold(), len(gc.callbacks), gc.get_debug()],
    "exit callbacks": atexit._ncallbacks(),
    "faulthandler": faulthandler.is_enabled(),
    "hooks": [str(sys.excepthook), str(sys.displayhook), str(sys.breakpointhook)],
    "async hooks": str(sys.get_asyncgen_hooks()),
    "streams": [stream(file) for file in (sys.stdin, sys.stdout, sys.stderr)],
    "monitoring": [sys.monitoring.get_tool(n) for n in range(6)]
    if hasattr(sys, "monitoring")
    else None,
    "errno": ctypes.get_errno(),
    "personality": libc.personality(ctypes.c_ulong(0xFFFFFFFF)),
    "io priority": libc.syscall(252, 1, 0),
}
json.dump(probed, sys.stdout)
