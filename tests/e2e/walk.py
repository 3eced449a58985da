#!/usr/bin/env python3
"""walk.py WORK: from a fresh clone to a service that prints FINALIZED, by what README.md and
docs/your-language-in-five-minutes.md say and nothing else.

Every command of the README is typed here in its order, or stands in ELSEWHERE with who tries it. The clone is what git
knows of this tree, copied to WORK, which is made anew. Ports are free ones instead of the usual; nothing else differs.
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/polyglot/kit"), str(ROOT / "tests/support")]
import page  # noqa: E402  pylint: disable=wrong-import-position
from ipp_kit import PATIENCE, WEBHOOK_SECRET, BedError, Process  # noqa: E402  pylint: disable=wrong-import-position

BUILD_SECONDS = 1800  # where no compiler cache helps
PORTS = {"GRPC_PORT": "0", "WEBHOOK_PORT": "0", "ADMIN_PORT": "0", "SIM_PORT": "0", "IPP_LISTEN": "127.0.0.1:0",
         "IPP_WEBHOOKS__LISTEN": "127.0.0.1:0", "IPP_ADMIN__LISTEN": "127.0.0.1:0"}
USUAL = "127.0.0.1:50051"
UUID = "[0-9a-f]{8}-[0-9a-f-]{27}"

# Beginnings of commands that are not typed here.
ELSEWHERE = {
    "git clone ": "the copy",
    "cd ~/ipp-gateway": "it is typed there",
    "apt-get install ": "./dev test has them installed; the packages are compared with its lists",
    "./dev test": "it runs this", "./dev check": "the check before a change lands",
    "./dev shipped": "the check before a change lands, with minutes of optimised building",
    "./dev faults": "faults.*", "./dev crash": "faults.*", "./dev polyglot": "polyglot.*", "./dev bench": "by hand",
    "./dev fuzz": "by hand; what it found is replayed by core_tests",
    "build/dev/client/ippctl webhooks listen ": "e2e.ippctl_page",
    "docker build ": "./dev image packs the same, without an engine", "kustomize build ": "deploy.kubernetes",
}
# Beginnings of commands in their order, what they must print, and what becomes of those that go on.
TYPED = [
    ("./dev demo", r"FINALIZED(.|\n)*Paid, exactly once", ""),
    ("./dev run", r"^listening ", "stays"),
    ("build/dev/client/ippctl simulate device ", rf"^Device +(?P<DEVICE>{UUID})$", ""),
    ("build/dev/client/ippctl sessions create ", rf"^Session +(?P<SESSION>{UUID})$", ""),
    ("build/dev/client/ippctl simulate tap SESSION --outcome ", r"insufficient-funds", ""),
    ("build/dev/client/ippctl simulate tap SESSION", r"success", ""),
    ("build/dev/client/ippctl sessions watch ", r"^\S+  FINALIZED ", ""),
    ("build/dev/client/ippctl events tail ", r" FINALIZED ", "Ctrl-C"),
    ("PYTHON=/usr/bin/python3 tests/polyglot/stubs.sh python ", r"", ""),
    ("PYTHONPATH=build/stubs /usr/bin/python3 build/pay.py", rf"^SESSION_STATUS_FINALIZED {UUID}$", ""),
    ("npm install ", r"", ""),
    ("node build/pay.mjs", rf"^SESSION_STATUS_FINALIZED {UUID}$", ""),
    ("build/dev/server/ipp-gateway --config gateway.yaml --check-config", "the configuration is good", ""),
    ("build/dev/server/ipp-gateway --config gateway.yaml", r"^listening ", "Ctrl-C"),
]


class Stumbled(Exception):
    """The pages do not lead there."""


class Running(Process):
    """A command in a process group of its own, as in a terminal, and what it says."""

    def __init__(self, command, log, **options):
        super().__init__(["bash", "-c", command], log, start_new_session=True, **options)
        self.name = command

    def end(self, seconds):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        if self.process.returncode != 0:
            raise Stumbled(f"{self.name}\nended with {self.process.returncode}:\n{self.said()}")

    def ctrl_c(self):
        os.killpg(self.pid, signal.SIGINT)
        self.end(PATIENCE)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def steps(readme):
    """In order: (None, command) or (file name, text)."""
    found, name = [], ""
    for piece in re.finditer(r"(?ms)^```(\w*)\n(.*?)^```$|^    ([^\n]+)|`([\w/]+\.\w+)`", readme):
        language, text, command, mentioned = piece.groups()
        name = mentioned or name
        if command:
            found.append((None, command.split("  #")[0].strip()))
        elif language:  # else a drawing
            found.append((name, text))
    return found


class Walker:
    """A newcomer's folders and terminals."""

    def __init__(self, work):
        shutil.rmtree(work, ignore_errors=True)
        self.work, self.clone, self.shop = work, work / "ipp-gateway", work / "shop"
        self.shop.mkdir(parents=True)
        known = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for name in filter(None, known.split("\0")):
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.clone / name, follow_symlinks=False)
        self.environment = {**os.environ, **PORTS}
        self.words = {}  # what earlier commands have shown: DEVICE, SESSION
        self.stays, self.running = None, []

    def write(self, name, text):
        path = self.clone / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace(USUAL, self.environment["IPPCTL_ADDRESS"]))
        if name == "gateway.yaml":
            (self.clone / "kustom-api-key").write_text("kco_test_api_walk\n")
            (self.clone / "kustom-webhook-secrets").write_text(WEBHOOK_SECRET + "\n")

    def type(self, command, expected, how):
        for word, value in self.words.items():
            command = re.sub(rf"\b{word}\b", value, command)
        log = self.work / f"{len(self.running) + 1}.log"
        running = Running(command, log, cwd=self.clone, env=self.environment)
        self.running.append(running)
        if not how:
            running.end(BUILD_SECONDS)
        match = running.wait_for(expected, BUILD_SECONDS)
        self.words.update(match.groupdict())
        if how == "Ctrl-C":
            running.ctrl_c()
        if how == "stays":
            self.stays = running
            address = "127.0.0.1:" + running.wait_for(r"^listening grpc=(\d+) ")[1]
            self.environment.update(IPPCTL_ADDRESS=address)
        print("ok      " + command, flush=True)

    def readme(self):
        """Up to where it leads."""
        typed = iter(TYPED)
        for name, text in steps((self.clone / "README.md").read_text()):
            if name:
                self.write(name, text)
            elif not any(text.startswith(known) for known in ELSEWHERE):
                begin, expected, how = next(typed, ("nothing", "", ""))
                if not text.startswith(begin):
                    raise Stumbled(f"README.md: '{text}' is not walked; expected is '{begin}'")
                self.type(text, expected, how)
        if left := next(typed, None):
            raise Stumbled(f"README.md has no '{left[0]}'")

    def page(self):
        """The Python part, from the same clone, with the gateway that runs."""
        text = (self.clone / "docs/your-language-in-five-minutes.md").read_text()
        said = [line.split("  #")[0].strip() for line in re.findall("^    (.+)$", text.split("## Python")[0], re.M)]
        if said != ["./dev run", "export IPP=~/ipp-gateway", f"export GATEWAY={USUAL}"]:
            raise Stumbled(f"the page begins with {said}")
        shop = page.Shop(self.shop, self.environment["IPPCTL_ADDRESS"])
        shop.environment["IPP"] = str(self.clone)
        code = 0
        for name, block in page.blocks(page.part_of(text, "Python")[0]):
            if name:
                (self.shop / name).write_text(block)
                continue
            code, words = shop.run(block)
            if code != 0:
                raise Stumbled(f"{block}\nended with {code}:\n{words}")
        page.paid(code, words)
        print("ok      the page's Python: FINALIZED", flush=True)

    def packages(self):
        """What the README has installed is what ./dev would install."""
        lists = re.findall(r"^PACKAGES_\w+=\((.*?)\)", (self.clone / "dev").read_text(), re.M | re.S)
        listed = " ".join(lists).split()
        for line in re.findall(r"^    apt-get install (.+)$", (self.clone / "README.md").read_text(), re.M):
            if missing := set(line.split()) - set(listed):
                raise Stumbled(f"./dev does not know the packages {missing}")

    def leave(self):
        self.stays.ctrl_c()
        print("ok      Ctrl-C", flush=True)


def main():
    walker = Walker(pathlib.Path(sys.argv[1]).resolve())
    try:
        walker.packages()
        walker.readme()
        walker.page()
        walker.leave()
        shutil.rmtree(walker.clone)
    except (Stumbled, page.Failed, BedError) as stumble:
        print(f"FAILED  {stumble}")
        return 1
    finally:
        for running in walker.running:
            running.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
