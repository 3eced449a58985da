"""Webhooks on their way in: durable ones per second, and how soon a subscriber has them."""
from bed import TOKEN
from ipp_kit import MERCHANT, WEBHOOK_SECRET, port_of
from table import medians, progress, row, show_rows

SESSIONS = 16
FSYNC_BYTES = 28672  # what a commit of one event writes: seven pages


class Source:
    """Webhooks of sessions that the gateway has read, no event id twice."""

    def __init__(self, bed, gateway):
        self.bed, self.gateway, self.next = bed, gateway, 1
        sessions = [bed.session, *(bed.create_session() for _ in range(SESSIONS - 1))]
        for session in sessions:
            bed.measure("gateway_bench", "calls", target=gateway.grpc, server_pid=gateway.pid,
                        rpc="GetSession", id=session, token=TOKEN, connections=1, in_flight=1,
                        calls=1, warm_up=1)
        self.sessions = ",".join(sessions)

    def send(self, mode, events, **flags):
        count = events + flags.get("warm_up", 0)
        result = self.bed.measure("events_bench", mode, secret=WEBHOOK_SECRET, merchant=MERCHANT,
                                  sessions=self.sessions, first=self.next, events=events,
                                  **{"port": port_of(self.gateway.webhooks), "per_second": 0,
                                     **flags})
        self.next += count
        return result


def run_webhooks(bed, size):
    gateway = bed.start_gateway("webhooks.db")
    bare = bed.start(bed.argv("events_bench", "web"), r"^listening (\d+)$")
    source = Source(bed, gateway)
    samples = {connections: [] for connections in size.webhooks}
    for turn in range(size.rounds):
        for connections, taken in samples.items():
            progress(f"webhooks: {connections} connections, round {turn + 1}/{size.rounds}")
            load = {"events": size.webhooks[connections], "warm_up": 20 * connections,
                    "connections": connections}
            ours = source.send("webhooks", server_pid=gateway.pid, **load)
            floor = source.send("webhooks", server_pid=bare.pid, port=int(bare.ready[1]), **load)
            taken.append({**ours, **{f"bare_{k}": v for k, v in floor.items()}})
    progress("")
    bed.stop(bare)
    bed.stop(gateway)
    rows = []
    for connections, taken in samples.items():
        m = medians(taken)
        name = f"{connections} connection" + "s" * (connections > 1)
        rows += [row(name, m["per_second"], "durable/s", "bare listener", m["bare_per_second"]),
                 row(name, m["cpu_us"], "CPU µs each", "bare listener", m["bare_cpu_us"])]
    show_rows("Webhooks: durable ones, answered with 200", rows,
              ["Signed, distinct, of known sessions, over connections that stay open.",
               "bare listener: the same listener and requests, answered at once."])


def run_latency(bed, size):
    gateway = bed.start_gateway("latency.db")
    source = Source(bed, gateway)
    samples = {rate: [] for rate in size.latency}
    for turn in range(size.rounds):
        for rate, taken in samples.items():
            progress(f"latency: {rate}/s, round {turn + 1}/{size.rounds}")
            events = size.latency[rate]
            ours = source.send("latency", events, target=gateway.grpc, token=TOKEN,
                               connections=32, per_second=rate)
            disk = bed.measure("events_bench", "fsync", path=bed.work / "fsync",
                               bytes=FSYNC_BYTES, events=min(events, 200),
                               per_second=min(rate, 100))
            taken.append({**ours, **{f"disk_{k}": v for k, v in disk.items()}})
    progress("")
    bed.stop(gateway)
    rows = []
    for rate, taken in samples.items():
        m = medians(taken)
        rows += [row(f"{rate}/s, p{p}", m[f"p{p}_us"], "µs", "fsync", m[f"disk_p{p}_us"])
                 for p in (50, 99)]
    show_rows("Latency: from the webhook's first byte to the subscriber", rows,
              ["One subscriber; events evenly spaced, counted from when each was due.",
               f"fsync: {FSYNC_BYTES} bytes written over and synced, at most 100 a second, "
               "nothing else."])
