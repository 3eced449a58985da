#!/usr/bin/env python3
"""rules_test.py [--only RULE...] -- COMMAND: plays every row of docs/client-rules.md against a client.

COMMAND is the language's driver: a small program over its package, which reads orders and writes answers, a JSON object
a line. README.md has them. A row passes when the client repeats what its column *Repeated* says, and gives what *Comes
out* says. Several rows are played at once, each with a gateway and a driver of its own.
"""
import argparse
import json
import pathlib
import queue
import re
import subprocess
import sys
import threading
import time

from google.protobuf import json_format
from kustom.ipp.v1 import (device_pb2, enrollment_pb2, location_pb2, outcome_pb2, session_event_pb2, session_pb2,
                           shared_subscription_pb2, simulation_pb2)

import scenes_collect
import scenes_events
import scripted_gateway

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "client-rules.md"
SCENES = {**scenes_collect.SCENES, **scenes_events.SCENES}
METHODS = scripted_gateway.methods_of([
    device_pb2, enrollment_pb2, location_pb2, outcome_pb2, session_event_pb2, session_pb2, shared_subscription_pb2,
    simulation_pb2])
TIMING = {"call": 3, "create": 25, "answer_allowance": 0.1, "look": 1, "first_pause": 0.01, "longest_pause": 0.05,
          "first_stream_pause": 0.01, "longest_stream_pause": 0.05, "heartbeat": 30, "keepalive": 0.3,
          "keepalive_answer": 0.3, "stop": 5}
ORDER = {"requestId": "5f0c1d9e-0b1c-4c55-9a11-2f6d8c1f0a01", "deviceId": "d1", "purchaseCurrency": "SEK",
         "orderAmount": "25000"}


class Failed(Exception):
    """The client does not do what the row says."""


def rows(text):
    """Rule, repeated, comes out; each cell's code."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 6 and (rule := re.fullmatch(r"`([\w-]+)`", cells[0])):
            codes = [re.fullmatch(r"`([^`]+)`", cells[number]) for number in (2, 3, 4)]
            if not all(codes):
                raise Failed(f"{rule[1]}: a cell without its code")
            yield rule[1], codes[0][1], codes[2][1]


class Driver:
    """The language's program."""

    def __init__(self, command, patience):
        self.patience = patience
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.lines, self.notes = queue.Queue(), []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def tell(self, order):
        self.process.stdin.write(json.dumps(order) + "\n")

    def hear(self, seconds):
        """The next line; notes are kept on the way."""
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            return None
        if line is None:
            raise Failed("the program ended")
        if "note" in line:
            self.notes.append((line["note"], line["event"]))
        return line

    def answer(self):
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            line = self.hear(end - time.monotonic())
            if line and "note" not in line:
                return line
        raise Failed("the program does not come to an end")

    def close(self):
        self.process.stdin.close()
        return self.process.wait(self.patience)


