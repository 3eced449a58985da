#!/usr/bin/env python3
"""ippctl_connection.py BUILD_DIR: what ippctl says of a connection that cannot be made names the likely cause, and is all
that stands on standard error: no line of a library."""
import os
import pathlib
import re
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import ipp_kit as kit  # noqa: E402


def main(build):
    with kit.Bed(build) as bed:
        for name in ("localhost", "other"):
            kit.self_signed(bed.work, name, "-addext", f"subjectAltName=DNS:{name}")
        bed.start_simulator()
        plain = bed.start_gateway()
        tls = bed.start_gateway("tls", tls={"cert_file": f"{bed.work}/localhost.pem", "key_file": f"{bed.work}/localhost.key"})
        port = kit.port_of(tls.grpc)
        with socket.socket() as taken:  # bound, and nothing listens
            taken.bind(("127.0.0.1", 0))
            closed = f"127.0.0.1:{taken.getsockname()[1]}"
            rows = [
                ("plaintext to TLS", [f"localhost:{port}"], 6, "it may speak TLS, so give --ca-file FILE, or --tls"),
                ("TLS to plaintext", [plain.grpc, "--ca-file", "localhost.pem"], 6, "does not speak TLS"),
                ("wrong authority", [f"localhost:{port}", "--ca-file", "other.pem"], 6, "not signed by the authorities"),
                ("wrong name", [f"127.0.0.1:{port}", "--ca-file", "localhost.pem"], 6, "is for another name"),
                ("an HTTP port", [plain.admin], 6, "is an HTTP port, not the gRPC port"),
                ("no gateway", [closed], 6, "nothing listens at"),
                ("no such host", ["nowhere.invalid:50051"], 6, "is not known: look at --address"),
                ("a URL", [f"http://{plain.grpc}"], 2, f"HOST:PORT, not a URL: give {plain.grpc}$"),
                ("a URL of TLS", [f"https://localhost:{port}"], 2, "and --tls or --ca-file"),
            ]
            for name, address, code, words in rows:
                done = subprocess.run([kit.binary(build, "ippctl"), "devices", "list", "--address", *address], cwd=bed.work,
                                      capture_output=True, text=True, timeout=kit.PATIENCE, check=False,
                                      env={**os.environ, "IPPCTL_CONFIG": "/dev/null"})
                lines = done.stderr.splitlines()
                assert done.returncode == code and not done.stdout, (name, done)
                assert re.search(words, lines[0]), (name, done.stderr)
                known = re.compile(r"ippctl: |See |retry: |what to do: ")
                assert all(known.match(line) for line in lines), (name, done.stderr)
        good = subprocess.run([kit.binary(build, "ippctl"), "devices", "list", "--address", f"localhost:{port}", "--ca-file",
                               "localhost.pem"], cwd=bed.work, capture_output=True, text=True, check=True,
                              timeout=kit.PATIENCE, env={**os.environ, "IPPCTL_CONFIG": "/dev/null"})
        assert not good.stderr, good.stderr
    print(f"{len(rows)} connections that cannot be made are told in words")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
