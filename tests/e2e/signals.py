#!/usr/bin/env python3
"""signals.py BUILD_DIR: SIGHUP has files read again and ends nothing, SIGUSR1 and SIGUSR2 change the log level."""

import hashlib
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import ipp_kit as kit  # noqa: E402


def main(build):
    # The whole suite runs at level debug; what this test looks at is the level.
    os.environ.pop("IPP_LOG_LEVEL", None)
    with kit.Bed(build) as bed:
        bed.start_simulator()
        for name in ("first", "second"):
            kit.self_signed(bed.work, name, "-addext", "subjectAltName=IP:127.0.0.1")
        for kind in ("key", "pem"):
            bed.write(f"server.{kind}", (bed.work / f"first.{kind}").read_text())
        gateway = bed.start_gateway(
            callers=[bed.caller("shop", "old-token"), bed.caller("till", "till-token")],
            tls={"cert_file": f"{bed.work}/server.pem", "key_file": f"{bed.work}/server.key"})

        def send(number, line):
            """Sends the signal and waits for a new line of the log."""
            before = gateway.said().count(line)
            gateway.process.send_signal(number)
            kit.until(f"{line} after a signal", lambda: gateway.said().count(line) > before)

        def list_devices(token, authority):
            bed.write("token", token)
            return subprocess.run(
                [kit.binary(build, "ippctl"), "--address", gateway.grpc, "--ca-file", bed.work / authority,
                 "--token-file", bed.work / "token", "devices", "list"],
                capture_output=True, text=True, timeout=kit.PATIENCE, check=False,
                env={**os.environ, "IPPCTL_CONFIG": "/dev/null"})

        def certificate():
            with socket.create_connection(("127.0.0.1", kit.port_of(gateway.grpc)), kit.PATIENCE) as connection:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                context.set_alpn_protocols(["h2"])
                with context.wrap_socket(connection) as wrapped:
                    return ssl.DER_cert_to_PEM_cert(wrapped.getpeercert(True)).strip()

        done = list_devices("old-token", "first.pem")
        assert done.returncode == 0, done.stderr

        # A new token and a new certificate, at once, without a new process.
        bed.write("shop.sha256", hashlib.sha256(b"new-token").hexdigest())
        for kind in ("key", "pem"):
            bed.write(f"server.{kind}", (bed.work / f"second.{kind}").read_text())
        send(signal.SIGHUP, "info files were read again not_usable=0")
        kit.until("new connections get the new certificate",
                  lambda: certificate() == (bed.work / "second.pem").read_text().strip())
        done = list_devices("new-token", "second.pem")
        assert done.returncode == 0, done.stderr
        assert "TOKEN_UNKNOWN" in list_devices("old-token", "second.pem").stderr
        done = list_devices("till-token", "second.pem")
        assert done.returncode == 0, done.stderr

        # What cannot be used is named, and what was read before stays.
        bed.write("shop.sha256", "new-token itself, which is no digest")
        bed.write("webhook-secrets", "")
        bed.write("server.key", "no key")
        send(signal.SIGHUP, "info files were read again not_usable=3")
        log = gateway.said()
        for name in ("shop.sha256", "webhook-secrets", "tls.key_file"):
            [line] = [one for one in log.splitlines() if "not usable, " in one and name in one]
            assert "Z warning " in line, line
        assert "new-token" not in log
        bed.write("server.key", (bed.work / "second.key").read_text())
        done = list_devices("new-token", "second.pem")
        assert done.returncode == 0, done.stderr

        assert " debug call " not in gateway.said()
        send(signal.SIGUSR1, "warning log level set by a signal log_level=debug")
        list_devices("new-token", "second.pem")
        kit.until("a line at level debug", lambda: " debug call " in gateway.said())
        send(signal.SIGUSR2, "warning log level set by a signal log_level=info")
        before = gateway.said().count(" debug call ")
        list_devices("new-token", "second.pem")
        assert gateway.is_ready()

        assert bed.stop(gateway) == 0
        assert gateway.said().count(" debug call ") == before
        assert "info draining" in gateway.said() and "info stopped" in gateway.said()
        bed.keep("signals")


if __name__ == "__main__":
    main(sys.argv[1])
    print("signals do what they should")
