"""jobshell.py TERMINAL COMMAND…: the least shell with job control.

Runs COMMAND on TERMINAL as the foreground job of a new session and prints each change of its state:
`stopped N`, `killed N`, `exited N`. After a stop it waits for a line (`fg`) and continues the job.
"""

import fcntl
import os
import signal
import sys
import termios


def as_job(command, terminal):
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpgrp())
        for number in (signal.SIGTTOU, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        for stream in range(3):
            os.dup2(terminal, stream)
        os.closerange(3, 256)
        os.execvp(command[0], command)
    return pid


signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # only the foreground may hand the terminal on
os.setsid()
terminal = os.open(sys.argv[1], os.O_RDWR)
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
job = as_job(sys.argv[2:], terminal)
while True:
    _, status = os.waitpid(job, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        os.tcsetpgrp(terminal, os.getpgrp())
        print("stopped", os.WSTOPSIG(status), flush=True)
        if not sys.stdin.readline():
            os.killpg(job, signal.SIGKILL)
        os.tcsetpgrp(terminal, job)
        os.killpg(job, signal.SIGCONT)
        continue
    if os.WIFSIGNALED(status):
        print("killed", os.WTERMSIG(status), flush=True)
    else:
        print("exited", os.WEXITSTATUS(status), flush=True)
    break
