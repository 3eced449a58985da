"""Idle subscribers by the thousand, and subscribers that resume a long log."""
import time

from bed import TOKEN, line, rss_kib
from intake import Source
from ipp_kit import MERCHANT
from table import medians, progress, row, show_rows

STREAMS_OF_CONNECTION = 100
IDLE_EXTRA = 2.0  # KiB over the bare stream
RESUME_WANTED = "≥ 200 000"


def hold(bed, server, subscribers):
    return bed.start(bed.argv("events_bench", "hold", target=server.grpc, token=TOKEN,
                              subscribers=subscribers,
                              connections=max(1, subscribers // STREAMS_OF_CONNECTION)),
                     r"^all event=0 at_ns=\d+$")


def crowd(bed, server, publish, counts, events):
    """Memory of each idle stream at these counts; with all there, time to reach everybody."""
    result = {}
    warm = hold(bed, server, 10)
    first = rss_kib(server)
    holds = []
    held = 0
    for count in counts:
        holds.append(hold(bed, server, count - held))
        held = count
        time.sleep(0.5)
        result[f"kib_{count}"] = (rss_kib(server) - first) / count
    took = []
    for number in range(1, events + 1):
        sent = publish()
        ends = [int(process.wait_for(rf"^all event={number} at_ns=(\d+)$")[1])
                for process in holds]
        took.append((max(ends) - sent) / 1e6)
    result["ms"] = sorted(took)[len(took) // 2]
    result["rss_mib"] = rss_kib(server) / 1024
    for process in holds:
        bed.stop(process)
    bed.stop(warm)
    return result


def run_held(bed, size):
    samples = []
    for turn in range(size.held_rounds):
        progress(f"held streams: round {turn + 1}/{size.held_rounds}")
        gateway = bed.start_gateway(f"held{turn}.db")
        source = Source(bed, gateway)
        ours = crowd(bed, gateway,
                     lambda: source.send("webhooks", 1, server_pid=gateway.pid, warm_up=0,
                                         connections=1)["sent_ns"], size.held, size.held_events)
        bed.stop(gateway)
        bare = bed.start(bed.argv("events_bench", "broadcast", bytes=600), r"^listening (\d+)$")
        bare.grpc = f"127.0.0.1:{bare.ready[1]}"

        def publish_bare(server=bare):
            sent = time.monotonic_ns()
            line(server)
            return sent

        floor = crowd(bed, bare, publish_bare, size.held, size.held_events)
        bed.stop(bare)
        samples.append({**ours, **{f"bare_{k}": v for k, v in floor.items()}})
    progress("")
    m = medians(samples)
    rows = [row(f"{count} idle streams", m[f"kib_{count}"], "KiB each", "bare stream",
                m[f"bare_kib_{count}"], f"≤ floor + {IDLE_EXTRA:.0f}") for count in size.held]
    rows += [row(f"{size.held[-1]} streams get an event", m["ms"], "ms until the last",
                 "bare broadcast", m["bare_ms"]),
             row(f"{size.held[-1]} streams", m["rss_mib"], "MiB of the process", "bare broadcast",
                 m["bare_rss_mib"])]
    show_rows("Held streams", rows,
              [f"{STREAMS_OF_CONNECTION} streams a connection; resident memory over that with ten "
               "streams.",
               "Until the last: from when the webhook was sent."])


def run_resume(bed, size):
    database = "resume.db"
    bed.measure("events_bench", "seed", path=bed.work / database, events=size.resume,
                merchant=MERCHANT)
    gateway = bed.start_gateway(database)
    samples = {subscribers: [] for subscribers in (1, 4)}
    for turn in range(size.resume_rounds):
        for subscribers, taken in samples.items():
            progress(f"resume: {subscribers} subscribers, round {turn + 1}/{size.resume_rounds}")
            events = size.resume // subscribers
            load = {"token": TOKEN, "subscribers": subscribers, "events": events}
            ours = bed.measure("events_bench", "resume", target=gateway.grpc,
                               server_pid=gateway.pid, **load)
            bare = bed.start(bed.argv("events_bench", "flood", events=events,
                                      bytes=round(ours["message_bytes"]), hint=1),
                             r"^listening (\d+)$")
            floor = bed.measure("events_bench", "resume", target=f"127.0.0.1:{bare.ready[1]}",
                                server_pid=bare.pid, **load)
            bed.stop(bare)
            taken.append({**ours, **{f"bare_{k}": v for k, v in floor.items()}})
    progress("")
    bed.stop(gateway)
    rows = []
    for subscribers, taken in samples.items():
        m = medians(taken)
        name = f"{subscribers} subscriber" + "s" * (subscribers > 1)
        rows += [row(name, m["per_second"], "events/s in all", "bare stream",
                     m["bare_per_second"], RESUME_WANTED),
                 row(name, m["cpu_us"], "server CPU µs each", "bare stream", m["bare_cpu_us"]),
                 row("  its client", m["client_cpu_us"], "CPU µs each", "bare stream",
                     m["bare_client_cpu_us"])]
    show_rows(f"Resume: {size.resume} events from the log's oldest on", rows,
              ["From SQLite, behind what the gateway has in memory; four share the number. The client",
               "counts messages, and shares the machine. bare stream: ready messages, with gRPC's",
               "buffer hint."])
