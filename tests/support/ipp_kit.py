"""The real binaries, for tests in Python: started on free ports, awaited, stopped by their process ids.

    with Bed(build) as bed:
        bed.start_simulator()
        gateway = bed.start_gateway(log_level="debug")
        print(gateway.grpc, gateway.metrics())

The module needs nothing but Python's standard library.
"""
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

PATIENCE = 60  # seconds; only a broken program reaches them
MERCHANT = "PM00000001"
API_KEY = "kco_test_api_simulator"
WEBHOOK_SECRET = "whsec_ZGVtby1zaWduaW5nLWtleS1mb3ItdGhlLXNpbXVsYXRvcg=="
FOLDERS = {"ipp-gateway": "server", "ipp-simulator": "simulator", "ippctl": "client"}
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
# The kernel kills the program behind these words when the test ends without having stopped it.
ENDS_WITH_THE_TEST = ("setpriv", "--pdeathsig", "KILL")
# The gateway's line on stdout, with `log_format: text` or `json`.
LISTENING = r'\blistening"?[ ,]"?grpc(?:=|":")(\d+)"?[ ,]"?webhooks(?:=|":")(\d+)"?[ ,]"?admin(?:=|":")(\d+)"?\}?$'
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class BedError(RuntimeError):
    """A process, an answer or a state did not come."""


def binary(build, name):
    """The path of a program in a build folder."""
    path = pathlib.Path(build).resolve() / FOLDERS[name] / name
    assert path.exists(), f"{path} is not built"
    return path


def until(what, check):
    """The first answer of `check` that is true; BedError names what did not come."""
    end, over = time.monotonic() + PATIENCE, False
    while not over:
        over = time.monotonic() > end
        if answer := check():
            return answer
        time.sleep(0.01)
    raise BedError(f"never: {what}")


