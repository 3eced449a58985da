"""ippctl_shared.py BUILD: a shared subscription from the terminal: made, received by a command whose exit code decides,
parked, redriven, deleted."""
import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import ipp_kit  # noqa: E402


def main(build):
    with ipp_kit.Bed(build) as bed:
        bed.start_simulator()
        gateway = bed.start_gateway()
        bed.webhooks_to(gateway)
        program = [ipp_kit.binary(build, "ippctl"), "--address", gateway.grpc]
        environment = {**os.environ, "IPPCTL_CONFIG": "/dev/null"}

        def run(*words, code=0):
            done = subprocess.run([*program, *words], text=True, capture_output=True, timeout=60, env=environment)
            assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
            return done

        def ask(*words):
            return json.loads(run(*words, "-o", "json").stdout)

        def counts():
            return ask("subscriptions", "describe", "orders").get("counts", {})

        made = ask("subscriptions", "create", "orders", "--from-oldest", "--type", "finalized", "--max-attempts", "2")
        assert made["name"] == "orders" and made["max_attempts"] == 2, made
        assert "it existed" in run("subscriptions", "create", "orders", "--from-oldest", "--type", "finalized",
                                   "--max-attempts", "2").stderr
        other = run("subscriptions", "create", "orders", code=1).stderr
        assert "SUBSCRIPTION_EXISTS" in other and "ippctl subscriptions describe" in other, other

        device = ask("simulate", "device", "--name", "Till 1")["device"]["id"]

        def sell():
            session = ask("sessions", "create", "--device", device, "--amount", "25000", "--currency", "SEK")
            session = session["session"]["session_id"]
            run("simulate", "tap", session)
            ipp_kit.until("it is paid", lambda: ask("sessions", "get", session)["session"]["status"].endswith("FINALIZED"))
            return session

        seen = bed.work / "seen"
        receive = ("events", "receive", "--subscription", "orders", "--limit", "1")

        # Exit code 0: acknowledged. The command has the event on its standard input.
        first = sell()
        run(*receive, "--exec", f"cat > {seen}; test $IPP_SESSION_ID = {first}")
        assert json.loads(seen.read_text())["session_id"] == first
        assert counts() == {} or counts()["out"] in (0, "0"), counts()

        # 65: parked. Redriven, it comes again.
        second = sell()
        run(*receive, "--exec", "exit 65")
        parked = ask("subscriptions", "parked", "orders")["events"]
        assert [one["event"]["session_id"] for one in parked] == [second], parked
        assert parked[0]["reason"] == "exit code 65", parked
        assert "exit code 65" in run("subscriptions", "parked", "orders").stdout
        run("subscriptions", "redrive", "orders", code=2)
        run("subscriptions", "redrive", "orders", "--all")
        assert second in run(*receive).stdout

        # Any other code: again, and after the last attempt parked.
        third = sell()
        run("events", "receive", "--subscription", "orders", "--limit", "2", "--exec", "exit 1")
        parked = ask("subscriptions", "parked", "orders")["events"]
        assert [one["event"]["session_id"] for one in parked] == [third], parked
        assert "1 were deleted" in run("subscriptions", "forget", "orders", "--all").stdout

        # Ctrl-C while the command runs: it is ended, and the event goes back.
        fourth = sell()
        child = subprocess.Popen([*program, *receive, "--exec", f"echo $$ > {seen}.pid; exec sleep 600"], env=environment,
                                 stderr=subprocess.DEVNULL)
        ipp_kit.until("the command runs", lambda: pathlib.Path(f"{seen}.pid").exists())
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=60) == 0
        assert fourth in run(*receive).stdout

        assert "orders" in run("subscriptions", "list").stdout
        run("subscriptions", "delete", "orders")
        assert "SUBSCRIPTION_NOT_FOUND" in run(*receive, code=4).stderr
        bed.keep("ippctl_shared")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
