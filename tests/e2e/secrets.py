#!/usr/bin/env python3
"""secrets.py BUILD_DIR: tells a broad story to the real binaries, with known secrets, at the most talkative level, while
much goes wrong; then looks for every secret, in plain and encoded, in all that they have said."""
import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from ipp_kit import MERCHANT, PATIENCE, Bed, binary, fetch, until  # noqa: E402  pylint: disable=wrong-import-position
from secret_forms import forms  # noqa: E402  pylint: disable=wrong-import-position

GATEWAY, IPPCTL = binary(sys.argv[1], "ipp-gateway"), binary(sys.argv[1], "ippctl")
BED = Bed(sys.argv[1], logs="said")
WORK, SAID, write = BED.work, BED.logs, BED.write


def key(number):
    return "whsec_" + base64.b64encode(f"canary+signing/key>{number}?".encode()).decode()


# Characters that look different when they are encoded.
SECRETS = {
    "the API key": "kco_live_api_canary/+of=the~first-key",
    "the API key after a rotation": "kco_live_api_canary/+of=the~next-key",
    "an API key that Kustom refuses": "kco_live_api_canary/+that=is~wrong",
    "a caller's token": "token/+canary=of~order",
    "a caller's next token": "token/+canary=of~order-next",
    "a token that nobody has": "token/+canary=of~nobody",
    "the webhook secret": key(1),
    "the old webhook secret": key(2),
    "the developer's own webhook secret": key(3),
    "a webhook secret that is none": "not-whsec_canary/+of=a~typo",
    "the database password": "pass/+canary=of~database",
    "a database password that is wrong": "pass/+canary=that~is-wrong",
    "a password in a URL": "pass-canary-in-a-url",
    "a secret in the wrong place": "kco_live_canary_in_the_yaml",
}


def findings(texts, secrets):
    for where, text in texts.items():
        lower = text.lower()
        for name, secret in secrets.items():
            for form in forms(secret):
                if form in text or (re.fullmatch("[0-9a-f]+", form) and form in lower):
                    yield f"{name} is in {where}"
                    break


def self_test():
    """The scan finds each secret in each form."""
    for name, secret in SECRETS.items():
        pair = base64.b64encode(f"user:{secret}".encode()).decode()
        for text in (f"a {secret} b", urllib.parse.quote(secret, safe=""), pair, f"x{pair}",
                     base64.b64encode(secret.encode()).decode(), secret.encode().hex().upper(),
                     hashlib.sha256(secret.encode()).hexdigest()):
            assert list(findings({"x": f"before {text} behind"}, {name: secret})), (name, text)
    assert not list(findings({"x": "nothing to see"}, SECRETS))


