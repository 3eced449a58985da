#!/usr/bin/env python3
"""ippctl_examples.py BUILD_DIR: every example that ippctl's help shows is run in a shell, as it stands there, against the
real gateway, and succeeds; only ids, the receiver's port and the cursor are real ones. And the manual page is good roff."""
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import ipp_kit as kit  # noqa: E402

DEVICE, SESSION = "550e8400-e29b-41d4-a716-446655440000", "7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11"
LOCATION, ENROLLMENT = "0b5c1d0e-8f1c-4d1a-9f0a-3f6f3a0f5d11", "9a1f5c52-0d5e-4a3e-8a55-f8ad6c0ed3f4"
REQUEST, CURSOR = "3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11", "AAAB-example-cursor"
STREAMS = re.compile(r"ippctl (events tail|events receive|webhooks listen)(?!.*--to )")


class Examples:
    def __init__(self, bed, gateway, port):
        self.port, self.home = port, bed.work / "home"
        self.home.mkdir()
        (self.home / ".config/ippctl").mkdir(parents=True)
        (self.home / ".config/ippctl/config").write_text("[playground]\naddress = localhost:1\n")
        self.bed = bed
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("IPPCTL_")},
            "PATH": f"{kit.binary(bed.build, 'ippctl').parent}:{os.environ['PATH']}", "HOME": str(self.home),
            "IPPCTL_ADDRESS": gateway.grpc, "IPPCTL_SIMULATOR": f"http://{bed.simulator.address}"}
        self.environment.pop("XDG_CONFIG_HOME", None)

    def sh(self, command):
        done = subprocess.run(["bash", "-c", command], cwd=self.home, env=self.environment, capture_output=True, text=True,
                              timeout=kit.PATIENCE, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, f"{command}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def real(self, example):
        """The example with what is really there; everything is fresh, so that it may be deleted or paid."""
        device = self.sh("ippctl simulate device --name Till -o jsonpath={.device.id}")
        request = str(uuid.uuid4())
        session = self.sh(f"ippctl sessions create --device {device} --amount 100 --currency SEK --request-id {request} "
                          "-o jsonpath={.session.session_id}")
        if not re.search("simulate tap|sessions cancel", example):
            self.sh(f"ippctl simulate tap {session}")
        if "order.json" in example:
            line = {"name": "Coffee", "quantity": 1, "unit_price": 100, "total_amount": 100}
            (self.home / "order.json").write_text(json.dumps({
                "device_id": device, "order_amount": 100, "purchase_currency": "SEK", "order_items": [line]}))
        words = {DEVICE: device, SESSION: session, REQUEST: request, "localhost:3000": f"localhost:{self.port}"}
        if re.search("subscriptions (describe|delete|parked|redrive|forget) orders|--subscription orders", example):
            self.sh("ippctl subscriptions create orders --type finalized --type cancelled")  # maybe once more
        if LOCATION in example:
            words[LOCATION] = self.sh("ippctl locations list -o jsonpath={.locations[0].id}")
        if ENROLLMENT in example:
            words[ENROLLMENT] = self.sh("ippctl enrollments create --ttl 2h -o jsonpath={.enrollment.enrollment_id}")
        if CURSOR in example:
            words[CURSOR] = self.sh("ippctl events list -o jsonpath={.events[0].cursor}")
        for word, value in words.items():
            example = example.replace(word, value)
        return example

    def run(self, example):
        command = self.real(example)
        if not STREAMS.match(example):
            self.sh(command)
            return
        log = self.bed.work / f"stream-{uuid.uuid4()}.log"
        stream = kit.Process(["bash", "-c", "exec " + command], log, ready="ready, waiting for events", cwd=self.home,
                             env=self.environment)
        assert stream.stop() == 0, f"{command}\nended badly:\n{stream.said()}"


def examples_of(help_text):
    text = help_text.split("\nExamples:\n")[1].split("\n\n")[0].replace(" \\\n      ", " ")
    return [line.strip() for line in text.splitlines()]


def main(build):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kit.Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with kit.Bed(build) as bed:
        bed.start_simulator()
        gateway = bed.start_gateway()
        bed.webhooks_to(gateway)
        examples = Examples(bed, gateway, server.server_port)
        count = 0
        for line in examples.sh("ippctl --help").splitlines():
            if not line.startswith("  ippctl "):
                continue
            words = [word for word in line.split("  ")[1].split()[1:] if word.islower()]
            shown = examples_of(examples.sh(f"ippctl {' '.join(words)} --help"))
            assert shown, line
            for example in shown:
                examples.run(example)
                count += 1
        assert count > 50, count
        # What Tab asks for.
        for source in ("devices", "sessions", "locations", "enrollments", "contexts"):
            assert "\t" in examples.sh(f"ippctl completion words-{source}"), source
        warnings = subprocess.run("ippctl man | groff -man -ww -Tutf8 -z", shell=True, env=examples.environment, check=True,
                                  capture_output=True, text=True, timeout=kit.PATIENCE).stderr
        assert not warnings, warnings
        rendered = examples.sh("ippctl man | groff -man -Tutf8 -P-cbou")
        assert "sessions watch [SESSION_ID]" in rendered and "EXIT CODES" in rendered, rendered[:2000]
    server.shutdown()
    print(f"{count} examples of ippctl's help work")


if __name__ == "__main__":
    main(sys.argv[1])
