#!/usr/bin/env python3
"""completion_test.py IPPCTL: what real shells offer after `ippctl completion`, called as the shells call it, and by a
real Tab on a terminal."""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

IPPCTL = pathlib.Path(sys.argv[1]).resolve()
PATIENCE = 30

# Sets the words up as bash does, with --flag=value cut into three.
BASH = r"""
eval "$("$1" completion bash)"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_ippctl
printf '%s\n' "${COMPREPLY[@]}"
"""

# The widgets of zsh's completion system that the script uses, to be seen without a terminal.
ZSH = r"""
compdef() { }
compset() { }
_files() { print FILES }
_describe() { [[ $1 == -* ]] && shift; print -l -- "${(@P)2}" }
eval "$("$1" completion zsh)"
shift
words=("$@") CURRENT=$#
_ippctl
"""


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False,
                          cwd=WORK, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and not done.stderr, (arguments, done.stdout, done.stderr)
    return [line for line in done.stdout.splitlines() if line]


def bash(*words):
    cut = [part for word in words for part in (re.split("(=)", word) if word.startswith("--") else [word])]
    return run("bash", "--norc", "-c", BASH, "bash", str(IPPCTL), *cut)


def zsh(*words):
    """What matches the last word, which zsh itself would see to; without the meanings."""
    begin = words[-1].split("=", 1)[-1] if words[-1].startswith("--") else words[-1]
    offers = [line.split(":")[0] for line in run("zsh", "-f", "-c", ZSH, "zsh", str(IPPCTL), *words)]
    return [offer for offer in offers if offer == "FILES" or offer.startswith(begin)]


def commands():
    """Group and name of every command, from the help."""
    lines = subprocess.run([IPPCTL, "--help"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [tuple(line.split()[1:3]) for line in lines if line.startswith("  ippctl ")]


def flags(*command):
    text = subprocess.run([IPPCTL, *command, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.M))


def check(shell):
    def expect(words, *offers):
        found = shell(*words)
        assert sorted(found) == sorted(offers), (shell.__name__, words, found)

    everything = commands()
    assert len(everything) > 20, everything
    groups = {group for group, _ in everything}
    expect(["ippctl", ""], "help", *groups)
    for group in groups:
        expect(["ippctl", group, ""], *(name for g, name in everything if g == group))
    for group, name in everything:
        offered = {flag for flag in shell("ippctl", group, name, "--") if flag.startswith("--")}
        assert offered == flags(group, name), (shell.__name__, group, name, offered ^ flags(group, name))

    expect(["ippctl", "sess"], "sessions")
    expect(["ippctl", "--tls", "sessions", "wa"], "watch")  # a switch takes no word
    expect(["ippctl", "--address", "host:1", "sessions", "wa"], "watch")
    expect(["ippctl", "-o", ""], "table", "json")
    expect(["ippctl", "sessions", "create", "--output", "j"], "json")
    expect(["ippctl", "sessions", "create", "--output=j"], "json")
    expect(["ippctl", "simulate", "tap", "ID", "--outcome", "lost"], "lost-card")
    expect(["ippctl", "events", "tail", "--type", "can"], "cancelled")
    expect(["ippctl", "enrollments", "create", "--ttl", "2"], "2h", "24h")
    expect(["ippctl", "sessions", "create", "--amo"], "--amount")
    expect(["ippctl", "sessions", "create", "--device", ""])  # any text
    expect(["ippctl", "sessions", "get", ""])
    expect(["ippctl", "help", "exit"], "exit-codes")
    expect(["ippctl", "help", "simulate", ""], "device", "tap")
    expect(["ippctl", "nonsense", ""])


def on_a_terminal(shell, setup, prompt):
    """Types a line with a Tab into an interactive shell; returns when the whole words are there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(WORK)
        os.environ.update(TERM="dumb", PS1=prompt, HOME=str(WORK), PATH=f"{IPPCTL.parent}:{os.environ['PATH']}")
        os.execvp(shell[0], shell)
    seen = ""

    def until(pattern):
        nonlocal seen
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, seen):
            assert time.monotonic() < end, f"{shell}: no {pattern!r} in {seen!r}"
            if select.select([terminal], [], [], 0.1)[0]:
                seen += os.read(terminal, 4096).decode(errors="replace")
        seen = ""

    try:
        os.write(terminal, setup.encode() + b"\n")
        until("ready-to-complete\r?\n")
        os.write(terminal, b"ippctl sess\t")
        until("ippctl sessions ")
        os.write(terminal, b"wat\t--requ\t")
        until("watch.*--request-id ")  # zsh moves the cursor about in between
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    for program in ("bash", "zsh"):
        assert shutil.which(program), f"{program} is needed (Debian package {program})"
    with tempfile.TemporaryDirectory() as folder:
        WORK = folder
        pathlib.Path(folder, "order one.json").write_text("{}")
        check(bash)
        check(zsh)
        # Files are the shell's own business.
        assert bash("ippctl", "sessions", "create", "--from-json", "or") == ["order one.json"]
        assert zsh("ippctl", "sessions", "create", "--from-json", "or") == ["FILES"]
        on_a_terminal(["bash", "--norc", "-i"], 'eval "$(ippctl completion bash)"; echo ready-to-"complete"', "$ ")
        on_a_terminal(["zsh", "-f", "-i"],
                      "autoload -U compinit; compinit -D -u; eval \"$(ippctl completion zsh)\"; echo ready-to-'complete'",
                      "$ ")
    print("bash and zsh complete ippctl's command lines")
