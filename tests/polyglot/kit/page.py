#!/usr/bin/env python3
"""page.py --build BUILD_DIR --shop FOLDER LANGUAGE: does what docs/your-language-in-five-minutes.md says.

Its part about the language is followed to the letter: every `sh` block is run, every other block is saved under the
name that the text before it gives. Then the program is run once more for each trouble that it must stand, and at last
changed as the part says under "Over TLS" and run against a gateway that wants a client certificate and a token.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import bed as beds

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "your-language-in-five-minutes.md"
TITLES = {"python": "Python", "node": "Node", "go": "Go", "java": "Java", "cpp": "C++"}
SECONDS = 300  # for one block, downloads included
PATIENCE = 150  # seconds: a frozen connection is noticed, and what was leased over it is free again
STEP = r"step (?:SESSION_STATUS_)?(\w+)"
BLOCK = r"^```(\w+)\n(.*?)^```$"


class Failed(Exception):
    """The page does not do what it promises."""


def part_of(page, title):
    """The text about the language: all but TLS, and that."""
    part = re.search(rf"^## {re.escape(title)}$(.*?)^\*\*Over TLS\*\*(.*?)(?=^## |\Z)", page, re.M | re.S)
    if not part:
        raise Failed(f"no part about {title} with its TLS")
    return part.groups()


def blocks(part):
    """The blocks in order: (None, commands) or (file name, text)."""
    found, end = [], 0
    for block in re.finditer(BLOCK, part, re.M | re.S):
        names = re.findall(r"`([\w/]+\.\w+)`", part[end:block.start()])
        if block[1] != "sh" and not names:
            raise Failed(f"a block of {block[1]} without a file name before it")
        found.append((None if block[1] == "sh" else names[-1], block[2]))
        end = block.end()
    if len(found) < 3 or found[0][0] or found[-1][0] or all(not name for name, _ in found):
        raise Failed("not commands, a program and how to run it")
    return found


def change(program, part):
    """The program with every line that the part says is another one, or goes."""
    changes = list(re.finditer(rf"`([^`\n]+)` (?:becomes\n\n{BLOCK}|goes)", part, re.M | re.S))
    if not changes:
        raise Failed("nothing is said of TLS")
    for old, _, new in (line.groups(default="") for line in changes):
        lines = [line for line in program.splitlines(keepends=True) if line.strip() == old]
        if len(lines) != 1:
            raise Failed(f"the program has {len(lines)} lines {old}")
        program = program.replace(lines[0], new)
    return program


class Shop:
    """The folder that the reader works in."""

    def __init__(self, folder, address):
        self.folder = folder
        self.environment = {**os.environ, "IPP": str(ROOT), "GATEWAY": address}

    def run(self, commands, at_line=lambda line: None):
        """Exit code and what was said."""
        said = []
        with subprocess.Popen(["timeout", str(SECONDS), "bash", "-euo", "pipefail", "-c", commands], cwd=self.folder,
                              env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as process:
            for line in process.stdout:
                said.append(line)
                at_line(line)
        # Maven ends with colours, also where it used none.
        return process.returncode, re.sub(r"\x1b\[[0-9;]*m", "", "".join(said))


def paid(code, said):
    """It was paid, and no state was told twice, from the first to the last."""
    steps = re.findall(rf"^{STEP}", said, re.M)
    end = re.search("^PAID, order [0-9a-f-]{36}$", said, re.M)
    told = (steps[:1], steps[-1:]) == (["CREATED"], ["FINALIZED"]) and len(set(steps)) == len(steps)
    if code != 0 or not end or not told:
        raise Failed(f"ended with {code}:\n{said}")


def troubles(bed, shop, start, say):
    """What else the program must stand."""
    def sessions():
        return len(bed.simulator.ask("GET", "/_sim/sessions?limit=1000")["sessions"])

    before, cuts = sessions(), []
    bed.simulator.ask("PUT", "/_sim/faults", {"faults": [
        {"on": "create_session", "do": "too_many", "retry_after": 1},
        {"on": "create_session", "do": "reset_after_read"},
        {"on": "webhook", "type": "ipp.session.finalized", "do": "late", "delay_ms": 1500}]})

    def cut(line):
        if re.match(rf"{STEP}", line) and "CREATED" in line:
            cuts.append(bed.road.cut())

    paid(*shop.run(start, cut))
    if (made := sessions() - before) != 1:
        raise Failed(f"one payment made {made} sessions")
    if len(cuts) != 1:
        raise Failed("the connection was not cut while it followed")
    say("ok      Kustom is busy, then its answer to the create is lost: one session, paid")
    say("ok      the connection breaks while it follows: nothing is missed")

    bed.simulator.ask("PUT", "/_sim/faults", {"faults": [
        {"on": "create_session", "do": "error_before", "status": 400}]})
    code, said = shop.run(start)
    if code == 0 or not {"UPSTREAM_REFUSED", "REJECTED"} <= set(re.findall(r"\w+", said)):
        raise Failed(f"refused, it ended with {code}:\n{said}")
    bed.simulator.ask("DELETE", "/_sim/faults")
    say("ok      Kustom refuses the order: it says so and fails")


def buy(shop, start, at_line=lambda line: None):
    """The order that was paid."""
    code, said = shop.run(start, at_line)
    paid(code, said)
    return re.search(r"^PAID, order (\S+)", said, re.M)[1]


class Pods:
    """The program for the events, in so many pods, until the block ends."""

    def __init__(self, shop, part, count):
        line = re.search("^Run it in each pod: `([^`]+)`", part, re.M)
        if not line:
            raise Failed("it does not say how to run the events in each pod")
        self.command, self.shop, self.running = line[1], shop, []
        self.books = [shop.folder / f"books-{number}.log" for number in range(count)]

    def __enter__(self):
        for book in self.books:
            with book.open("w", encoding="utf-8") as log:
                self.running.append(subprocess.Popen(
                    ["bash", "-c", self.command], cwd=self.shop.folder, env=self.shop.environment, stdout=log,
                    stderr=subprocess.STDOUT, start_new_session=True))
        return self

    def __exit__(self, *_):
        for pod in self.running:
            if pod.poll() is None:
                os.killpg(pod.pid, signal.SIGKILL)
            pod.wait()

    def kill(self, number):
        os.killpg(self.running[number].pid, signal.SIGKILL)

    def stop(self, number):
        """As Kubernetes does it."""
        if self.running[number].poll() is not None:
            raise Failed(f"a pod has ended:\n{self.books[number].read_text()}")
        os.killpg(self.running[number].pid, signal.SIGTERM)
        try:
            self.running[number].wait(PATIENCE)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"a pod does not end at SIGTERM:\n{self.books[number].read_text()}") from late

    def await_booked(self, orders):
        """Until each of the orders is in the books of a pod."""
        end = time.monotonic() + PATIENCE
        while True:
            said = "".join(map(pathlib.Path.read_text, self.books))
            if set(orders) <= set(re.findall(r"^event (?:\w+_)?FINALIZED \S+ (\S+)$", said, re.M)):
                return
            if time.monotonic() > end:
                raise Failed(f"not booked, of {orders}:\n{said}")
            time.sleep(0.05)


def events(bed, shop, part, start):
    """Every order is in the books of one of two pods, although the connections break and a pod is killed."""
    with Pods(shop, part, 2) as pods:
        orders = [buy(shop, start)]
        pods.await_booked(orders)
        bed.road.cut()
        orders.append(buy(shop, start))
        pods.kill(0)
        orders.append(buy(shop, start))
        pods.await_booked(orders)
        pods.stop(1)


def frozen(bed, shop, part, start):
    """The connections of both programs freeze while the session is watched: it takes as long as the package's own keepalive
    and heartbeats, and the lease of what was sent on the frozen connection."""
    froze = []

    def freeze(line):
        if re.match(STEP, line) and "CREATED" in line:
            froze.append(bed.road.freeze())

    with Pods(shop, part, 1) as pods:
        pods.await_booked([buy(shop, start)])
        bed.simulator.ask("PUT", "/_sim/faults", {"faults": [
            {"on": "webhook", "type": "ipp.session.finalized", "do": "late", "delay_ms": 1500}]})
        order = buy(shop, start, freeze)
        if len(froze) != 1:
            raise Failed("the connections were not frozen while it followed")
        pods.await_booked([order])
        pods.stop(0)


def over_tls(bed, shop, part, name, start):
    """With the page's changes, against the gateway that wants a certificate and a token of the same caller."""
    program = shop.folder / name
    program.write_text(change(program.read_text(), part))
    for file in re.finditer(rf"`(\w+\.\w+)`:\n\n{BLOCK}", part, re.M | re.S):
        (shop.folder / file[1]).write_text(file[3])
    channel = bed.channels["both"]
    for file, source in (("ca.pem", "ca_file"), ("cert.pem", "cert_file"), ("key.pem", "key_file")):
        shutil.copy(channel[source], shop.folder / file)
    bed.simulator.ask("DELETE", "/_sim/faults")
    bed.webhooks_to(bed.both)
    shop.environment.update(GATEWAY=channel["address"], TOKEN="token-of-full")
    paid(*shop.run(start))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--shop", required=True, type=pathlib.Path, help="made anew")
    parser.add_argument("language", choices=TITLES)
    flags = parser.parse_args()
    shutil.rmtree(flags.shop, ignore_errors=True)
    flags.shop.mkdir(parents=True)
    with beds.made(flags.build) as bed:
        try:
            shop = Shop(flags.shop, bed.channels["plain"]["address"])
            plain, tls = part_of(PAGE.read_text(), TITLES[flags.language])
            steps = blocks(plain)
            for name, text in steps[:-1]:
                if name:
                    path = flags.shop / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text)
                    continue
                code, said = shop.run(text)
                if code != 0:
                    raise Failed(f"{text}\nended with {code}:\n{said}")
            paid(*shop.run(steps[-1][1]))
            print(f"ok      {PAGE.name}, as it stands there: paid", flush=True)
            troubles(bed, shop, steps[-1][1], lambda line: print(line, flush=True))
            events(bed, shop, plain, steps[-1][1])
            print("ok      the events in two pods, a cut and a pod that is killed: every order is booked", flush=True)
            frozen(bed, shop, plain, steps[-1][1])
            print("ok      the connections of both programs freeze: paid, and booked", flush=True)
            program = max(index for index, (name, _) in enumerate(steps) if name)
            again = "".join(text for _, text in steps[program + 1:])
            over_tls(bed, shop, tls, steps[program][0], again)
            print("ok      over TLS, with a client certificate and a token: paid", flush=True)
        except Failed as failure:
            print(f"FAILED  {PAGE.name}: {failure}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