class Play:
    """One row, played with one driver and one gateway."""

    def __init__(self, gateway, driver):
        self.gateway, self.driver = gateway, driver

    def run(self, repeated, comes_out, scene):
        self.gateway.forget(scene["script"])
        self.driver.notes.clear()
        order = {key: value for key, value in scene.items() if key in (
            "do", "request", "resumed", "on_stop", "take", "fail_at", "slow_ms", "place", "handle", "make", "parallel")}
        order.update(address=self.gateway.address, timing={**TIMING, **scene.get("timing", {})},
                     timeout=scene.get("timeout", 30))
        if scene["do"] == "collect":
            order["request"] = ORDER
        self.driver.tell(order)
        for each in scene.get("then", ()):
            self._then(each)
        answer = self.driver.answer()
        if self.gateway.faults:
            raise Failed("; ".join(self.gateway.faults) + f"; answer {answer}")
        self._repeated(repeated, scene)
        {"collect": self._collected, "follow": self._followed, "consume": self._consumed}[scene["do"]](
            comes_out, scene, answer)

    def _then(self, step):
        if "do" in step:
            self.driver.tell(step)
        elif "way" in step:
            getattr(self.gateway.way, step["way"])()
        else:
            end = time.monotonic() + self.driver.patience
            while not self._has(step):
                if time.monotonic() > end:
                    raise Failed(f"{step} does not happen")
                self.driver.hear(0.005)

    def _has(self, step):
        for note in ("handling", "lost"):
            if note in step:
                return (note, step[note]) in self.driver.notes
        if "until" in step:
            return len(self.gateway.requests(step["until"][0])) >= step["until"][1]
        with self.gateway.lock:
            if "extended" in step:
                return self.gateway.extended.count(step["extended"]) >= step.get("times", 1)
            return step["settled"] in self.gateway.settled

    def _repeated(self, repeated, scene):
        requests = self.gateway.requests(scene["rpc"])
        if repeated == "nothing" and len(requests) > 1:
            raise Failed(f"{scene['rpc']} was called {len(requests)} times")
        if repeated != "nothing" and len(requests) < 2:
            raise Failed(f"{scene['rpc']} was called {len(requests)} times")
        if repeated == "the same request" and any(request != requests[0] for request in requests):
            raise Failed("another request was sent")
        if "gap" in scene:
            times = [when for rpc, when in self.gateway.times if rpc == scene["rpc"]]
            gaps = [later - sooner for sooner, later in zip(times, times[1:])]
            if min(gaps) < scene["gap"]:
                raise Failed(f"called again after {min(gaps):.3f} s")

    def _same(self, what, got, expected):
        if got != expected:
            raise Failed(f"{what}: {got}, not {expected}")

    def _collected(self, comes_out, scene, answer):
        self._same("money and end", f"{answer['money']}/{answer['end']}", comes_out)
        self._same("request_id", answer["request_id"], ORDER["requestId"])
        if answer["money"] == "PAID":
            self._same("order", answer["order_id"], "o1")
        if "steps" in scene:
            self._same("steps", answer["steps"], scene["steps"])

    def _followed(self, comes_out, scene, answer):
        self._same("raised", answer["raised"], "" if comes_out in ("nothing", "skipped") else comes_out)
        self._same("skipped", answer["skipped"], comes_out == "skipped")
        self._same("events", answer["events"], scene["seen"])
        self._same("cursor", answer["cursor"], scene["cursor"])
        if "kept" in scene:
            self._same("kept", answer["kept"], scene["kept"])
        if "asked" in scene:
            starts = [json_format.MessageToDict(request) for request in self.gateway.requests(scene["rpc"])]
            asked = [{key: value for key, value in start.items() if key in ("afterCursor", "position")}
                     for start in starts]
            self._same("streams asked for", asked, scene["asked"])

    def _consumed(self, comes_out, scene, answer):
        self._same("raised", answer["raised"], "" if comes_out in ("nothing", "lease lost") else comes_out)
        self._same("events", sorted(answer["events"]), scene["seen"])
        self._same("lost", answer["lost"], scene.get("lost", []))
        if scene.get("lost") and scene["handle"]["e1"] in ("check", "until_lost"):
            self._same("told to the handler", answer["told"], ["e1"])
        settled = self.gateway.settled
        if "settled" in scene:
            self._same("settled", {lease: each.WhichOneof("action") for lease, each in settled.items()},
                       scene["settled"])
        if "delay" in scene:
            self._same("delay", f"{settled['lease-e1'].retry.delay.seconds}s", scene["delay"])
        if "reason" in scene:
            self._same("reason", settled["lease-e1"].park.reason, scene["reason"])
        if "no_secret" in scene:
            reason = settled["lease-e1"].retry.reason
            if not reason or scene["no_secret"] in reason:
                raise Failed(f"the reason is '{reason}'")


def play_all(command, patience, rules, say):
    """Takes rows until there are none. Another row begins with another driver when one failed."""
    driver = None
    with scripted_gateway.playing(METHODS) as gateway:
        while True:
            try:
                rule, repeated, comes_out = rules.get_nowait()
            except queue.Empty:
                break
            driver = driver or Driver(command, patience)
            began = time.monotonic()
            try:
                Play(gateway, driver).run(repeated, comes_out, SCENES[rule])
                say(f"ok      {rule} ({time.monotonic() - began:.1f} s)", False)
            except Failed as failure:
                say(f"FAILED  {rule}: {failure}", True)
                driver.process.kill()
                driver = None
        if driver and driver.close() != 0:
            say("FAILED  the program did not end with 0", True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--patience", type=int, default=40, help="seconds; only a broken client reaches them")
    parser.add_argument("command", nargs="+")
    flags = parser.parse_args()
    table = list(rows(PAGE.read_text()))
    failed = []

    def say(line, bad):
        print(line, flush=True)
        if bad:
            failed.append(line)

    named = [row[0] for row in table]
    for name in sorted(set(named) ^ set(SCENES)):
        say(f"FAILED  {name}: has a row and no scene, or a scene and no row", True)
    rules = queue.Queue()
    # Those that take long begin first.
    for row in sorted(table, key=lambda row: not row[0].endswith("frozen")):
        if row[0] in SCENES and (not flags.only or row[0] in flags.only):
            rules.put(row)
    if rules.empty():
        say("FAILED  no row to play", True)

    def player():
        try:
            play_all(flags.command, flags.patience, rules, say)
        except Exception as error:  # pylint: disable=broad-except  # for example: there is no such program
            say(f"FAILED  {error!r}", True)

    threads = [threading.Thread(target=player) for _ in range(flags.at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{len(table) if not flags.only else len(flags.only)} rules, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
