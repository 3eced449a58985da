"""Server CPU of a unary RPC through the gateway, beside a bare gRPC server, bare HTTP clients, and a Go gateway."""
import pathlib
import re
import shutil
import subprocess

from bed import LOCATION, TOKEN
from ipp_kit import API_KEY, MERCHANT
from table import medians, progress, show

HERE = pathlib.Path(__file__).resolve().parent
TRANSPORTS = ("libcurl", "http2")
# At so many in flight: times the floor with libcurl.
WANTED = {1: {"libcurl": 1.3, "http2": 1.1}, 32: {"libcurl": 1.2, "http2": 0.85},
          128: {"libcurl": 1.2, "http2": 0.85}}


def go_is_new_enough():
    """Debian's own may be older than the peer's libraries ask for."""
    if shutil.which("go") is None:
        return False
    version = re.compile(r"^go ?(\d+)\.(\d+)", re.M)
    have = subprocess.run(["go", "env", "GOVERSION"], check=True, capture_output=True, text=True).stdout
    wanted = (HERE / "go_gateway/go.mod").read_text()
    return tuple(map(int, version.search(have).groups())) >= tuple(map(int, version.search(wanted).groups()))


def build_go_gateway(bed):
    """The peer, or None where there is no Go for it."""
    if not go_is_new_enough():
        return None
    module = bed.build / "bench/go_gateway"
    shutil.rmtree(module, ignore_errors=True)
    shutil.copytree(HERE / "go_gateway", module)
    for command in ([HERE.parent / "polyglot/stubs.sh", "go", module / "stubs"], ["go", "build", "-o", "go_gateway", "."]):
        subprocess.run(command, cwd=module, check=True, stdout=subprocess.DEVNULL)
    return module / "go_gateway"


def start_servers(bed):
    """Name → (address, process) of what is called."""
    servers = {}
    for transport in TRANSPORTS:
        gateway = bed.start_gateway(f"{transport}.db", transport=transport)
        servers[transport] = (gateway.grpc, gateway)
    bare = bed.start(bed.argv("gateway_bench", "answers", learn_from=servers["libcurl"][0], token=TOKEN,
                              session=bed.session, location=LOCATION),
                     r"^listening (\d+) (.*)$")
    servers["echo"] = (f"127.0.0.1:{bare.ready[1]}", bare)
    go = build_go_gateway(bed)
    if go is not None:
        peer = bed.start([go, f"-url={bed.upstream}", f"-ca={bed.certificate}", f"-key={API_KEY}",
                          f"-merchant={MERCHANT}"], r"^listening (\S+)$")
        servers["go"] = (peer.ready[1], peer)
    return servers, bare.ready[2]


