#!/usr/bin/env python3
"""simulator_page.py BUILD_DIR: every block of commands of simulator/README.md, in its order and in one shell, with the real
simulator; only the ports are free ones. A simulator that the page starts takes the place of the one before, and the sale is
made again on it."""
import http.server
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import ipp_kit as kit  # noqa: E402

PAGE = pathlib.Path(__file__).resolve().parents[2] / "simulator" / "README.md"
UUID = "[0-9a-f]{8}-[0-9a-f-]{27}"
# What a block is known by, and what it must print; None: it starts the simulator.
BLOCKS = [
    ("--webhook-url", None),
    ("A declined card", [rf'"session_id":"{UUID}","status":"ACTIVE"', '"status":"FINALIZED"', '"status":409',
                         '"metadata":{"store":"7"']),
    ("--tls-listen", None),
    ("TLS=https:", [r"^HTTP/2$", r"^HTTP/1\.1$", '"protocol":"h2"', '"closed":']),
    ("_sim/clock/advance", ['"clock_offset_seconds":7200', '"sequence":3']),
    ("the answer is lost", [r"curl says \d+", '"fault": "reset_after_read"', '"executed": true',
                            r'\["ipp.session.finalized"', r'"do":"late","matches":1,"hits":1']),
    ("SHOP-1003 SHOP-1004", ['"fault":"goaway","executed":true', r"curl says \d+",
                             '"fault":"refuse_stream","executed":false', '"fault":null,"executed":true,"status":200']),
    ("_sim/dialects", [r"^[0-9A-F]{8}-[0-9A-F-]{27}$", "<html", "^errors-html$"]),
]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def started(block, number):
    """The block with its simulator in the background, once it listens; the one before has ended well."""
    before, command = re.fullmatch(r"(.*?)(ipp-simulator .*)", block, re.S).groups()
    return (f'{before}\nif [ -n "${{RUNS:-}}" ]; then kill -TERM "$RUNS"; wait "$RUNS"; fi\n'
            f"{command.rstrip()} >{number}.log 2>&1 &\nRUNS=$!\n"
            f'until grep -q "^listening on " {number}.log; do kill -0 "$RUNS"; sleep 0.02; done\n')


def script(blocks):
    """The page as a shell script; what block N prints is in N.out."""
    parts, sale = ["set -euo pipefail", 'trap \'kill -KILL "${RUNS:-}" 2>/dev/null || true\' EXIT'], ""
    for number, ((_, prints), block) in enumerate(zip(BLOCKS, blocks)):
        if prints is None:
            parts.append(started(block, number))
            if sale:
                parts.append(f"{{\n{sale}}} >again.out")
            continue
        sale = sale or block
        parts.append(f"{{\n{block}}} >{number}.out")
    return "\n".join([*parts, 'kill -TERM "$RUNS"', 'wait "$RUNS"', "RUNS=", ""])


def main():
    page = PAGE.read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S)
    if len(blocks) != len(BLOCKS) or not all(known in block for (known, _), block in zip(BLOCKS, blocks)):
        sys.exit(f"FAILED  {PAGE.name}: its {len(blocks)} blocks are not those that this test knows")
    shop = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kit.Taker)
    threading.Thread(target=shop.serve_forever, daemon=True).start()
    ports = {"8080": shop.server_address[1], **{port: free_port() for port in ("9080", "9081", "9443")}}
    with kit.Bed(sys.argv[1]) as bed:
        bed.write("secrets.txt", kit.WEBHOOK_SECRET + "\n")
        text = re.sub(r"127\.0\.0\.1:(\d+)", lambda match: f"127.0.0.1:{ports[match[1]]}", script(blocks))
        path = f"{kit.binary(bed.build, 'ipp-simulator').parent}:{os.environ['PATH']}"
        done = subprocess.run(["bash", "-c", text], cwd=bed.work, env={**os.environ, "PATH": path}, check=False,
                              timeout=kit.PATIENCE, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            said = {file.name: file.read_text() for file in sorted(bed.work.glob("*.out"))}
            sys.exit(f"FAILED  the page ended with {done.returncode}: {done.stderr}\n{said}")
        for number, (known, prints) in enumerate(BLOCKS):
            if prints is None:
                continue
            said = (bed.work / f"{number}.out").read_text()
            for pattern in prints:
                if not re.search(pattern, said, re.M):
                    sys.exit(f"FAILED  the block with '{known}' prints nothing like {pattern}:\n{said}")
            print(f"ok      {PAGE.parent.name}/{PAGE.name}: the block with '{known}'")


if __name__ == "__main__":
    main()