def run(name, *command, environment=None):
    """What it says is kept under `name`."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=PATIENCE,
                          env=dict(os.environ, IPPCTL_CONFIG="/dev/null", **(environment or {})), stdin=subprocess.DEVNULL)
    with open(SAID / name, "a") as file:
        file.write(done.stdout + done.stderr)
    return done


def http(keep, url, *more):
    """Status and text of the answer; the text is kept under that name."""
    code, text = fetch(url, *more)
    with open(SAID / keep, "a") as file:
        file.write(text)
    return code, text


class Postgres:
    """A cluster of its own, with the password of the role `ipp` from SECRETS."""

    def __init__(self):
        programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
        assert programs, "PostgreSQL is needed (Debian package postgresql)"
        self.programs, self.data = programs[-1], WORK / "pg"
        self.data.mkdir()
        WORK.chmod(0o755)
        # It does not run as root.
        self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        if self.user:
            shutil.chown(self.data, "postgres", "postgres")
        self.do("initdb", f"--pgdata={self.data}", "--no-sync", "--no-locale", "--auth=trust", "--username=postgres")
        (self.data / "pg_hba.conf").write_text("host all postgres 127.0.0.1/32 trust\n"
                                               "host all all 127.0.0.1/32 scram-sha-256\n")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.start()
        self.sql(f"CREATE ROLE ipp LOGIN PASSWORD '{SECRETS['the database password']}'")
        self.sql("CREATE DATABASE ipp OWNER ipp")

    def do(self, program, *arguments):
        subprocess.run([*self.user, self.programs / program, *arguments], check=True, timeout=PATIENCE, cwd="/",
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        self.do("pg_ctl", "-D", self.data, "-w", "-o",
                f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories= -c fsync=off",
                "-l", self.data / "log", "start")

    def stop(self):
        self.do("pg_ctl", "-D", self.data, "-m", "immediate", "stop")

    def sql(self, text):
        self.do("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-c", text)


class Story:
    def __init__(self):
        self.postgres = Postgres()
        write("api-key", SECRETS["the API key"] + "\n")
        write("webhook-secrets", SECRETS["the webhook secret"] + "\n" + SECRETS["the old webhook secret"] + "\n")
        write("token", SECRETS["a caller's token"])
        write("next-token", SECRETS["a caller's next token"])
        write("wrong-token", SECRETS["a token that nobody has"])
        self.digests("a caller's token")
        write("dsn", f"host=127.0.0.1 port={self.postgres.port} dbname=ipp user=ipp\n")
        write("db-password", SECRETS["the database password"] + "\n")
        write("other-digests", "a" * 64 + "\n")
        BED.start_simulator("--merchant", f"{MERCHANT}:{SECRETS['the API key']}", "--webhook-backoff", "0.1")
        self.gateway = BED.start_gateway(
            log_level="debug",
            upstream={"base_url": f"http://{BED.simulator.address}", "read_attempts": 1},
            store={"postgres": {"dsn_file": f"{WORK}/dsn", "password_file": f"{WORK}/db-password"}},
            callers=[BED.caller("order", token_sha256_file=f"{WORK}/digests"),
                     BED.caller("reader", token_sha256_file=f"{WORK}/other-digests", permissions=["locations.read"])])
        self.config = WORK / "gateway.yaml"
        BED.webhooks_to(self.gateway)

    def digests(self, *names):
        write("digests", "".join(hashlib.sha256(SECRETS[name].encode()).hexdigest() + "\n" for name in names))

    def ctl(self, *arguments, token="token", keep="ippctl"):
        return run(keep, IPPCTL, "--address", self.gateway.grpc, "--token-file", WORK / token, "--timeout", "5s",
                   *arguments)

    def made(self, field, *arguments):
        done = self.ctl(*arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return re.search(rf'"{field}": *"([^"]+)"', done.stdout)[1]

    def until_ends_with(self, code, *arguments, **options):
        until(f"{arguments} ends with {code}", lambda: self.ctl(*arguments, **options).returncode == code)

    def pages(self):
        for page in ("", "livez", "readyz", "metrics", "configz"):
            assert http("admin-pages", f"http://{self.gateway.admin}/{page}")[1]

    def webhook(self, headers, body=b"{}"):
        return http("webhook-answers", f"http://{self.gateway.webhooks}/webhooks/kustom", "POST", body, headers)[0]

    def good_times(self):
        self.device = self.made("id", "simulate", "device", "--name", "Till 1")
        self.session = self.made("session_id", "sessions", "create", "--device", self.device, "--amount", "25000",
                                 "--currency", "SEK", "--reference", "SHOP-1")
        self.ctl("simulate", "tap", self.session, "--outcome", "LOST_CARD")
        self.ctl("simulate", "tap", self.session)
        assert self.ctl("sessions", "watch", self.session).returncode == 0
        # It prints the code: that is what it is for.
        code = self.ctl("enrollments", "create", "--ttl", "2h", "--location", "10c00000-0000-4000-8000-000000000001",
                        "-o", "json", keep="../not-scanned")
        assert code.returncode == 0, code.stderr
        SECRETS["an enrollment code"] = re.search(r'"enrollment_code": *"([^"]+)"', code.stdout)[1]
        consumed = BED.simulator.ask("POST", f"/_sim/enrollments/{SECRETS['an enrollment code']}/consume", {})
        SECRETS["a phone's bearer token"] = re.search(r'"bearer_token": *"([^"]+)"', json.dumps(consumed))[1]
        for words in (("enrollments", "list"), ("devices", "list"), ("devices", "list", "-o", "json"),
                      ("events", "list"), ("sessions", "outcomes"), ("locations", "list")):
            assert self.ctl(*words).returncode == 0, words
        self.pages()

    def command_line(self):
        """What the developer's own secrets may get into."""
        write("developer", SECRETS["the developer's own webhook secret"] + "\n")
        to_nobody = ("webhooks", "listen", "--forward-to", f"http://127.0.0.1:1/?key={SECRETS['a password in a URL']}",
                     "--from", "oldest", "--to", "now", "--attempts", "2", "--backoff", "1ms", "--on-failure", "skip")
        for more in ([], ["-o", "json"]):
            assert self.ctl(*to_nobody, "--secret-file", WORK / "developer", *more).returncode == 0
        # To a server that answers with what it was sent, and to one that is not meant.
        for url in (f"http://{self.gateway.webhooks}/webhooks/kustom", f"http://{self.gateway.admin}/",
                    f"http://me:{SECRETS['a password in a URL']}@localhost/",
                    f"http://{SECRETS['a password in a URL']}.example/"):
            self.ctl("webhooks", "listen", "--forward-to", url, "--secret-file", WORK / "developer", "--from", "oldest",
                     "--to", "now", "--attempts", "1")
        # A token where the webhook secret should be.
        assert self.ctl(*to_nobody, "--secret-file", WORK / "token").returncode == 2
        write("ippctl.conf", f"token-file = {WORK}/token\n")
        assert self.ctl("--config", WORK / "ippctl.conf", "config", "show").returncode == 0
        for line in ("token = ", "timeout = ", "tls = ", "", "context = a\ncontext = "):
            write("ippctl.conf", f"{line}{SECRETS['a secret in the wrong place']}\n")
            code = self.ctl("--config", WORK / "ippctl.conf", "config", "show").returncode
            assert code == (0 if line == "timeout = " else 2), line

    def wrong_callers(self):
        assert self.ctl("locations", "list", token="wrong-token").returncode == 5
        assert self.ctl("sessions", "get", self.session, token="wrong-token").returncode == 5
        # The secret as an argument of everything.
        for secret in (SECRETS["a caller's token"], SECRETS["the API key"]):
            self.ctl("locations", "list", "--merchant", "PM1", keep="ippctl")
            self.ctl("--merchant", secret, "locations", "list", keep="../not-scanned")
            self.ctl("sessions", "cancel", secret, keep="../not-scanned")

    def bad_webhooks(self):
        secret = SECRETS["the webhook secret"]
        now = str(int(time.time()))
        for headers in ({}, {"Authorization": "Bearer " + secret, "webhook-id": secret, "webhook-timestamp": secret},
                        {"webhook-id": "a", "webhook-timestamp": now, "webhook-signature": "v1," + secret[6:]},
                        {"webhook-id": secret, "webhook-timestamp": now, "webhook-signature": secret}):
            assert self.webhook(headers) == 401
            assert self.webhook(headers, secret.encode()) == 401

    def broken_files(self):
        # A line that is no secret; a token where its digest should be; an empty file; none at all. What was read before
        # stays in use, and the file is named.
        def kept(name):
            return any("the value read before is kept" in line and f"/{name}" in line
                       for line in self.gateway.said().splitlines())

        write("webhook-secrets", SECRETS["a webhook secret that is none"] + "\n" + SECRETS["the webhook secret"] + "\n")
        until("a bad secret is reported", lambda: self.webhook({}) == 401 and kept("webhook-secrets"))
        write("webhook-secrets", SECRETS["the webhook secret"] + "\n")
        write("digests", SECRETS["a caller's token"] + "\n")
        until("a bad digest is reported", lambda: self.ctl("locations", "list").returncode == 0 and kept("digests"))
        self.digests("a caller's token", "a caller's next token")
        self.until_ends_with(0, "locations", "list", token="next-token")
        before = self.gateway.said().count("the value read before is kept")
        write("digests", "\n")
        until("an empty file is reported", lambda: self.ctl("locations", "list").returncode == 0 and
              self.gateway.said().count("the value read before is kept") > before)
        self.digests("a caller's token")
        write("api-key", SECRETS["an API key that Kustom refuses"] + "\n")
        self.until_ends_with(1, "locations", "list")
        self.ctl("simulate", "device", "--name", "Till 2")
        write("api-key", SECRETS["the API key after a rotation"] + "\r\n\tand: more\n")
        self.ctl("locations", "list")
        write("api-key", SECRETS["the API key"] + "\n")
        self.until_ends_with(0, "locations", "list")
        self.pages()

    def create(self):
        return self.ctl("sessions", "create", "--device", self.device, "--amount", "100", "--currency", "SEK").returncode

    def upstream_trouble(self):
        for fault in ("reset_after_read", "error_before", "error_after", "malformed_json", "cut_body", "too_many"):
            BED.simulator.ask("PUT", "/_sim/faults", {"faults": [{"on": "create_session", "do": fault}]})
            self.create()
        for fault in ("bad_signature", "rotated_secret", "stale_timestamp"):
            BED.simulator.ask("PUT", "/_sim/faults", {"faults": [{"on": "webhook", "do": fault}]})
            assert self.create() == 0
        BED.simulator.ask("PUT", "/_sim/faults", {"faults": []})

    def store_down(self):
        self.postgres.stop()
        self.until_ends_with(7, "sessions", "create", "--device", self.device, "--amount", "100", "--currency", "SEK")
        self.webhook({})
        self.ctl("sessions", "get", self.session)
        self.ctl("events", "list")
        until("not ready", lambda: http("admin-pages", f"http://{self.gateway.admin}/readyz")[0] == 503)
        self.pages()
        # And back, with another password than the file has.
        write("db-password", SECRETS["a database password that is wrong"] + "\n")
        self.postgres.start()
        until("a refused password", lambda: "password authentication failed" in self.gateway.said())
        self.pages()
        write("db-password", SECRETS["the database password"] + "\n")
        until("ready", self.gateway.is_ready)
        assert self.create() == 0

    def bad_starts(self):
        text = self.config.read_text()
        for name, (old, new) in {
                "key": ('"api_key_file":', f'"api_key": "{SECRETS["a secret in the wrong place"]}", "api_key_file":'),
                "url": ("http://", f"https://me:{SECRETS['a password in a URL']}@"),
                "digests": (f"{WORK}/digests", str(WORK / "token")),
                "secrets": (f"{WORK}/webhook-secrets", str(WORK / "token")),
        }.items():
            path = write(f"bad-{name}.yaml", text.replace(old, new, 1))
            for more in ([], ["--check-config"]):
                done = run("bad-starts", GATEWAY, "--config", path, *more)
                assert done.returncode == 1, (name, done.stdout, done.stderr)
        for value in (f"https://me:{SECRETS['a password in a URL']}@h", "{"):
            done = run("bad-starts", GATEWAY, "--config", self.config, "--check-config",
                       environment={"IPP_UPSTREAM__BASE_URL": value})
            assert done.returncode == 1
        write("bad-dsn", f"host=127.0.0.1 port=1 user=ipp password={SECRETS['the database password']} connect_timeout=1\n")
        path = write("bad-database.yaml", text.replace(f"{WORK}/dsn", f"{WORK}/bad-dsn"))
        assert run("bad-starts", GATEWAY, "--config", path).returncode == 1
        write("bad-dsn", f"postgres://ipp:{urllib.parse.quote(SECRETS['the database password'], safe='')}@h:x/y?z\n")
        assert run("bad-starts", GATEWAY, "--config", path).returncode == 1

    def end(self):
        assert BED.stop(self.gateway) == 0
        http("simulator-pages", f"http://{BED.simulator.address}/_sim/webhooks")
        BED.stop(BED.simulator)
        self.postgres.stop()


