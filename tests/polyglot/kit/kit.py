#!/usr/bin/env python3
"""kit.py --build BUILD_DIR [--steps FILE] [--name NAME] -- COMMAND...: a client of the gateway, against steps.json.

COMMAND starts the client: a program that reads orders and writes answers, one JSON object a line (README.md beside
this folder has them all). The kit starts the real gateway with the simulator behind it, gives one order after
another, compares every answer with what the step expects, and prints a line a step. Exit code 0: all were as expected.
"""
import argparse
import contextlib
import json
import pathlib
import queue
import re
import subprocess
import sys
import threading
import time
import uuid

import bed as beds
from ipp_kit import BedError
from match import differences

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parents[2] / "proto"
PACKAGE = "kustom.ipp.v1."
DEADLINE_MS = 20_000  # of every call, unless the step says another
ANSWER_SECONDS = 60  # a client that does not answer has failed

# What a step may hold, by what it does.
STEP_KEYS = {
    "call": {"request", "over", "metadata", "deadline_ms", "cancel_after_ms", "stream", "keep"},
    "follow": {"request", "over"},
    "next": {"keep"},
    "end": set(),
    "simulator": {"body", "keep"},
    "bed": set(),
    "same_as_listed": {"page_size"},
}


class Failed(Exception):
    """A step was not as expected."""


