#!/usr/bin/env python3
"""json_log.py BUILD_DIR: with `log_format: json` every line that the gateway prints is one JSON object, from its start to
its end, and the log tells of each webhook, each step of a session, and who asked for what."""

import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import ipp_kit as kit  # noqa: E402

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def objects(text):
    """The lines as objects, each with time, level and message first, and nothing but strings in it."""
    found = []
    for line in text.splitlines():
        entry = json.loads(line)
        assert list(entry)[:3] == ["time", "level", "message"], line
        assert TIME.fullmatch(entry["time"]) and all(isinstance(value, str) for value in entry.values()), line
        found.append(entry)
    return found


def pay(bed, gateway):
    """A payment; the ids of its device and session."""
    def ctl(*arguments):
        return subprocess.run([kit.binary(bed.build, "ippctl"), "--address", gateway.grpc, *arguments], check=True,
                              capture_output=True, text=True, timeout=kit.PATIENCE,
                              env={**os.environ, "IPPCTL_CONFIG": "/dev/null"}).stdout

    device = re.search(r'"id": *"([^"]+)"', ctl("simulate", "device", "--name", "Till 1", "-o", "json"))[1]
    session = re.search(r'"session_id": *"([^"]+)"', ctl(
        "sessions", "create", "--device", device, "--amount", "100", "--currency", "SEK", "--reference", "SHOP-1001",
        "-o", "json"))[1]
    ctl("simulate", "tap", session)
    ctl("sessions", "watch", session)
    return device, session


def failed_start(bed, words, environment):
    """What a gateway prints that cannot start."""
    done = subprocess.run([kit.binary(bed.build, "ipp-gateway"), *map(str, words)], capture_output=True, text=True,
                          timeout=kit.PATIENCE, env={**os.environ, **environment}, check=False)
    assert done.returncode == 1 and not done.stdout, done
    return done.stderr


def main(build):
    with kit.Bed(build) as bed:
        bed.start_simulator()
        gateway = bed.start_gateway(log_format="json")
        bed.webhooks_to(gateway)
        device, session = pay(bed, gateway)
        kit.until("the last webhook is in the log", lambda: gateway.said().count('"webhook taken"') >= 2)
        assert bed.stop(gateway) == 0
        entries = objects(gateway.said())

        def only(message, **fields):
            return [one for one in entries
                    if one["message"] == message and all(one.get(key) == value for key, value in fields.items())]

        for message in ("starting", "listening", "started", "draining", "stopped"):
            assert len(only(message, level="info")) == 1, message
        [create] = only("audit", level="audit", rpc="CreateSession")
        assert (create["subject"], create["created"], create["outcome"]) == (device, session, "EXECUTED"), create
        assert re.fullmatch(r"127\.0\.0\.1:\d+", create["peer"]) and create["certificate"] == "-", create
        taken = only("webhook taken", level="info", session=session, merchant=kit.MERCHANT)
        steps = only("session event", level="info", session=session, merchant=kit.MERCHANT)
        assert len(taken) >= 2, taken
        assert [one["type"] for one in steps][-1] == "finalized", steps
        assert all(one["request_id"] == create["request_id"] and one["trace_id"] == create["trace_id"]
                   for one in steps), steps
        positions = [int(one["position"]) for one in steps]
        assert positions == sorted(set(positions)), steps

        # A start that fails: one line that says why, with time and level, in the format that is known by then.
        path = bed.configuration("broken", log_format="json", merchants=[{"id": "M", "api_key_file": "/nowhere/key"}])
        said = [one for one in objects(failed_start(bed, ["--config", path], {})) if one["level"] == "error"]
        assert len(said) == 1 and "merchants[0].api_key_file" in said[0]["message"], said
        path = bed.configuration("unknown", log_format="json", colour="red")
        [said] = objects(failed_start(bed, ["--config", path], {"IPP_LOG_FORMAT": "json"}))
        assert said["level"] == "error" and "colour: no such key" in said["message"], said
        text = failed_start(bed, ["--config", path], {})
        assert re.fullmatch(rf"{TIME.pattern} error cannot start: \S+:\d+: colour: no such key\n", text), text
        bed.keep("json-log")


if __name__ == "__main__":
    main(sys.argv[1])
    print("every line is an object")
