"""What it costs that a create happens at most once: the ledger on a disk, in memory, and the bare POST."""
import pathlib
import re
import shutil
import tempfile

from bed import TOKEN
from intake import FSYNC_BYTES
from ipp_kit import API_KEY
from table import medians, progress, show

MEMORY = "/dev/shm"


def counters(gateway):
    """Transactions made durable so far, and how often the disk was waited for."""
    text = gateway.metrics()
    return [sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M))
            for name in ("ipp_store_commits_total", "ipp_store_commit_seconds_count")]


def body_sent(bed, seen):
    """Of the last create that a gateway sent upstream, after the `seen` requests that the simulator had before."""
    requests = bed.simulator.ask("GET", f"/_sim/requests?after={seen}")["requests"]
    return [r["body"] for r in requests if r["method"] == "POST" and r["target"].endswith("/sessions")][-1]


def run(bed, size):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ipp-bench-", dir=MEMORY))
    try:
        measure(bed, size, folder)
    finally:
        shutil.rmtree(folder)


def measure(bed, size, folder):
    stores = {"disk": bed.start_gateway("creates.db"),
              "memory": bed.start_gateway("creates-memory.db", folder),
              "memory, http2": bed.start_gateway("creates-http2.db", folder, transport="http2")}

    def create(gateway, in_flight, calls):
        warm_up = max(calls // 10, in_flight)
        before = counters(gateway)
        taken = bed.measure("gateway_bench", "calls", target=gateway.grpc, server_pid=gateway.pid,
                            rpc="CreateSession", id=bed.device, token=TOKEN, connections=1,
                            in_flight=in_flight, calls=calls, warm_up=warm_up)
        commits, syncs = (after - old for after, old in zip(counters(gateway), before))
        return {**taken, "commits": commits / (calls + warm_up), "syncs": syncs / (calls + warm_up)}

    seen = bed.simulator.ask("GET", "/_sim/state?limit=0")["requests"]
    create(stores["disk"], 1, 1)
    body = body_sent(bed, seen)
    headers = "\n".join([f"authorization: Basic {API_KEY}", "accept: application/json",
                         "content-type: application/json",
                         "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                         "user-agent: ipp-gateway/0.1.0"])

    def post(in_flight, calls):
        return bed.measure("gateway_bench", "curl", url=bed.upstream, ca=bed.certificate,
                           target="/ipp/v1/sessions", headers=headers, body=body,
                           in_flight=in_flight, calls=calls, warm_up=max(calls // 10, in_flight))

    samples = {case: {name: [] for name in [*stores, "bare POST"]} for case in size.creates}
    disk = []
    for turn in range(size.rounds):
        for (in_flight, calls), taken in samples.items():
            progress(f"creates: {in_flight} in flight, round {turn + 1}/{size.rounds}")
            for name, gateway in stores.items():
                taken[name].append(create(gateway, in_flight, calls))
            taken["bare POST"].append(post(in_flight, calls))
        disk.append(bed.measure("events_bench", "fsync", path=bed.work / "fsync", bytes=FSYNC_BYTES,
                                events=min(50, size.creates[0][1]), per_second=100))
    progress("")
    for gateway in stores.values():
        bed.stop(gateway)
    rows = []
    for (in_flight, _), taken in samples.items():
        m = {name: medians(figures) for name, figures in taken.items()}
        for name, figures in m.items():
            rows.append([f"{in_flight} in flight, {name}", figures["per_second"],
                         ratio(figures, m["memory"]), ratio(figures, m["bare POST"]),
                         *(figures.get(key, "") for key in ("p50_us", "p99_us", "cpu_us")),
                         *(f"{figures[key]:.2f}" if key in figures else ""
                           for key in ("commits", "syncs"))])
    sync = medians(disk)
    show("Creates: CreateSession a second, latency µs, CPU µs of the server's process (bare POST: of "
         "its thread)", ["", "creates/s", "vs memory", "vs POST", "p50", "p99", "CPU", "commits",
                     "syncs"], rows,
         [f"One fdatasync of {FSYNC_BYTES} bytes on this disk: p50 {sync['p50_us']:.0f} µs, "
          f"p99 {sync['p99_us']:.0f} µs.",
          "commits, syncs: per create. Upstream: TLS, HTTP/2, the simulator; it shares the machine."])


def ratio(figures, floor):
    return f"{figures['per_second'] / floor['per_second']:.2f}"