class Client:
    """The program under test."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def ask(self, order):
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            line = self.lines.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            raise Failed(f"the client has not answered {order['do']} for {ANSWER_SECONDS} s") from None
        except BrokenPipeError:
            line = None
        if line is None:
            raise Failed(f"the client ended with {self.process.wait(ANSWER_SECONDS)}")
        try:
            answer = json.loads(line)
        except ValueError:
            raise Failed(f"the client's answer is not JSON: {line!r}") from None
        if not isinstance(answer, dict):
            raise Failed(f"the client's answer is not an object: {line!r}")
        return answer

    def end(self):
        """Its exit code, once it has no more orders."""
        with contextlib.suppress(BrokenPipeError):  # it has ended before its time: its code tells
            self.process.stdin.close()
        try:
            return self.process.wait(ANSWER_SECONDS)
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Run:
    """One client, one bed, and what was kept of earlier answers."""

    def __init__(self, client, bed):
        self.client, self.bed, self.kept, self.rpcs = client, bed, {}, set()
        self.followed, self.connected = {}, set()

    def do(self, step):
        """Does one step; Failed says what differs."""
        actions = [key for key in STEP_KEYS if key in step]
        if "call" in actions and "stream" in step:
            actions = ["call"]
        unknown = step.keys() - {"name", "expect", *actions, *(STEP_KEYS[actions[0]] if actions else ())}
        if len(actions) != 1 or unknown:
            raise Failed(f"not a step: {sorted(actions)} {sorted(unknown)}")
        getattr(self, "_" + actions[0])(self._fill(step))

    def _call(self, step):
        """A unary call, or the start of a stream."""
        order = {"do": "open" if "stream" in step else "call", "rpc": PACKAGE + step["call"],
                 "request": step.get("request", {}), "channel": self._channel(step),
                 "deadline_ms": step.get("deadline_ms", DEADLINE_MS)}
        order.update({key: step[key] for key in ("metadata", "cancel_after_ms", "stream") if key in step})
        self.rpcs.add(step["call"])
        self._judge(step, self.client.ask(order), {} if "stream" in step else None)

    def _follow(self, step):
        order = {"do": "follow", "stream": step["follow"], "request": step["request"], "channel": self._channel(step)}
        self.followed[step["follow"]] = []
        self._judge(step, self.client.ask(order), {})

    def _next(self, step):
        """The next message of a stream; heartbeats are skipped unless one is expected."""
        name = step["next"]
        while True:
            answer = self.client.ask({"do": "next", "stream": name})
            message = answer.get("message")
            beat = isinstance(message, dict) and "heartbeat" in message
            if not beat or "heartbeat" in step["expect"].get("message", {}):
                break
        self._judge(step, answer)
        if name in self.followed:
            self.followed[name].append(answer["event"]["eventId"])

    def _end(self, step):
        """The client cancels a stream and reads it to its end."""
        self._judge(step, self.client.ask({"do": "cancel", "stream": step["end"]}))

    def _simulator(self, step):
        method, path = step["simulator"].split(" ", 1)
        try:
            answer = self.bed.simulator.ask(method, path, step.get("body"))
        except (BedError, OSError) as error:
            raise Failed(f"the simulator: {error}") from error
        self._judge(step, {"answer": answer}, {})

    def _bed(self, step):
        self.bed.do(step["bed"])

    def _same_as_listed(self, step):
        """What was followed is what the log holds of the same sessions: nothing missed, nothing twice."""
        name, listed, token = step["same_as_listed"], [], ""
        rpc = "SessionEventService/ListSessionEvents"
        while True:
            request = {"pageSize": step["page_size"], "filter": {"sessionIds": step["expect"]}}
            if token:
                request["pageToken"] = token
            answer = self.client.ask({"do": "call", "rpc": PACKAGE + rpc, "channel": self._channel(step),
                                      "request": request, "deadline_ms": DEADLINE_MS})
            if "response" not in answer:
                raise Failed(f"the list: {answer}")
            listed += [event["eventId"] for event in answer["response"].get("events", [])]
            token = answer["response"].get("nextPageToken", "")
            if not token:
                break
        self.rpcs.add(rpc)
        if not listed or listed != self.followed[name]:
            raise Failed(f"followed {self.followed[name]}, the log has {listed}")

    def _channel(self, step):
        name = step.get("over", "plain")
        if name not in self.connected:
            answer = self.client.ask({"do": "connect", "channel": name, **self.bed.channels[name]})
            if answer != {}:
                raise Failed(f"connect: {answer}")
            self.connected.add(name)
        return name

    def _judge(self, step, answer, expected=None):
        expected = step.get("expect", expected)
        if expected is None:
            raise Failed("the step expects nothing")
        if "error" in answer:
            self.bed.errors.append(json.dumps(answer))
        # An answer is of one kind: an error is never passed over because a response was expected as well.
        kinds = {"response", "error", "message", "event", "end"}
        surplus = (answer.keys() & kinds) - expected.keys()
        lines = differences(expected, answer)
        if surplus or lines:
            lines = lines or [f"unexpected {sorted(surplus)}"]
            raise Failed("; ".join(lines) + f"\n    the answer: {json.dumps(answer)}")
        for name, path in step.get("keep", {}).items():
            value = answer
            for part in path.split("."):
                value = value[int(part)] if part.isdigit() else value.get(part)
                if value is None:
                    raise Failed(f"nothing to keep at {path}: {json.dumps(answer)}")
            self.kept[name] = value

    def _fill(self, value):
        """`${name}` is what was kept under that name, `${uuid:name}` a UUID made once for that name."""
        if isinstance(value, dict):
            return {key: value if key == "keep" else self._fill(value) for key, value in value.items()}
        if isinstance(value, list):
            return [self._fill(item) for item in value]
        return re.sub(r"\$\{([\w:]+)\}", self._kept, value) if isinstance(value, str) else value

    def _kept(self, match):
        name = match[1]
        if name.startswith("uuid:"):
            return self.kept.setdefault(name, str(uuid.uuid4()))
        if name not in self.kept:
            raise Failed(f"no earlier step kept {name}")
        return self.kept[name]


def contract():
    """Every RPC, as Service/Method."""
    rpcs = set()
    for path in sorted(PROTO.rglob("*.proto")):
        service = ""
        for line in path.read_text().splitlines():
            if found := re.match(r"service (\w+)", line):
                service = found[1]
            if found := re.match(r"\s+rpc (\w+)\(", line):
                rpcs.add(f"{service}/{found[1]}")
    return rpcs


def run(bed, steps, command, say):
    """True when the client did every step as expected."""
    began, done = time.monotonic(), 0
    client = Client(command)
    try:
        script = Run(client, bed)
        for step in steps:
            try:
                script.do(step)
            except Failed as failure:
                say(f"FAILED  {step['name']}: {failure}")
                say(f"{done} steps were right, {len(steps) - done - 1} were not tried")
                return False
            done += 1
            say(f"ok      {step['name']}")
        code = client.end()
    finally:
        client.kill()
    if code != 0:
        say(f"FAILED  the client ended with {code}")
        return False
    if missing := contract() - script.rpcs:
        say(f"FAILED  no step calls {', '.join(sorted(missing))}")
        return False
    say(f"{done} steps, all {len(script.rpcs)} RPCs, {time.monotonic() - began:.1f} s")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="where server/ipp-gateway and simulator/ipp-simulator are")
    parser.add_argument("--steps", default=HERE / "steps.json", type=pathlib.Path)
    parser.add_argument("command", nargs="+")
    flags = parser.parse_args()
    steps = json.loads(flags.steps.read_text())["steps"]
    with beds.made(flags.build) as bed:
        return 0 if run(bed, steps, flags.command, lambda line: print(line, flush=True)) else 1


if __name__ == "__main__":
    sys.exit(main())
