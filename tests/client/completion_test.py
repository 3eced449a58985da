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

# fish tells by itself what it would offer.
FISH = r"""
set -p PATH (dirname $argv[1])
$argv[1] completion fish | source
complete -C "$argv[2]"
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
    environment = {**os.environ, "HOME": str(WORK), "XDG_CONFIG_HOME": str(WORK), "IPPCTL_ADDRESS": "127.0.0.1:1"}
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False,
                          cwd=WORK, stdin=subprocess.DEVNULL, env=environment)
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


def fish(*words):
    """What matches the last word, without the meanings."""
    line = " ".join(words[:-1] + (words[-1],)).replace(str(IPPCTL), "ippctl")
    offers = [offer.split("\t")[0] for offer in run("fish", "--no-config", "-c", FISH, str(IPPCTL), line)]
    return [offer.split("=", 1)[1] if re.match("--[a-z-]+=", offer) else offer for offer in offers]


def said(*arguments):
    return subprocess.run([IPPCTL, *arguments], capture_output=True, text=True, check=True).stdout


def commands():
    """The words of every command, from the help: group and name, or one word."""
    usages = [line.split("  ")[1].split()[1:] for line in said("--help").splitlines() if line.startswith("  ippctl ")]
    return [tuple(word for word in usage[:2] if word.islower()) for usage in usages]


def flags(*command):
    return set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", said(*command, "--help") + said("options"), re.M))


def check(shell):
    def expect(words, *offers):
        found = shell(*words)
        assert sorted(found) == sorted(offers), (shell.__name__, words, found)

    everything = commands()
    assert len(everything) > 20, everything
    groups = {words[0] for words in everything}
    expect(["ippctl", ""], "help", *groups)
    for group in groups:
        expect(["ippctl", group, ""], *(words[1] for words in everything if words[0] == group and len(words) == 2))
    for words in everything:
        offered = {flag for flag in shell("ippctl", *words, "--") if flag.startswith("--")}
        assert offered == flags(*words), (shell.__name__, words, offered ^ flags(*words))

    expect(["ippctl", "sess"], "sessions")
    expect(["ippctl", "--tls", "sessions", "wa"], "watch")  # a switch takes no word
    expect(["ippctl", "--address", "host:1", "sessions", "wa"], "watch")
    expect(["ippctl", "-o", ""], "table", "wide", "json", "ndjson", "yaml", "name", "jsonpath=")
    expect(["ippctl", "sessions", "create", "--output", "js"], "json", "jsonpath=")
    expect(["ippctl", "sessions", "create", "--output=nd"], "ndjson")
    expect(["ippctl", "simulate", "tap", "ID", "--outcome", "lost"], "lost-card")
    expect(["ippctl", "events", "tail", "--type", "can"], "cancelled")
    expect(["ippctl", "enrollments", "create", "--ttl", "2"], "2h", "24h")
    expect(["ippctl", "sessions", "create", "--amo"], "--amount")
    expect(["ippctl", "sessions", "create", "--amount", ""])  # any text
    expect(["ippctl", "sessions", "create", "--device", ""])  # the gateway is asked, and is not there
    expect(["ippctl", "sessions", "get", ""])
    expect([str(IPPCTL), "config", "use", ""], "playground", "production")
    expect([str(IPPCTL), "--context", "pro"], "production")
    expect([str(IPPCTL), "--config", "other", "config", "use", ""], "third")
    expect(["ippctl", "config", "set", "token"], "token-file")
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
    for program in ("bash", "zsh", "fish"):
        assert shutil.which(program), f"{program} is needed (Debian package {program})"
    with tempfile.TemporaryDirectory() as folder:
        WORK = folder
        pathlib.Path(folder, "order one.json").write_text("{}")
        pathlib.Path(folder, "ippctl").mkdir()
        pathlib.Path(folder, "ippctl/config").write_text("[playground]\naddress = a:1\n[production]\n")
        pathlib.Path(folder, "other").write_text("[third]\n")
        check(bash)
        check(zsh)
        check(fish)
        # Files are the shell's own business.
        assert bash("ippctl", "sessions", "create", "--from-json", "or") == ["order one.json"]
        assert zsh("ippctl", "sessions", "create", "--from-json", "or") == ["FILES"]
        assert "order one.json" in fish("ippctl", "sessions", "create", "--from-json", "or")
        on_a_terminal(["bash", "--norc", "-i"], 'eval "$(ippctl completion bash)"; echo ready-to-"complete"', "$ ")
        on_a_terminal(["zsh", "-f", "-i"],
                      "autoload -U compinit; compinit -D -u; eval \"$(ippctl completion zsh)\"; echo ready-to-'complete'",
                      "$ ")
    print("bash, zsh and fish complete ippctl's command lines")
