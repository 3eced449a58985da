#!/usr/bin/env python3
"""teeth_test.py --site FOLDER: rules_test.py finds clients that break a rule. Each row here spoils one thing in a copy of
the Python package, and names a rule that must fail then."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from concurrent import futures

HERE = pathlib.Path(__file__).resolve().parent

# File of the package, what stands there, what is put there, the rule that must fail.
SPOILT = [
    ("creates.py", "return error.code == grpc.StatusCode.UNAVAILABLE", "return False", "create-reset"),
    ("timing.py", "limit * random.uniform(0.5, 1.0), asked, 0.01", "limit * random.uniform(0.5, 1.0), 0.01",
     "create-busy"),
    ("payment.py", "self._request.request_id = request.request_id or new_request_id()",
     "self._request.request_id = new_request_id()", "create-refused"),
    ("payment.py", '"STORE_UNAVAILABLE", ', "", "create-store"),
    ("creates.py", "if self._lost and", "if False and", "create-lost-then-refused"),
    ("payment.py", "if time.monotonic() < self._create_until:", "if True:", "create-too-large"),
    ("follow.py", "                        yield message.event\n                        self.cursor = message.event.cursor",
     "                        self.cursor = message.event.cursor\n                        yield message.event",
     "follow-handler-fails"),
    ("stream.py", "self._silent = True", "return", "follow-silent"),
    ("stream.py", "self._dead_at = None\n\n", "pass\n\n", "follow-slow"),
    ("client.py", '("grpc.http2.ping_timeout_ms", int(timing.keepalive_answer * 1000)),', "", "follow-frozen"),
    ("settler.py", "shared_pb2.SETTLEMENT_OUTCOME_ALREADY_SETTLED", "shared_pb2.SETTLEMENT_OUTCOME_SETTLED",
     "settle-reset"),
    ("settler.py", "elif now >= delivery.extend_at", "elif False and now >= delivery.extend_at", "consume-long"),
    ("consume.py", "type(error).__name__", "str(error)", "consume-throws"),
    ("settler.py", "if each.state == State.WAITING]", "if False]", "stop-releases"),
]


def fails(site, rule):
    """Whether the rule fails with the package in `site`."""
    command = [sys.executable, str(HERE / "rules_test.py"), "--at-once", "1", "--patience", "3", "--only", rule, "--",
               sys.executable, str(HERE / "python" / "driver.py")]
    run = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True,
                         check=False)
    return f"FAILED  {rule}" in run.stdout


def bite(whole, file, old, new, rule):
    """One row, in a line."""
    with tempfile.TemporaryDirectory() as folder:
        site = pathlib.Path(folder) / "site"
        shutil.copytree(whole, site)
        path = site / "ippclient" / file
        if old not in path.read_text():
            return f"FAILED  {file}: has no '{old}' to spoil"
        path.write_text(path.read_text().replace(old, new))
        said = " ".join(old.split())[:60]
        return f"ok      {rule} fails without '{said}'" if fails(site, rule) else f"FAILED  {rule} holds without '{said}'"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", required=True, type=pathlib.Path)
    flags = parser.parse_args()
    with futures.ThreadPoolExecutor(4) as pool:  # they wait for what does not come, most of the time
        lines = list(pool.map(lambda row: bite(flags.site, *row), SPOILT))
    print("\n".join(lines))
    return 1 if any(line.startswith("FAILED") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
