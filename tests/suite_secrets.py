#!/usr/bin/env python3
"""suite_secrets.py BUILD_DIR: looks for secrets in all that the last suite of tests has said. `./dev test` ends so.

It reads what ctest kept of every test (Testing/Temporary/LastTest.log: the logs of gateways that ran inside tests are
in there) and what tests kept in Testing/logs ($SUITE_LOGS): the logs of the processes that they started, pages of
gateways, errors that callers got. A test makes its secrets so that they look like WORDS or LOOKS. What is found is told
by file, line, test and kind, never by itself. To have seen too little is a failure as well.
"""
import base64
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))
from secret_forms import forms  # noqa: E402  pylint: disable=wrong-import-position

# Words that every secret of its kind holds, and nothing else does. Long enough to be known in base64, too.
WORDS = {
    "an API key": ["kco_test_api_", "kco_live_api_"],
    "a caller's token": ["token-of-"],
    "a database password": ["password-of-"],
}
# The simulator's codes and bearer tokens (simulator/ids.cc), what is before the key in PEM and in PKCS #8.
LOOKS = {
    "a webhook secret": r"whsec_[\w+/-]{4}",
    "an enrollment code": r"(?<![\w-])ZZ[A-HJ-NP-Z2-9]{6}(?![\w-])|c0dec0de-[0-9a-f]{4}-",
    "a phone's bearer token": r"sim_[0-9A-Za-z]{40}",
    "a private key": r"BEGIN [A-Z ]*PRIVATE KEY|MIGHAgEAMBMGByqGSM49|MHcCAQEE|MII[EJ][\w+/]{2}IBADANBgkqhkiG9w0BAQEF",
}
# The tests whose gateways are processes, and where they keep the logs.
KEPT = {r"e2e\.demo": "demo-", r"e2e\.process": "process-", r"e2e\.when_a_call_fails": "when_a_call_fails-",
        r"e2e\.walk": "run-", r"polyglot\.(python|node|go|java|teeth)": "polyglot-", r"faults\..*": "faults-",
        r"deploy\.alarms": "scrape-", r"deploy\.image": "image-"}
LEAST_BYTES, LEAST_WITH_GATEWAYS = 10_000, 1_000_000  # of LastTest.log
PROCESS = re.compile(r"^\S+Z info started version=", re.M)
CALL = re.compile(r"^\S+Z debug call caller=", re.M)


def webhook_secrets():
    """Those of the tests' and the simulator's sources: the bytes that they stand for are as secret."""
    for folder in ("tests", "simulator"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in (".cc", ".h", ".py", ".sh", ".mjs") and "node_modules" not in path.parts:
                yield from re.findall(r"whsec_[A-Za-z0-9+/]{20,}={0,2}", path.read_text())


def kinds():
    """Kind and pattern."""
    for kind, words in WORDS.items():
        yield kind, "|".join(re.escape(form) for word in words for form in sorted(forms(word)))
    decoded = set()
    for secret in sorted(set(webhook_secrets())):
        try:
            decoded |= {form for form in forms(secret) if form != secret}
        except ValueError:
            continue  # a bad one, which some test is about
    assert len(decoded) > 50, "the sources have no webhook secrets"
    yield "a webhook secret", "|".join([LOOKS["a webhook secret"], *map(re.escape, sorted(decoded))])
    yield from ((kind, look) for kind, look in LOOKS.items() if kind != "a webhook secret")


def findings(name, text, patterns):
    """File, first line, test and kind, each once. Tests are told by the heads that ctest and said.h write."""
    if not any(pattern.search(text) for pattern in patterns.values()):
        return
    test, told = "", set()
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"(?:\d+/\d+ Test: |== )(\S+)$", line)
        test = head[1] if head else test
        for kind, pattern in patterns.items():
            if (test, kind) not in told and pattern.search(line):
                told.add((test, kind))
                yield f"{name}:{number}: {test + ': ' if test else ''}{kind}"


def too_little(texts):
    """What must be there after the tests that ran."""
    last = texts["LastTest.log"]
    ran = re.findall(r"^\d+/\d+ Test: (\S+)$", last, re.M)
    gateways_inside = any(test.startswith("edge_tests.") for test in ran)
    least = LEAST_WITH_GATEWAYS if gateways_inside else LEAST_BYTES
    if len(last) < least:
        yield f"LastTest.log has {len(last)} bytes only"
    if gateways_inside:
        if not CALL.search(last):
            yield "no gateway that ran inside a test has logged a call"
        if not any(name.startswith("said-") and "ipp_" in text for name, text in texts.items()):
            yield "no test has kept a page of metrics"
    for test in ran:
        for pattern, folder in KEPT.items():
            if re.fullmatch(pattern, test) and not any(
                    name.startswith(folder) and PROCESS.search(text) for name, text in texts.items()):
                yield f"{test} has kept no log of a gateway ({folder}…)"


def self_test(patterns):
    """Each kind is found, however it is written, and reported without itself."""
    key = next(webhook_secrets())
    planted = {
        "an API key": ["kco_test_api_planted", "kco_live_api_planted"], "a caller's token": ["token-of-planted"],
        "a database password": ["password-of-planted"], "a webhook secret": [key, key[6:]],
        "an enrollment code": ["ZZK7Q29X", "c0dec0de-1111-4222-8333-444444444444"],
        "a phone's bearer token": ["sim_" + "aB3" * 13 + "a"],
        "a private key": ["-----BEGIN PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----"],
    }
    assert planted.keys() == patterns.keys()
    for kind, secrets in planted.items():
        for secret in secrets:
            written = [secret]
            if kind in WORDS:
                written += [base64.b64encode(b"x" * pad + secret.encode()).decode() for pad in range(3)]
                written += [secret.encode().hex()]
            for text in written:
                said = list(findings("x.log", f"1/2 Test: one\nok\n2/2 Test: two\nbefore {text} behind\n", patterns))
                assert said == [f"x.log:4: two: {kind}"], (kind, said)
    assert not list(findings("x", "ZZ, whsec_, token, PASSWORD, a key", patterns))
    assert list(too_little({"LastTest.log": "1/1 Test: e2e.demo\n"}))[1:] == [
        "e2e.demo has kept no log of a gateway (demo-…)"]


def main():
    testing = pathlib.Path(sys.argv[1]).resolve() / "Testing"
    patterns = {kind: re.compile(pattern) for kind, pattern in kinds()}
    self_test(patterns)
    texts = {"LastTest.log": (testing / "Temporary/LastTest.log").read_text(errors="replace")}
    for path in sorted((testing / "logs").rglob("*.log")):
        texts[str(path.relative_to(testing / "logs"))] = path.read_text(errors="replace")
    problems = [line for name, text in texts.items() for line in findings(name, text, patterns)]
    problems += too_little(texts)
    print("\n".join(problems) if problems else
          f"no secret in {sum(map(len, texts.values()))} bytes of {len(texts)} files")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
