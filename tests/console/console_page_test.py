"""console_page_test.py BUILD PICTURE: the page for people of a real gateway, in a real browser. The picture is
docs/console.png (copy it there when the page looks different)."""
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import ipp_kit  # noqa: E402


def main(build, picture):
    with ipp_kit.Bed(build) as bed:
        bed.start_simulator()
        gateway = bed.start_gateway()
        bed.webhooks_to(gateway)

        def ctl(*arguments):
            done = subprocess.run(
                [ipp_kit.binary(build, "ippctl"), "--address", gateway.grpc, "-o", "json", *arguments], text=True,
                capture_output=True, timeout=60, check=True, env={**os.environ, "IPPCTL_CONFIG": "/dev/null"})
            return json.loads(done.stdout or "{}")

        device = ctl("simulate", "device", "--name", "Till 1")["device"]["id"]
        sessions = []
        for reference in ("SHOP-4711", "<b>SHOP-4712</b>"):
            made = ctl("sessions", "create", "--device", device, "--amount", "25000", "--currency", "SEK",
                       "--reference", reference)
            sessions.append(made["session"]["session_id"])
        ctl("simulate", "tap", sessions[0])
        ipp_kit.until("it is paid", lambda: "FINALIZED" in json.dumps(ctl("sessions", "get", sessions[0])))
        subprocess.run(["node", pathlib.Path(__file__).with_name("console_page_test.mjs"), gateway.admin, picture,
                        *sessions], check=True, timeout=280)
        without = bed.start_gateway("without", admin={"listen": "127.0.0.1:0", "page": False})
        for path in ("/console", "/console/day", "/console/session", "/console/subscription"):
            assert ipp_kit.fetch(f"http://{without.admin}{path}")[0] == 404, path


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
