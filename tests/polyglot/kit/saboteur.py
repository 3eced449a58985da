#!/usr/bin/env python3
"""saboteur.py HOW COMMAND...: a client with one fault, made of a good one. For teeth_test.py."""
import json
import subprocess
import sys
import time


SUBSCRIBE = "kustom.ipp.v1.SessionEventService/SubscribeSessionEvents"


def honest(order, answer):
    return answer


def swallows_errors(order, answer):
    return {"response": {}} if "error" in answer and order["do"] == "call" else answer


def loses_details(order, answer):
    answer.get("error", {}).pop("details", None)
    return answer


def swallows_the_end_of_streams(order, answer):
    return {"end": True} if "error" in answer and order["do"] == "next" else answer


def rounds_amounts(order, answer):
    session = answer.get("response", {}).get("session", {})
    if "orderAmount" in session:
        session["orderAmount"] = str(int(float(session["orderAmount"])))
    return answer


def forgets_trailers(order, answer):
    answer.pop("trailers", None)
    return answer


class RepeatsAnEvent:
    """And so misses the one in whose place it comes."""

    def __init__(self):
        self.last, self.events = None, 0

    def __call__(self, order, answer):
        if "event" in answer:
            self.events += 1
            answer = self.last if self.events == 3 else answer
            self.last = answer
        return answer


class LosesAnEvent:
    """Reads one more and tells of that alone."""

    def __init__(self):
        self.events = 0

    def __call__(self, order, answer):
        self.events += "event" in answer
        return ask(order) if self.events == 2 and "event" in answer else answer


class StartsOver:
    """Follows without a cursor: after a break it begins with the oldest event."""
    instead = True  # of the good client

    def __init__(self):
        self.followed = None

    def __call__(self, order, _):
        if order["do"] == "follow":
            self.followed = {**order, "do": "open", "rpc": SUBSCRIBE, "deadline_ms": 60_000}
            ask(self.followed)
            ask({"do": "next", "stream": order["stream"]})  # started
            return {}
        if order["do"] != "next" or not self.followed or order["stream"] != self.followed["stream"]:
            return ask(order)
        while True:
            answer = ask(order)
            if "event" in answer.get("message", {}):
                return {"event": answer["message"]["event"]}
            if "error" in answer:
                time.sleep(0.1)
                self.followed["request"] = {"position": "START_POSITION_FROM_OLDEST"}
                ask(self.followed)


def trusts_everyone(order, answer):
    if order["do"] == "connect" and order["channel"] == "wrong_ca":
        return ask({**order, "ca_file": order["ca_file"].replace("other-", "")})
    return answer


class ShowsOneCertificate:
    """The first that it is given, on every channel over TLS."""
    instead = True

    def __init__(self):
        self.shown = {}

    def __call__(self, order, _):
        if order["do"] == "connect" and "ca_file" in order:
            self.shown = self.shown or {key: order[key] for key in ("cert_file", "key_file") if key in order}
            order = {**order, **self.shown}
        return ask(order)


class ForgetsCertificates:
    """Its channels trust whom they shall, and show nothing."""
    instead = True

    def __call__(self, order, _):
        return ask({key: value for key, value in order.items() if key not in ("cert_file", "key_file")})


SABOTAGE = {"honest": honest, "swallows_errors": swallows_errors, "loses_details": loses_details,
            "swallows_the_end_of_streams": swallows_the_end_of_streams, "rounds_amounts": rounds_amounts,
            "forgets_trailers": forgets_trailers, "repeats_an_event": RepeatsAnEvent(),
            "loses_an_event": LosesAnEvent(), "trusts_everyone": trusts_everyone,
            "starts_over": StartsOver(), "shows_one_certificate": ShowsOneCertificate(),
            "forgets_certificates": ForgetsCertificates()}


def ask(order):
    client.stdin.write(json.dumps(order) + "\n")
    client.stdin.flush()
    return json.loads(client.stdout.readline())


if __name__ == "__main__":
    spoil = SABOTAGE[sys.argv[1]]
    with subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        for line in sys.stdin:
            wanted = json.loads(line)
            answer = None if getattr(spoil, "instead", False) else ask(wanted)
            print(json.dumps(spoil(wanted, answer)), flush=True)
        client.stdin.close()
    sys.exit(client.returncode)
