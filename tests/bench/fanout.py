"""CPU of an event delivered to many subscribers, beside a server that writes one ready message."""
import math
import time

from bed import TOKEN, cpu_us, line
from intake import Source
from table import medians, progress, row, show_rows

PER_SUBSCRIBER = 60e-6  # s, so that an event is with everybody before the next one comes
WANTED = {1000: "≤ 1.20"}


def deliver(bed, server, target, publish, subscribers, events):
    """The server's CPU per message that a subscriber got."""
    warm_up = max(1, events // 10)
    audience = bed.start(bed.argv("events_bench", "subscribers", target=target, token=TOKEN,
                                  server_pid=server.pid, subscribers=subscribers, warm_up=warm_up,
                                  events=events), r"^ready$")
    publish(warm_up + events, 1 / (subscribers * PER_SUBSCRIBER))
    match = audience.wait_for(r"^cpu_us=([\d.]+) message_bytes=(\d+)$")
    bed.stop(audience)
    return float(match[1]), int(match[2])


def round_of(bed, gateway, source, subscribers, events):
    def publish(count, per_second):
        source.send("webhooks", count, server_pid=gateway.pid, warm_up=0, connections=1,
                    per_second=max(1, round(per_second)))

    before = cpu_us(gateway)
    publish(events, 1 / (subscribers * PER_SUBSCRIBER))
    intake = (cpu_us(gateway) - before) / events
    ours, message_bytes = deliver(bed, gateway, gateway.grpc, publish, subscribers, events)
    bare = bed.start(bed.argv("events_bench", "broadcast", bytes=message_bytes),
                     r"^listening (\d+)$")

    def publish_bare(count, per_second):
        for _ in range(count):
            line(bare)
            time.sleep(1 / per_second)

    floor, _ = deliver(bed, bare, f"127.0.0.1:{bare.ready[1]}", publish_bare, subscribers, events)
    bed.stop(bare)
    # So few events as a smoke test has may all be written before the first look at the clock.
    return {"gateway": ours, "intake": intake, "bare": floor, "ratio": ours / floor if floor else math.nan,
            "bytes": message_bytes}


def run(bed, size):
    gateway = bed.start_gateway("fanout.db")
    source = Source(bed, gateway)
    samples = {subscribers: [] for subscribers in size.fanout}
    for turn in range(size.rounds):
        for subscribers, taken in samples.items():
            progress(f"fan-out: {subscribers} subscribers, round {turn + 1}/{size.rounds}")
            taken.append(round_of(bed, gateway, source, subscribers, size.fanout[subscribers]))
    progress("")
    bed.stop(gateway)
    rows = []
    for subscribers, taken in samples.items():
        m = medians(taken)
        ours = row(f"{subscribers} subscribers", m["gateway"], "CPU µs each", "bare broadcast",
                   m["bare"], WANTED.get(subscribers, ""))
        ours[3] = "–" if math.isnan(m["ratio"]) else f"{m['ratio']:.2f}"
        rows += [ours, row("  event with nobody there", m["intake"], "CPU µs", "", 0)]
    show_rows("Fan-out: CPU of the server's process per delivered event", rows,
              ["The whole process: webhook, commit and streams. Each subscriber has a connection;",
               f"messages of {m['bytes']:.0f} bytes, one event every {PER_SUBSCRIBER * 1e6:.0f} µs "
               "times the subscribers.",
               "bare broadcast: one ready message written to every stream."])
