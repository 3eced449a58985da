"""Server CPU of a unary RPC through the gateway, beside a bare gRPC server and a bare libcurl."""
from bed import LOCATION, TOKEN
from ipp_kit import API_KEY, MERCHANT
from table import medians, progress, show

WANTED = 1.5  # times the two floors together, at 128 in flight


def run(bed, size):
    gateway = bed.start_gateway()
    bare = bed.start(bed.argv("gateway_bench", "answers", learn_from=gateway.grpc, token=TOKEN,
                              session=bed.session, location=LOCATION),
                     r"^listening (\d+) (.*)$")
    bare_address = f"127.0.0.1:{bare.ready[1]}"
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
        call = {"rpc": rpc, "id": identifier, "token": TOKEN, "connections": connections, **count}
        ours = bed.measure("gateway_bench", "calls", target=gateway.grpc, server_pid=gateway.pid,
                           **call)
        echo = bed.measure("gateway_bench", "calls", target=bare_address, server_pid=bare.pid,
                           **call)
        curl = bed.measure("gateway_bench", "curl", url=bed.upstream, ca=bed.certificate,
                           target=target, headers=lines, **count)
        return {**{f"gateway_{k}": v for k, v in ours.items()},
                **{f"echo_{k}": v for k, v in echo.items()},
                **{f"curl_{k}": v for k, v in curl.items()}}

    samples = {(rpc, *case): [] for rpc in rpcs for case in size.unary}
    for turn in range(size.rounds):
        for (rpc, *case), taken in samples.items():
            progress(f"unary: {rpc}, {case[0]} in flight, round {turn + 1}/{size.rounds}")
            taken.append(round_of(rpc, *case))
    progress("")
    rows = []
    for (rpc, in_flight, connections, _), taken in samples.items():
        m = medians(taken)
        ratio = m["gateway_cpu_us"] / (m["echo_cpu_us"] + m["curl_cpu_us"])
        rows.append([rpc, f"{in_flight}", f"{connections}", m["gateway_cpu_us"], m["echo_cpu_us"],
                     m["curl_cpu_us"], f"{ratio:.2f}", m["gateway_p50_us"], m["gateway_p99_us"],
                     m["gateway_per_second"], m["echo_p50_us"], m["echo_p99_us"],
                     m["echo_per_second"], m["curl_per_second"]])
    bed.stop(bare)
    bed.stop(gateway)
    show("Unary RPCs: CPU µs of the server's process per RPC, latency µs, calls per second",
         ["RPC", "in flight", "conns", "gateway", "echo", "curl", "ratio", "p50", "p99", "calls/s",
          "echo p50", "echo p99", "echo/s", "curl/s"], rows,
         [f"ratio: gateway / (echo + curl); wanted at 128 in flight: at most {WANTED}. p50 to "
          "calls/s: gateway.",
          f"Upstream: TLS, HTTP/2. Callers and metrics on. Answers: {bare.ready[2]}."])