def main():
    self_test()
    story = Story()
    for chapter in (story.good_times, story.command_line, story.wrong_callers, story.bad_webhooks, story.broken_files,
                    story.upstream_trouble, story.store_down, story.bad_starts, story.end):
        chapter()
    texts = {path.name: path.read_text(errors="surrogateescape") for path in SAID.iterdir()}
    log = texts[story.gateway.log.name]
    # What would show that the story was not told.
    for sign in (" info webhook taken", "webhook refused", "the value read before is kept", " audit caller=order rpc=CreateSession ",
                 "reason=UPSTREAM_CREDENTIALS", "reason=STORE_UNAVAILABLE"):
        assert sign in log, f"the log has no '{sign}'"
    assert set(texts) >= {BED.simulator.log.name, "ippctl", "admin-pages", "webhook-answers", "bad-starts"}
    assert list(findings(texts, {"what is no secret": "PM00000001"})), "the scan finds nothing at all"
    found = sorted(set(findings(texts, SECRETS)))
    print("\n".join(found) if found else f"no secret in {sum(map(len, texts.values()))} bytes of {len(texts)} files")
    return 1 if found else 0


if __name__ == "__main__":
    code = 1
    try:
        code = main()
    finally:
        BED.stop_all()
        if (WORK / "pg/postmaster.pid").exists():
            os.kill(int((WORK / "pg/postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        if os.environ.get("IPP_KEEP") or code:
            print(f"what was said: {SAID}", file=sys.stderr)
        else:
            shutil.rmtree(WORK, ignore_errors=True)
    sys.exit(code)