def run(bed, size):
    servers, answers = start_servers(bed)
    # What the gateway sends upstream.
    headers = "\n".join([f"authorization: Basic {API_KEY}", "accept: application/json",
                         "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                         "user-agent: ipp-gateway/0.1.0"])
    rpcs = {"GetSession": (bed.session, f"/ipp/v1/sessions/{bed.session}", headers),
            "GetLocation": (LOCATION, f"/ipp/v1/locations/{LOCATION}",
                            f"{headers}\nx-merchant-id: {MERCHANT}")}

    def round_of(rpc, in_flight, connections, calls):
        identifier, target, lines = rpcs[rpc]
        count = {"in_flight": in_flight, "calls": calls, "warm_up": max(calls // 10, in_flight)}
        taken = {}
        for name, (address, process) in servers.items():
            figures = bed.measure("gateway_bench", "calls", target=address, server_pid=process.pid, rpc=rpc,
                                  id=identifier, token=TOKEN, connections=connections, **count)
            taken.update({f"{name}_{key}": value for key, value in figures.items()})
        for name in ("curl", "nghttp2"):
            figures = bed.measure("gateway_bench", name, url=bed.upstream, ca=bed.certificate, target=target,
                                  headers=lines, **count)
            taken.update({f"{name}_{key}": value for key, value in figures.items()})
        return taken

    def counts_of(name, rpc, in_flight, connections, calls):
        """System calls and context switches per call: a turn of its own, for counting costs time."""
        address, process = servers[name]
        warm_up = in_flight
        with bed.counting(process) as counted:
            bed.measure("gateway_bench", "calls", target=address, server_pid=process.pid, rpc=rpc, id=rpcs[rpc][0],
                        token=TOKEN, connections=connections, in_flight=in_flight, calls=calls, warm_up=warm_up)
        return {key: value / (calls + warm_up) for key, value in counted.items()}

    def refused(in_flight, connections, calls):
        """CPU of calls that are refused, beside those that are served and the echo, which no refusal can be below."""
        asked = {f"served, {name}": (name, bed.session, TOKEN, 0) for name in TRANSPORTS}
        asked |= {"bad field": ("http2", "not-a-uuid", TOKEN, 3), "bad token": ("http2", bed.session, "x" * len(TOKEN), 16)}
        taken = {}
        for kind, (name, identifier, token, code) in asked.items():
            address, process = servers[name]
            figures = bed.measure("gateway_bench", "calls", target=address, server_pid=process.pid, rpc="GetSession",
                                  id=identifier, token=token, expect=code, connections=connections,
                                  in_flight=in_flight, calls=calls, warm_up=max(calls // 10, in_flight))
            taken[kind] = figures["cpu_us"]
        return taken

    samples = {(rpc, *case): [] for rpc in rpcs for case in size.unary}
    for turn in range(size.rounds):
        for (rpc, *case), taken in samples.items():
            progress(f"unary: {rpc}, {case[0]} in flight, round {turn + 1}/{size.rounds}")
            taken.append(round_of(rpc, *case))
    progress("unary: refused calls")
    refusals = {case: [refused(*case) for _ in range(size.rounds)] for case in size.unary}
    progress("unary: counting system calls")
    counted = {(name, case): counts_of(name, "GetSession", *case) for name in servers for case in size.unary}
    progress("")
    show_cpu(samples, servers, answers)
    show_latency(samples, servers)
    show_refused(refusals, samples)
    show_counts(counted, size, servers)
    for _, process in servers.values():
        bed.stop(process)


def show_cpu(samples, servers, answers):
    rows = []
    for (rpc, in_flight, connections, _), taken in samples.items():
        m = medians(taken)
        floor = m["echo_cpu_us"] + m["curl_cpu_us"]
        go = m.get("go_cpu_us")
        rows.append([rpc, f"{in_flight}", f"{connections}", m["libcurl_cpu_us"], m["http2_cpu_us"],
                     "–" if go is None else go, m["echo_cpu_us"], m["curl_cpu_us"], m["nghttp2_cpu_us"],
                     f"{m['libcurl_cpu_us'] / floor:.2f}", f"{m['http2_cpu_us'] / floor:.2f}",
                     *("–" if go is None else f"{go / m[f'{ours}_cpu_us']:.2f}" for ours in TRANSPORTS)])
    wanted = "; ".join(f"at {in_flight} at most {w['libcurl']} and {w['http2']}" for in_flight, w in WANTED.items())
    show("Unary RPCs: CPU µs of the server's process per RPC",
         ["RPC", "in flight", "conns", "gateway", "http2", "Go", "echo", "curl", "nghttp2", "÷ floor", "http2 ÷ floor",
          "Go ÷ gateway", "Go ÷ http2"], rows,
         ["gateway, http2: this gateway with each upstream.transport. Go: a gateway over grpc-go and net/http, without "
          "callers and metrics." + ("" if "go" in servers else " NOT MEASURED: there is no go, or an older one than go_gateway/go.mod names."),
          f"floor: echo + curl. Wanted: {wanted}; Go ÷ http2 at least 1.4.",
          f"Upstream: TLS, HTTP/2. Callers and metrics on. Answers: {answers}."])


def show_latency(samples, servers):
    rows = []
    for (rpc, in_flight, connections, _), taken in samples.items():
        m = medians(taken)
        for name in servers:
            rows.append([rpc if name == "libcurl" else "", f"{in_flight}", f"{connections}", name,
                         m[f"{name}_p50_us"], m[f"{name}_p99_us"], m[f"{name}_per_second"]])
        direct = 1e6 / m["curl_per_second"] * in_flight
        rows.append(["", f"{in_flight}", f"{connections}", "curl", direct, "", m["curl_per_second"]])
    show("Unary RPCs: latency µs as the caller sees it, calls per second",
         ["RPC", "in flight", "conns", "server", "p50", "p99", "calls/s"], rows,
         ["curl: libcurl alone against the same upstream; its p50 is the mean."])


def show_refused(refusals, samples):
    rows = []
    for (in_flight, connections, calls), taken in refusals.items():
        m = medians(taken)
        echo = medians(samples["GetSession", in_flight, connections, calls])["echo_cpu_us"]
        rows.append([f"{in_flight}", f"{connections}", *m.values(), echo,
                     *(f"{m['bad field'] / m[f'served, {name}']:.2f}" for name in TRANSPORTS)])
    show("Unary RPCs: CPU µs of a refused call (GetSession)",
         ["in flight", "conns", *next(iter(refusals.values()))[0], "echo", *(f"bad field ÷ {name}" for name in TRANSPORTS)],
         rows, ["Wanted: a bad field at most 0.5 of a served call. Nothing can be below the echo."])


def show_counts(counted, size, servers):
    rows = []
    for name in servers:
        for case in size.unary:
            figures = counted[(name, case)]
            rows.append([name, f"{case[0]}", f"{case[1]}", figures.get("syscalls", "–"), figures["switches"]])
    show("Unary RPCs: system calls and context switches per call (GetSession)",
         ["server", "in flight", "conns", "system calls", "switches"], rows,
         ["Wanted: at most 3 system calls at 128 in flight, 13 at one. Counted by `perf stat`; – where that cannot."])
