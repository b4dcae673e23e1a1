"""Completion: what heapline offers, and each shell that is at hand asking for it."""

import os
import re
import shutil

import harness
import pytest
from harness import BUILD, REPOSITORY, run

SCRIPTS = REPOSITORY / "completion"
BASH = """
source {script}
COMP_LINE=$1 COMP_POINT=${{#1}}
_heapline 2>/dev/null
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def on_the_path(tmp_path):
    """An environment in which heapline, and no other program of this build, is on the PATH."""
    folder = tmp_path / "home" / "bin"
    folder.mkdir(parents=True)
    (folder / "heapline").symlink_to(BUILD / "heapline")
    return harness.environment(PATH=f"{folder}:{os.environ['PATH']}", HOME=tmp_path / "home", TERM="dumb")


def offered(*words):
    """The words that heapline offers, and what the shell is to add."""
    *lines, rest = run([BUILD / "heapline", "--complete", *words], check=0).out.splitlines()
    return [line.split("\t")[0] for line in lines], rest


def commands():
    """The commands that the help lists."""
    text = run([BUILD / "heapline", "--help"], check=0).out
    return [line.split()[0] for line in text.split("Commands:\n")[1].split("\n\n")[0].splitlines()]


def test_commands():
    assert offered("") == (commands(), ":nothing")
    assert offered("re") == (["report", "resident"], ":nothing")
    assert offered("--") == (["--help", "--version"], ":nothing")


@pytest.mark.parametrize("command", commands())
def test_options(command):
    """Each option of a command's help, and no other."""
    text = run([BUILD / "heapline", command, "--help"], check=0).out.split("Options:\n")[1]
    options = [line[6:].split()[0].split("[")[0] for line in text.splitlines() if line[6:8] == "--"]
    assert options and offered(command, "--") == (options, ":nothing")


@pytest.mark.parametrize(
    "words, wanted, rest",
    [
        (["report", "--by", "s"], ["stack", "size"], ":nothing"),
        (["report", "--by=s"], ["--by=stack", "--by=size"], ":nothing"),
        (["report", "--at", ""], ["peak", "end", "exit", "touched-peak", "resident-peak", "selection-peak"], ":nothing"),
        (["report", "--between", "end", ""], ["peak", "end", "exit", "touched-peak", "resident-peak", "selection-peak"], ":nothing"),
        (["report", "--between", "end", "peak", ""], [], ":recordings"),
        (["report", "--allocator", "m"], ["malloc", "mem", "mmap"], ":nothing"),
        (["report", "--format", ""], ["tracemalloc"], ":nothing"),
        (["export", "--format", "c"], ["csv", "chrome"], ":nothing"),
        (["report", "-n", ""], [], ":nothing"),
        (["report", "-n5", ""], [], ":recordings"),
        (["processes", "--sort", "p"], ["peak"], ":nothing"),
        (["lines", "a.heapline", ""], [], ":files"),
        (["run", "--overflow", ""], ["block", "drop"], ":nothing"),
        (["run", "-qo", ""], [], ":files"),
        (["run", "-q", ""], [], ":command 3"),
        (["run", "python3", "--by", ""], [], ":command 2"),
        (["run", "--", "--"], [], ":command 3"),
        (["doctor", ""], [], ":command 2"),
        (["no-such-command", ""], [], ":nothing"),
    ],
)
def test_values(words, wanted, rest):
    assert offered(*words) == (wanted, rest)


@pytest.mark.parametrize(
    "line, wanted",
    [
        ("heapline rep", ["report"]),
        ("heapline report --by s", ["stack", "size"]),
        ("heapline report --by=pa", ["package"]),
        ("heapline report ", ["a.heapline", "folder", "home"]),
        ("heapline run --carrier ", ["ring", "stream"]),
        ("heapline run heaplin", ["heapline"]),
    ],
)
def test_bash(on_the_path, tmp_path, line, wanted):
    (tmp_path / "a.heapline").touch()
    (tmp_path / "b.txt").touch()
    (tmp_path / "folder").mkdir()
    program = BASH.format(script=SCRIPTS / "heapline.bash")
    ran = run(["bash", "--norc", "-c", program, "bash", line], on_the_path, cwd=tmp_path, check=0)
    assert sorted(set(ran.out.split())) == sorted(wanted)


def require(shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")


def test_fish(on_the_path, tmp_path):
    require("fish")
    (tmp_path / "a.heapline").touch()
    script = f"source {SCRIPTS / 'heapline.fish'}; complete -C $argv[1]"

    def asked(line):
        ran = run(["fish", "--no-config", "-c", script, line], on_the_path, cwd=tmp_path, check=0)
        return [word.split("\t")[0] for word in ran.out.splitlines()]

    assert asked("heapline rep") == ["report"]
    assert sorted(asked("heapline report --by s")) == ["size", "stack"]
    assert asked("heapline report --by=pa") == ["--by=package"]
    assert "a.heapline" in asked("heapline report ")
    assert "heapline" in asked("heapline run heaplin")


# A shell in a pseudo-terminal: a key completes, another one shows the line.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
expect() { local text= part; until [[ $text == *$1* ]]; do zpty -r shell part || exit 1; text+=$part; done; print -r -- "$text"; }
zpty -w shell "PS1= ; fpath=($1 \\$fpath); autoload -U compinit; compinit -u -D; unsetopt BEEP"
zpty -w shell "show() { zle -I; print -r -- '<''<'\\$BUFFER'>''>'; }; zle -N show; bindkey '^Xs' show; echo is''ready"
expect isready
zpty -n -w shell "heapline $2"$'\\t'$'\\x18's
expect '>>'
zpty -d shell
"""


@pytest.mark.parametrize(
    "typed, wanted",
    [
        ("rep", "report"),
        ("report --by=pa", "report --by=package"),
        ("report --by al", "report --by allocator"),
        ("report ", "report a.heapline"),
    ],
)
def test_zsh(on_the_path, tmp_path, typed, wanted):
    require("zsh")
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "a.heapline").touch()
    (folder / "b.txt").touch()
    ran = run(["zsh", "-f", "-c", ZSH, "zsh", SCRIPTS, typed], on_the_path, cwd=folder, check=0)
    shown = re.findall("<<(.*)>>", ran.out)
    assert [line.rstrip() for line in shown] == [f"heapline {wanted}"]
