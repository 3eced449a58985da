#!/usr/bin/env python3
"""books_test.py -- COMMAND: the program `books` of docs/your-language-in-five-minutes.md, as it stands there, with the
package's own timing. It makes its subscription although the first answer is lost, handles an event, goes on when the
connection breaks, and at SIGTERM ends by itself with everything acknowledged.

books_test.py --save FILE NAME: writes that program of the page to FILE.
"""
import os
import pathlib
import re
import subprocess
import sys
import time

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "your-language-in-five-minutes.md"
PATIENCE = 30  # seconds


def save(file, name):
    block = re.search(rf"`{re.escape(name)}`:\n\n```\w+\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    if not block:
        sys.exit(f"FAILED  {PAGE.name} has no program {name}")
    path = pathlib.Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block[1])


def until(what, come):
    end = time.monotonic() + PATIENCE
    while not come():
        if time.monotonic() > end:
            sys.exit(f"FAILED  books: {what}: does not happen")
        time.sleep(0.01)


def run(command):
    # pylint: disable=import-outside-toplevel
    import rules_test
    import scripted_gateway
    from scene_words import RESET, SILENT, again, leased, receiving, results

    with scripted_gateway.playing(rules_test.METHODS) as gateway:
        gateway.forget({
            "CreateSharedSubscription": [RESET, {"ok": {}}],
            "ReceiveSessionEvents": [[receiving(), leased("e1"), SILENT], [receiving(), leased("e2"), SILENT]],
            "SettleSessionEvents": [again(results("RIGHT"))]})
        with subprocess.Popen(command, env={**os.environ, "GATEWAY": gateway.address}, stdout=subprocess.PIPE,
                              text=True) as program:
            until("the first event is acknowledged", lambda: "lease-e1" in gateway.settled)
            gateway.way.cut()
            until("the second event is acknowledged", lambda: "lease-e2" in gateway.settled)
            program.terminate()
            said, _ = program.communicate(timeout=PATIENCE)
        actions = [each.WhichOneof("action") for each in gateway.settled.values()]
    told = re.findall(r"^event \w+ (session-e\d)", said, re.M)
    # A JVM that SIGTERM ends says so, also when it has ended in order.
    if program.returncode not in (0, 143) or told != ["session-e1", "session-e2"] or set(actions) != {"acknowledge"}:
        sys.exit(f"FAILED  books: ended with {program.returncode}, {actions}:\n{said}")
    if gateway.faults:
        sys.exit(f"FAILED  books: {gateway.faults}")
    print("ok      books, as it stands on the page")


if __name__ == "__main__":
    if sys.argv[1] == "--save":
        save(*sys.argv[2:])
    else:
        run(sys.argv[2:])
