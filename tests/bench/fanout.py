"""CPU of an event delivered to many subscribers, beside a server that writes one ready message."""
import base64
import hashlib
import hmac
import http.client
import json
import time

from bed import MERCHANT, TOKEN, WEBHOOK_KEY
from table import medians, progress, show

PAUSE_PER_SUBSCRIBER = 60e-6  # so that an event is with everybody before the next one comes


class Webhooks:
    """Signed events of one session, that the store knows, one delivery at a time."""

    def __init__(self, bed):
        self.connection = http.client.HTTPConnection("127.0.0.1", bed.webhook_port, timeout=30)
        self.session = bed.session
        self.number = 0

    def send(self):
        self.number += 1
        now = time.time()
        event = f"kevt_{self.number:022d}"
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        body = json.dumps({"id": event, "merchant_id": MERCHANT, "timestamp": stamp,
                           "type": "ipp.payment.failed",
                           "data": {"session_id": self.session, "order_id": None,
                                    "failure_reason": "insufficient_funds"}})
        signed = f"{event}.{int(now)}.{body}".encode()
        digest = hmac.digest(base64.b64decode(WEBHOOK_KEY), signed, hashlib.sha256)
        self.connection.request("POST", "/webhooks/kustom", body, {
            "content-type": "application/json", "webhook-id": event,
            "webhook-timestamp": f"{int(now)}",
            "webhook-signature": "v1," + base64.b64encode(digest).decode()})
        answer = self.connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"the webhook was answered {answer.status}: {answer.read()!r}")
        answer.read()


def publish(send, events, pause):
    due = time.monotonic()
    for _ in range(events):
        send()
        due = max(due + pause, time.monotonic())
        time.sleep(max(0, due - time.monotonic()))


def deliver(bed, server, target, send, subscribers, events):
    """The server's CPU per message that a subscriber got."""
    warm_up = max(1, events // 10)
    audience = bed.start(
        [bed.tool, "subscribers", f"--target={target}", f"--token={TOKEN}",
         f"--server-pid={server.pid}", f"--subscribers={subscribers}", f"--warm-up={warm_up}",
         f"--events={events}"], r"^ready$")
    publish(send, warm_up + events, subscribers * PAUSE_PER_SUBSCRIBER)
    match = audience.wait_for(r"^cpu_us=([\d.]+) message_bytes=(\d+)$")
    bed.stop(audience)
    return float(match[1]), int(match[2])


def intake(bed, webhooks, events, pause):
    """The gateway's CPU per event when nobody subscribes."""
    publish(webhooks.send, max(1, events // 10), pause)
    before = bed.gateway.cpu_us()
    publish(webhooks.send, events, pause)
    return (bed.gateway.cpu_us() - before) / events


def run(bed, size):
    # The store has read the session by now only if somebody asked for it.
    bed.measure("calls", target=bed.grpc, server_pid=bed.gateway.pid, rpc="GetSession",
                id=bed.session, token=TOKEN, connections=1, in_flight=1, calls=1, warm_up=1)
    webhooks = Webhooks(bed)
    samples = {subscribers: [] for subscribers in size.fanout}
    for turn in range(size.rounds):
        for subscribers, taken in samples.items():
            progress(f"fan-out: {subscribers} subscribers, round {turn + 1}/{size.rounds}")
            events = size.fanout[subscribers]
            alone = intake(bed, webhooks, events, subscribers * PAUSE_PER_SUBSCRIBER)
            gateway, message_bytes = deliver(bed, bed.gateway, bed.grpc, webhooks.send,
                                             subscribers, events)
            # A new one each time, since it never forgets a stream.
            bare = bed.start([bed.tool, "broadcast", f"--bytes={message_bytes}"],
                             r"^listening (\d+)$")

            def line(stdin=bare.process.stdin):
                stdin.write(b"\n")
                stdin.flush()

            floor, _ = deliver(bed, bare, f"127.0.0.1:{bare.ready[1]}", line, subscribers, events)
            bed.stop(bare)
            taken.append({"gateway": gateway, "intake": alone, "bare": floor,
                          "bytes": message_bytes})
    progress("")
    rows = []
    for subscribers, taken in samples.items():
        m = medians(taken)
        delivery = m["gateway"] - m["intake"] / subscribers
        rows.append([f"{subscribers}", m["gateway"], m["intake"], delivery, m["bare"],
                     f"{m['gateway'] / m['bare']:.2f}", f"{delivery / m['bare']:.2f}"])
    show("Fan-out: CPU µs of the server's process per delivered event",
         ["subscribers", "gateway", "intake/event", "delivery", "broadcast", "gateway ratio",
          "delivery ratio"], rows,
         ["gateway: webhook, commit and streams together; intake: an event with no subscriber;",
          "delivery: gateway without its share of the intake. Each subscriber has a connection;",
          f"messages of {m['bytes']:.0f} bytes, one event every {PAUSE_PER_SUBSCRIBER * 1e6:.0f} "
          "µs times the subscribers."])
