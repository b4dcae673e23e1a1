"""Completion: what heapline offers, and each shell that is at hand asking for it."""

import os
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
    assert offered("re") == (["report"], ":nothing")
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
        (["report", "--at", ""], ["peak", "end", "exit"], ":nothing"),
        (["report", "--between", "end", ""], ["peak", "end", "exit"], ":nothing"),
        (["report", "--between", "end", "peak", ""], [], ":recordings"),
        (["report", "--allocator", "m"], ["malloc", "mem", "mmap"], ":nothing"),
        (["report", "--format", ""], ["tracemalloc"], ":nothing"),
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
        ("heapline report ", ["a.heapline", "folder"]),
        ("heapline run --carrier ", ["ring", "stream"]),
        ("heapline run heaplin", ["heapline", "heaplined"]),
    ],
)
def test_bash(tmp_path, line, wanted):
    (tmp_path / "a.heapline").touch()
    (tmp_path / "b.txt").touch()
    (tmp_path / "folder").mkdir()
    env = harness.environment(PATH=f"{BUILD}:{os.environ['PATH']}")
    program = BASH.format(script=SCRIPTS / "heapline.bash")
    ran = run(["bash", "--norc", "-c", program, "bash", line], env, cwd=tmp_path, check=0)
    assert sorted(set(ran.out.split())) == sorted(wanted)


def require(shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")


def test_fish(tmp_path):
    require("fish")
    (tmp_path / "a.heapline").touch()
    env = harness.environment(PATH=f"{BUILD}:{os.environ['PATH']}", HOME=tmp_path)
    script = f"source {SCRIPTS / 'heapline.fish'}; complete -C $argv[1]"

    def asked(line):
        ran = run(["fish", "--no-config", "-c", script, line], env, cwd=tmp_path, check=0)
        return [word.split("\t")[0] for word in ran.out.splitlines()]

    assert asked("heapline rep") == ["report"]
    assert sorted(asked("heapline report --by s")) == ["size", "stack"]
    assert asked("heapline report --by=pa") == ["--by=package"]
    assert "a.heapline" in asked("heapline report ")
    assert "heapline" in asked("heapline run hea")


ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
expect() { local text=; until [[ $text == *$~1* ]]; do zpty -r shell part || exit 1; text+=$part; done; }
zpty -w shell "PS1= ; fpath=($1 \\$fpath); autoload -U compinit; compinit -u -D; unsetopt BEEP; echo is''ready"
expect isready
zpty -n -w shell "heapline $2"$'\\t'
expect $3
zpty -d shell
"""


@pytest.mark.parametrize(
    "typed, wanted",
    [("rep", "report"), ("report --by=pa", "--by=package"), ("report --by al", "allocator"), ("report ", "a.heapline")],
)
def test_zsh(tmp_path, typed, wanted):
    require("zsh")
    (tmp_path / "a.heapline").touch()
    env = harness.environment(PATH=f"{BUILD}:{os.environ['PATH']}", HOME=tmp_path, TERM="dumb")
    run(["zsh", "-f", "-c", ZSH, "zsh", SCRIPTS, typed, wanted], env, cwd=tmp_path, check=0)
