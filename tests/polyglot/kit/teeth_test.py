#!/usr/bin/env python3
"""teeth_test.py --build BUILD_DIR -- COMMAND...: the kit finds what it is for. COMMAND is a client without fault."""
import argparse
import copy
import json
import pathlib
import re
import sys

import bed as beds
import kit
from match import differences

HERE = pathlib.Path(__file__).resolve().parent
LOG = "what was followed is what the log holds, in its order"


def doctored(steps, change):
    """The steps with the last one changed."""
    steps = copy.deepcopy(steps)
    change(steps[-1])
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


def wrong_steps(steps):
    """(what, steps, the line that must come) for a client without fault."""
    first, four = steps[:1], steps[:4]
    page = "FAILED  locations: one page: "
    yield "a wrong expectation", doctored(
        first, lambda step: step["expect"]["response"].update(totalSize="3")
    ), page + "response.totalSize is '2', not '3'"
    yield "a response expected where an error comes", doctored(
        four, lambda step: step.update(expect={"response": {}})), "FAILED  location: none.*response is None"
    yield "a step that expects nothing", doctored(
        first, lambda step: step.pop("expect")), page + "the step expects nothing"
    yield "a step that does not say what of the answer counts", doctored(
        first, lambda step: step.update(expect={}, keep={})), page + r"unexpected \['response'\]"
    yield "a step with a word too much", doctored(
        first, lambda step: step.update(expcet={})), page + r"not a step: \['call'\] \['expcet'\]"
    yield "a placeholder that nobody kept", steps[1:2], "FAILED  locations: the next page: no earlier step kept page"
    yield "an RPC without a step", first, "FAILED  no step calls DeviceService/DeleteDevice, "


def wrong_clients(steps, client):
    """(what, steps, command, the line that must come)."""
    def with_fault(how):
        return [sys.executable, str(HERE / "saboteur.py"), how, *client]

    for what, command, line in (
            ("a client that dies", ["false"], "locations: one page: the client ended with 1"),
            ("a client that does not speak JSON", ["sh", "-c", "read order && echo hello"],
             "locations: one page: .*answer is not JSON"),
            ("a swallowed error", with_fault("swallows_errors"), "location: none.*error is None"),
            ("lost details", with_fault("loses_details"), r"location: none.*error\.details is None"),
            ("a forgotten trailer", with_fault("forgets_trailers"), "device: made, .*trailers is None"),
            ("a rounded amount", with_fault("rounds_amounts"), "session: made, .*9007199254740992"),
            ("a lost event", with_fault("loses_an_event"), "followed: a card was tried: .*EVENT_TYPE_PAYMENT_FAILED"),
            ("an event twice", with_fault("repeats_an_event"), "followed: why it failed: .*EVENT_TYPE_ACTIVATED"),
            ("a cursor that is not kept", with_fault("starts_over"), "followed: nothing was missed: .*EVENT_TYPE_CREATED"),
            ("a broken stream told as ended", with_fault("swallows_the_end_of_streams"),
             "watched: the stream has broken: error is None"),
            ("a certificate of anybody", with_fault("trusts_everyone"),
             "TLS: another authority is not trusted: error is None"),
            ("a certificate that is not shown", with_fault("forgets_certificates"),
             "certificate: a known name is enough: .*TOKEN_MISSING"),
            ("one certificate for all channels", with_fault("shows_one_certificate"),
             "certificate: a name that nobody has: error is None")):
        yield what, steps, command, "FAILED  " + line
    yield "an event twice, where the log alone tells", up_to(loose(steps), LOG), with_fault("repeats_an_event"), \
        f"FAILED  {LOG}: followed "
    yield "a good client", steps, with_fault("honest"), rf"{len(steps)} steps, all \d+ RPCs"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("command", nargs="+")
    flags = parser.parse_args()
    matching()
    steps = json.loads((HERE / "steps.json").read_text())["steps"]
    with beds.made(flags.build) as bed:
        cases = [(what, script, flags.command, line) for what, script, line in wrong_steps(steps)]
        for what, script, command, expected in cases + list(wrong_clients(steps, flags.command)):
            said = []
            good = kit.run(bed, script, command, said.append)
            if good == expected.startswith("FAILED") or not any(re.match(expected, line, re.S) for line in said):
                print(f"FAILED  {what}: no line like {expected!r}:\n" + "\n".join(said[-3:]))
                return 1
            print(f"ok      {what}", flush=True)
            bed.mend()
    return 0


if __name__ == "__main__":
    sys.exit(main())
