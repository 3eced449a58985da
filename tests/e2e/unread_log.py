#!/usr/bin/env python3
"""unread_log.py BUILD_DIR: a gateway whose log is not read serves, says so, and ends on SIGTERM."""

import fcntl
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import ipp_kit as kit  # noqa: E402

CALLS = 40


def main(build):
    with kit.Bed(build) as bed:
        bed.start_simulator()
        unread, log = os.pipe()
        fcntl.fcntl(log, fcntl.F_SETPIPE_SZ, 4096)
        gateway = bed.start([kit.binary(build, "ipp-gateway"), "--config", bed.configuration(log_level="debug")],
                            kind=kit.Gateway, stderr=log)
        bed.webhooks_to(gateway)

        def call():
            subprocess.run([kit.binary(build, "ippctl"), "--address", gateway.grpc, "devices", "list"], check=True,
                           stdout=subprocess.DEVNULL, timeout=kit.PATIENCE)

        for _ in range(CALLS):
            call()
        kit.until("the admin port says that lines wait", lambda: "log: ok (lines wait" in gateway.page("readyz")[1])
        call()
        assert gateway.is_ready(), "not ready"
        assert 'ipp_log_lines_lost_total{kind="audit"} 0' in gateway.metrics(), "no metric of lost lines"

        gateway.process.send_signal(signal.SIGTERM)
        code = gateway.process.wait(timeout=kit.PATIENCE)
        assert code == 0, f"exit {code}"

        # What had waited is there, to the last line that fitted, and no line is cut in two.
        os.close(log)
        with os.fdopen(unread, "rb") as pipe:
            lines = pipe.read().splitlines(keepends=True)
        assert lines and lines[0].endswith(b"\n"), lines[:1]


if __name__ == "__main__":
    main(sys.argv[1])
    print("served with an unread log")
