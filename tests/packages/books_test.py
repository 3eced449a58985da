#!/usr/bin/env python3
"""books_test.py -- COMMAND: the program `books` of docs/your-language-in-five-minutes.md, as it stands there, with the
package's own timing. It makes its subscription although the first answer is lost, handles an event, goes on when the
connection breaks, and at SIGTERM ends by itself with everything acknowledged. With `--readme` before `--` it is the program
of the package's README.md, which prints the events in its own way.

books_test.py --save FILE NAME: writes that program of the page to FILE.
books_test.py --save-readme FILE LANGUAGE: the same of client/LANGUAGE/README.md. What is no whole program there is put into
one, and the gateway is $GATEWAY.
"""
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "your-language-in-five-minutes.md"
PATIENCE = 30  # seconds
GO = """package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"kustom.co/ipp/ippclient"
	"kustom.co/ipp/ippv1"
)

func main() {
	client, made := ippclient.New(os.Getenv("GATEWAY"), ippclient.Options{})
	if made != nil {
		log.Fatal(made)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	%s
	if err != nil {
		log.Fatal(err)
	}
}
"""
JAVA = """import co.kustom.ipp.client.ConsumeOptions;
import co.kustom.ipp.client.IppClient;
import co.kustom.ipp.v1.SharedSubscription;
import co.kustom.ipp.v1.SharedSubscriptionStart;
import co.kustom.ipp.v1.StartPosition;

public final class Readme {
  public static void main(String[] arguments) {
    %s
  }
}
"""
# By language: how it reads $GATEWAY, and what is around the README's code.
AROUND = {"python": ('__import__("os").environ["GATEWAY"]', "%s"), "typescript": ('process.env["GATEWAY"]!', "%s"),
          "go": ("", GO), "java": ('System.getenv("GATEWAY")', JAVA)}


def write(file, text):
    path = pathlib.Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def save(file, name):
    block = re.search(rf"`{re.escape(name)}`:\n\n```\w+\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    if not block:
        sys.exit(f"FAILED  {PAGE.name} has no program {name}")
    write(file, block[1])


def save_readme(file, language):
    blocks = re.findall(r"^```\w+\n(.*?)^```$", (ROOT / "client" / language / "README.md").read_text(), re.M | re.S)
    if len(blocks) != 1:
        sys.exit(f"FAILED  client/{language}/README.md has {len(blocks)} programs")
    address, around = AROUND[language]
    write(file, around % blocks[0].replace('"127.0.0.1:50051"', address))


def until(what, come):
    end = time.monotonic() + PATIENCE
    while not come():
        if time.monotonic() > end:
            sys.exit(f"FAILED  {what}: does not happen")
        time.sleep(0.01)


def run(command, name, prints):
    """`prints`: how it names the session, or the event, that it handles."""
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
    told = re.findall(prints, said, re.M)
    # A JVM that SIGTERM ends says so, also when it has ended in order.
    if program.returncode not in (0, 143) or told != ["e1", "e2"] or set(actions) != {"acknowledge"}:
        sys.exit(f"FAILED  {name}: ended with {program.returncode}, {actions}:\n{said}")
    if gateway.faults:
        sys.exit(f"FAILED  {name}: {gateway.faults}")
    print(f"ok      {name}, as it stands there")


if __name__ == "__main__":
    if sys.argv[1] == "--save":
        save(*sys.argv[2:])
    elif sys.argv[1] == "--save-readme":
        save_readme(*sys.argv[2:])
    elif sys.argv[1] == "--readme":
        run(sys.argv[3:], "the README's program", r'^(?:event_id: ")?(e\d)\b')
    else:
        run(sys.argv[2:], "the page's program for the events", r"^event \w+ session-(e\d)")
