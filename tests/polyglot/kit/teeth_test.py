#!/usr/bin/env python3
"""teeth_test.py --build BUILD_DIR -- COMMAND...: the kit finds what it is for. COMMAND is a client without fault."""
import argparse
import copy
import json
import pathlib
import re
import sys

import kit
from match import differences

HERE = pathlib.Path(__file__).resolve().parent


def doctored(steps, name, change):
    """The steps with one changed."""
    steps = copy.deepcopy(steps)
    change(next(step for step in steps if step["name"] == name))
    return steps


def up_to(steps, name):
    return steps[:[step["name"] for step in steps].index(name) + 1]


def loose(steps):
    """Steps that take any event."""
    return [{**step, "expect": {"event": {}}} if "event" in step.get("expect", {}) else step for step in steps]


def matching():
    """What fits, and what does not."""
    for expected, actual, good in (
            ({"a": 1}, {"a": 1, "b": 2}, True), ({"a": 1}, {"b": 2}, False), ({"a": None}, {}, True),
            ({"a": None}, {"a": 0}, False), ([1], [1, 2], False), ([], None, False), ("~a+", "aa", True),
            ("~a+", "aab", False), ("~a+", None, False), (True, 1, False), ("1", 1, False), ({}, None, False)):
        assert bool(differences(expected, actual)) != good, (expected, actual)


def cases(steps, client):
    """(what, steps, command, the line that must come)."""
    def saboteur(how):
        return [sys.executable, str(HERE / "saboteur.py"), how, *client]

    first = steps[:1]
    yield "a good client", steps, saboteur("honest"), rf"{len(steps)} steps, all 19 RPCs"
    yield "a wrong expectation", doctored(first, "locations: one page", lambda step: step["expect"]["response"].update(
        totalSize="3")), client, "FAILED  locations: one page: response.totalSize is '2', not '3'"
    yield "an error where a response is expected", doctored(
        steps[:4], "location: none; a number in the metadata",
        lambda step: step.update(expect={"response": {}})), client, "FAILED  location: none.*response is None"
    yield "a step that expects nothing", doctored(first, "locations: one page", lambda step: step.pop("expect")), client, \
        "FAILED  locations: one page: the step expects nothing"
    yield "a step with a word too much", doctored(first, "locations: one page", lambda step: step.update(expcet={})), client, \
        r"FAILED  locations: one page: not a step: \['call'\] \['expcet'\]"
    yield "a placeholder that nobody kept", steps[1:2], client, "FAILED  locations: the next page: no earlier step kept page"
    yield "an RPC without a step", first, client, "FAILED  no step calls DeviceService/DeleteDevice, "
    yield "a client that dies", first, ["false"], "FAILED  locations: one page: the client ended with 1"
    yield "a client that does not speak JSON", first, ["echo", "hello"], \
        "FAILED  locations: one page: the client's answer is not JSON"
    yield "a swallowed error", steps, saboteur("swallows_errors"), "FAILED  location: none.*error is None"
    yield "lost details", steps, saboteur("loses_details"), r"FAILED  location: none.*error\.details is None"
    yield "a forgotten trailer", steps, saboteur("forgets_trailers"), "FAILED  device: made, .*trailers is None"
    yield "a rounded amount", steps, saboteur("rounds_amounts"), "FAILED  session: made, .*9007199254740992"
    yield "a lost event", steps, saboteur("loses_an_event"), "FAILED  followed: a card was tried: event.type is 'SESSION_EVENT_TYPE_PAYMENT_FAILED'"
    yield "an event twice", steps, saboteur("repeats_an_event"), "FAILED  followed: why it failed: event.type is 'SESSION_EVENT_TYPE_ACTIVATED'"
    yield "an event twice, seen by the log alone", up_to(
        loose(steps), "what was followed is what the log holds, in its order"), saboteur("repeats_an_event"), \
        "FAILED  what was followed is what the log holds, in its order: followed "
    yield "a broken stream told as ended", steps, saboteur("swallows_the_end_of_streams"), \
        "FAILED  watched: the stream has broken: error is None"
    yield "a certificate of anybody", steps, saboteur("trusts_everyone"), "FAILED  TLS: another authority is not trusted: error is None"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("command", nargs="+")
    flags = parser.parse_args()
    matching()
    steps = json.loads((HERE / "steps.json").read_text())["steps"]
    for what, script, command, expected in cases(steps, flags.command):
        said = []
        good = kit.run(flags.build, script, command, said.append)
        if good == expected.startswith("FAILED") or not any(re.match(expected, line, re.S) for line in said):
            print(f"FAILED  {what}: no line like {expected!r}:\n" + "\n".join(said[-3:]))
            return 1
        print(f"ok      {what}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