def fetch(url, method="GET", body=None, headers=None):
    """Status and text of the answer, whatever the status is."""
    request = urllib.request.Request(url, body, headers or {}, method=method)
    try:
        with DIRECT.open(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def port_of(address):
    return int(address.rpartition(":")[2])


def openssl(folder, *words):
    """Runs openssl in the folder."""
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BedError(f"openssl {words[0]}: {done.stderr}")


def self_signed(folder, name, *more):
    """A new key and its own certificate: NAME.key and NAME.pem in the folder."""
    openssl(folder, "req", "-x509", "-days", "2", *NEW_KEY, "-subj", f"/CN={name}", *more,
            "-keyout", f"{name}.key", "-out", f"{name}.pem")


class Process:
    """A program with a new log file. With a pattern it is awaited until a line of the log matches: `ready`."""

    def __init__(self, argv, log, ready="", **options):
        self.name, self.log = pathlib.Path(argv[0]).name, log
        with log.open("xb") as out:
            self.process = subprocess.Popen([*ENDS_WITH_THE_TEST, *map(str, argv)],
                                            **{"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out, **options})
        self.pid = self.process.pid
        try:
            self.ready = self.wait_for(ready) if ready else None
        except BaseException:
            self.stop()
            raise

    def said(self):
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern, seconds=PATIENCE):
        """The first match in the log; BedError when the program ends, or the time, and there is none."""
        end, over = time.monotonic() + seconds, False
        while not over:
            # The log is read once more after the end: its last line may be the one.
            over = time.monotonic() > end or self.process.poll() is not None
            if match := re.search(pattern, self.said(), re.M):
                return match
            time.sleep(0.01)
        raise BedError(f"{self.name}: no line matches {pattern!r}:\n{self.said()}")

    def stop(self):
        """SIGTERM, and SIGKILL when that does not end it; its exit code."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        return self.process.returncode


class Simulator(Process):
    """Kustom's API, simulated."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, ready=r"^listening on (\S+)$", **options)
        self.address = self.ready[1]

    def ask(self, method, path, body=None, **headers):
        """The JSON that it answers, of its API and of its control surface `/_sim`; BedError when that is an error."""
        data = None if body is None else json.dumps(body).encode()
        status, text = fetch(f"http://{self.address}{path}", method, data,
                             {"Content-Type": "application/json", **headers})
        if status >= 300:
            raise BedError(f"{method} {path}: the simulator answers {status} {text}")
        return json.loads(text or "null")


class Taker(http.server.BaseHTTPRequestHandler):
    """A server that takes every webhook."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Gateway(Process):
    """The gateway with its addresses."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, ready=LISTENING, **options)
        self.grpc, self.webhooks, self.admin = (f"127.0.0.1:{port}" for port in self.ready.groups())

    def page(self, name, headers=None):
        """Status and text of a page at the admin port."""
        return fetch(f"http://{self.admin}/{name}", headers=headers)

    def metrics(self):
        return self.page("metrics")[1]

    def open_metrics(self):
        """The page for one that asks as Prometheus does."""
        return self.page("metrics", {"Accept": "application/openmetrics-text;version=1.0.0;q=0.5,"
                                               "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"})[1]

    def is_ready(self):
        return self.page("readyz")[0] == 200


class Bed:
    """A folder for files and logs, and the processes that work there. Nothing of it is left after `with`."""

    def __init__(self, build, logs="."):
        self.build = pathlib.Path(build).resolve()
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="ipp-test-"))
        self.logs = self.work / logs
        self.logs.mkdir(exist_ok=True)
        self.running, self.started, self.simulator = [], 0, None
        self.write("api-key", API_KEY + "\n")
        self.write("webhook-secrets", WEBHOOK_SECRET + "\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop_all()
        shutil.rmtree(self.work)

    def write(self, name, text):
        """The path of the file. A program that reads it meanwhile gets the old text or the new one."""
        path = self.work / name
        fresh = path.with_name(name + ".new")
        fresh.write_text(text)
        return fresh.replace(path)

    def start(self, argv, ready="", kind=Process, **options):
        """A process that ends with the bed."""
        self.started += 1
        log = self.logs / f"{pathlib.Path(argv[0]).name}-{self.started}.log"
        process = kind(argv, log, **({"ready": ready} if ready else {}), **options)
        self.running.append(process)
        return process

    def stop(self, process):
        self.running.remove(process)
        return process.stop()

    def stop_all(self):
        while self.running:
            self.stop(self.running[-1])

    def start_simulator(self, *flags):
        self.simulator = self.start([binary(self.build, "ipp-simulator"), "--listen", "127.0.0.1:0",
                                     "--webhook-secret-file", self.work / "webhook-secrets", *flags], kind=Simulator)

    def configuration(self, name="gateway", **parts):
        """The path of a configuration for the gateway; `parts` take the place of these, or come beside them."""
        parts = {
            "listen": "127.0.0.1:0",
            "upstream": {"base_url": f"http://{self.simulator.address}"},
            "merchants": [{"id": MERCHANT, "api_key_file": f"{self.work}/api-key",
                           "webhook_secrets_file": f"{self.work}/webhook-secrets"}],
            "store": {"sqlite": {"path": f"{self.work}/{name}.db"}},
            "webhooks": {"listen": "127.0.0.1:0"},
            "admin": {"listen": "127.0.0.1:0"},
            **parts}
        # JSON is YAML.
        return self.write(f"{name}.yaml", "".join(f"{key}: {json.dumps(part)}\n" for key, part in parts.items()))

    def caller(self, name, token="", **more):
        """One of the `callers` of a configuration; its token's digest goes to a file."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        known = {"token_sha256_file": str(self.write(f"{name}.sha256", digest))} if token else {}
        return {"name": name, "merchants": [MERCHANT], "permissions": ["*"], **known, **more}

    def start_gateway(self, name="gateway", **parts):
        """With `configuration(name, **parts)`."""
        return self.start([binary(self.build, "ipp-gateway"), "--config", self.configuration(name, **parts)],
                          kind=Gateway)

    def webhooks_to(self, gateway):
        """The simulator sends its webhooks to this gateway from now on."""
        self.simulator.ask("PUT", "/_sim/webhooks", {"urls": [f"http://{gateway.webhooks}/webhooks/kustom"]})

    def keep(self, name):
        """Copies logs, and the pages of the gateways that run, to where suite_secrets.py looks for secrets."""
        if "SUITE_LOGS" not in os.environ:
            return
        kept = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=os.environ["SUITE_LOGS"]))
        for gateway in (process for process in self.running if isinstance(process, Gateway)):
            for page in ("metrics", "configz", "readyz"):
                (kept / f"{page}-{port_of(gateway.grpc)}.log").write_text(gateway.page(page)[1])
        for log in self.logs.glob("*.log"):
            shutil.copy(log, kept)
