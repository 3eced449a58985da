"""The driver of the Python package: ../README.md has the orders."""
import contextlib
import json
import sys
import threading

from google.protobuf import json_format
from kustom.ipp.v1 import session_event_pb2, session_pb2, shared_subscription_pb2

import ippclient

WRITING = threading.Lock()


def write(answer):
    with WRITING:
        print(json.dumps(answer), flush=True)


def raised(error):
    return error.reason or error.code.name


class Books:
    """A place in memory: what a transaction wrote is there once it has committed."""

    def __init__(self):
        self.events, self.cursor = [], None

    def load(self):
        return self.cursor

    @contextlib.contextmanager
    def transaction(self):
        written = {"events": [], "cursor": self.cursor}
        yield written
        self.events += written["events"]
        self.cursor = written["cursor"]

    def store(self, transaction, cursor):
        transaction["cursor"] = cursor


class Broken(Exception):
    """What a handler of the scenes fails with."""


class Run:
    def __init__(self, order):
        self.order, self.stop, self.go = order, ippclient.Stop(), threading.Event()
        self.client = ippclient.Client(order["address"], timing=ippclient.Timing(**order["timing"]))

    def answer(self):
        with self.client:
            write(getattr(self, self.order["do"])())

    def collect(self):
        steps = []
        payment = self.client.collect(
            json_format.ParseDict(self.order["request"], session_pb2.CreateSessionRequest()),
            timeout=self.order["timeout"], resumed=self.order.get("resumed", False), stop=self.stop,
            on_stop=ippclient.OnStop[self.order.get("on_stop", "CANCEL_SESSION")],
            on_step=lambda step: steps.append(
                session_pb2.SessionStatus.Name(step.session.status).removeprefix("SESSION_STATUS_")))
        return {"money": payment.money.name, "end": payment.end.name, "request_id": payment.request_id,
                "order_id": payment.session.order_id, "steps": steps}

    def follow(self):
        request = json_format.ParseDict(
            self.order["request"], session_event_pb2.SubscribeSessionEventsRequest())
        seen, fault, skipped, books = [], "", False, Books()

        def handle(event):
            seen.append(event.event_id)
            write({"note": "handling", "event": event.event_id})
            if event.event_id == self.order.get("fail_at"):
                raise Broken
            if slow := self.order.get("slow_ms", {}).get(event.event_id):
                self.go.wait(slow / 1000)
            if len(seen) == self.order["take"]:
                self.stop.set()

        def keep(transaction, event):
            transaction["events"].append(event.event_id)
            handle(event)

        follower = self.client.follow(request, stop=self.stop)
        try:
            if self.order.get("place"):
                self.client.follow_into(books, request, keep, stop=self.stop)
            else:
                for event in follower:
                    handle(event)
        except ippclient.GatewayError as error:
            fault = raised(error)
        except Broken:
            fault = "handler"
        cursor = books.cursor if self.order.get("place") else follower.cursor
        return {"events": seen, "raised": fault, "cursor": cursor, "skipped": follower.skipped, "kept": books.events}

    def consume(self):
        seen, lost, told, fault = [], [], [], ""

        def handle(delivery):
            event = delivery.event.event_id
            seen.append(event)
            write({"note": "handling", "event": event})
            what = self.order["handle"][event]
            if what == "retry":
                raise ippclient.Retry("not yet", delay=7)
            if what == "park":
                raise ippclient.Park("no such order")
            if what == "throw":
                raise ValueError("the password is hunter2")
            if what == "hold":
                self.go.wait(30)
            if what == "until_lost" and delivery.wait_lost(30):
                told.append(event)
            if what == "check":
                try:
                    delivery.check()
                except ippclient.LeaseLost:
                    told.append(event)
                    raise

        def on_lost(delivery):
            lost.append(delivery.event.event_id)
            write({"note": "lost", "event": delivery.event.event_id})

        subscription = "books"
        if self.order.get("make"):
            subscription = shared_subscription_pb2.SharedSubscription(name="books")
        try:
            self.client.consume(subscription, handle, stop=self.stop, parallel=self.order.get("parallel", 0),
                                on_lease_lost=on_lost)
        except ippclient.GatewayError as error:
            fault = raised(error)
        return {"events": seen, "lost": lost, "told": told, "raised": fault}


def main():
    run = None
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "stop":
            run.stop.set()
        elif order["do"] == "go":
            run.go.set()
        else:
            run = Run(order)
            threading.Thread(target=run.answer).start()


main()
