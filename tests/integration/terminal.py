"""A terminal, and a command on it."""

import os
import pty
import termios

from harness import Program, start


class Terminal:
    """A command on a terminal of its own, under a shell with job control."""

    SHELL = Program.named("jobshell.py")

    def __init__(self, python, command, cwd):
        self.master, slave = pty.openpty()
        settings = termios.tcgetattr(slave)
        settings[1] &= ~termios.ONLCR
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        self.shell = start(
            [python.path, self.SHELL, os.ttyname(slave), *command], cwd=cwd, stderr=None
        )
        # Held open until the end: a terminal nobody has open reads as an error.
        self.slave = slave
        self.seen = ""

    def expect(self, text):
        """Waits for a text; returns what came before it."""
        while text not in self.seen:
            self.seen += os.read(self.master, 4096).decode()
        before, _, self.seen = self.seen.partition(text)
        return before

    def press(self, key):
        os.write(self.master, key)

    def reported(self):
        """What the shell says has become of the command."""
        return self.shell.stdout.readline().strip()

    def tell(self, word):
        self.shell.stdin.write(word + "\n")
        self.shell.stdin.flush()

    def hang_up(self):
        """The terminal goes away, and with it the shell."""
        os.close(self.master)
        self.shell.wait()
        self.shell.stdin.close()
        self.shell.stdout.close()
        os.close(self.slave)

    def close(self):
        self.shell.stdin.close()
        self.shell.stdout.close()
        self.shell.wait()
        os.close(self.master)
        os.close(self.slave)
