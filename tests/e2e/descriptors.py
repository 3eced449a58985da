#!/usr/bin/env python3
"""descriptors.py BUILD_DIR: a gateway that has too few descriptors says so when it starts, and when peers have taken all
that they may, its admin port and its store still work."""

import contextlib
import pathlib
import re
import resource
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import ipp_kit as kit  # noqa: E402

LIMIT = 200


def connections(stack, address, count):
    """Connections that say nothing; those that the gateway closed are among them."""
    made = []
    for _ in range(count):
        made.append(stack.enter_context(socket.create_connection(("127.0.0.1", kit.port_of(address)), kit.PATIENCE)))
    return made


def main(build):
    with kit.Bed(build) as bed, contextlib.ExitStack() as stack:
        bed.start_simulator()

        def start(soft, hard, **parts):
            path = bed.configuration(connections={"handshake_timeout": "10m", **parts},
                                     webhooks={"listen": "127.0.0.1:0", "request_timeout": "10m"})
            return bed.start([kit.binary(build, "ipp-gateway"), "--config", path], kind=kit.Gateway,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)))

        # The soft limit becomes the hard one, which is enough here.
        gateway = start(LIMIT, 4096, max=500)
        assert "process_max_fds 4096" in gateway.metrics(), gateway.metrics()
        assert "RLIMIT_NOFILE" not in gateway.said(), gateway.said()
        assert bed.stop(gateway) == 0

        gateway = start(LIMIT, LIMIT, max=2000)
        warning = re.search(r"warning .*RLIMIT_NOFILE.* limit=(\d+) needed=(\d+) key=(\S+) key_needs=(\d+)", gateway.said())
        assert warning and warning[1] == str(LIMIT) and int(warning[2]) > 4000, gateway.said()
        assert warning[3] == "connections.max" and warning[4] == "4000", warning[0]

        def metric(name):
            return float(re.search(rf"^{re.escape(name)} (\S+)$", gateway.metrics(), re.M)[1])

        refused = 'ipp_connections_refused_total{port="%s",reason="no_descriptors"}'
        connections(stack, gateway.grpc, LIMIT)
        kit.until("the gRPC port has no descriptor left", lambda: metric(refused % "grpc") > 0)
        connections(stack, gateway.webhooks, LIMIT)
        kit.until("the webhook port has no descriptor left", lambda: metric(refused % "webhooks") > 0)
        for _ in range(50):  # each on a connection of its own
            assert gateway.page("livez") == (200, "ok\n")
        assert gateway.is_ready(), gateway.page("readyz")
        assert metric("process_open_fds") >= LIMIT - 40, metric("process_open_fds")
        # Connections to the admin port that stay idle take what is held back, and make room for those that ask.
        connections(stack, gateway.admin, LIMIT)
        for _ in range(50):
            assert gateway.page("livez") == (200, "ok\n")
        assert metric("process_open_fds") <= LIMIT

        # All is well again once the peers have gone.
        stack.close()
        kit.until("connections of the gRPC port are gone", lambda: metric('ipp_connections{port="grpc"}') == 0)
        status, text = kit.fetch(f"http://{gateway.webhooks}/webhooks/kustom", "POST", b"{}")
        assert status == 401, (status, text)
        assert bed.stop(gateway) == 0
        bed.keep("descriptors")


if __name__ == "__main__":
    main(sys.argv[1])
    print("the admin port answers without descriptors for peers")
