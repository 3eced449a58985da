"""The processes that the benchmark needs: started on free loopback ports, stopped by their ids."""
import ctypes
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

MERCHANT = "PM00000001"
API_KEY = "kco_test_api_simulator"
WEBHOOK_SECRET = "whsec_aXBwLXNpbXVsYXRvci1kZWZhdWx0LXNlY3JldC0wMDE="
TOKEN = "bench-token"
LOCATION = "10c00000-0000-4000-8000-000000000001"
PATIENCE = 60


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Process:
    """A server that says on stdout that it is ready."""

    def __init__(self, argv, ready, work, **options):
        self.name = " ".join(pathlib.Path(word).name for word in argv[:2])
        self.log = work / f"{pathlib.Path(argv[0]).name}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log, stderr=log,
                                            preexec_fn=_die_with_parent, **options)
        self.pid = self.process.pid
        self.ready = self.wait_for(ready) if ready else None

    def wait_for(self, pattern):
        end = time.monotonic() + PATIENCE
        over = False
        while not over:
            # Looked at once more after the end: its last line may be the one.
            over = time.monotonic() > end or self.process.poll() is not None
            match = re.search(pattern, self.log.read_text(), re.M)
            if match:
                return match
            time.sleep(0.01)
        raise SystemExit(f"{self.name}: no line matches {pattern!r}:\n{self.log.read_text()}")

    def cpu_us(self):
        """CPU of all its threads: the clock of clock_getcpuclockid(3)."""
        return time.clock_gettime_ns((~self.pid << 3) | 2) / 1000

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M)[1])

    def line(self):
        """One line on its stdin."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdin.close()


class Bed:
    """Simulator, its TLS front, and gateways before it, with one session and one location to read."""

    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="ipp-bench-"))
        self.processes = []
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a thousand subscribers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()
        shutil.rmtree(self.work)

    def start(self, argv, ready, **options):
        process = Process(argv, ready, self.work, **options)
        self.processes.append(process)
        return process

    def stop(self, process):
        self.processes.remove(process)
        process.stop()

    def start_upstream(self):
        simulator = self.start([str(self.build / "simulator/ipp-simulator"),
                                "--listen", "127.0.0.1:0"], r"^listening on (\S+)$")
        self.simulator = simulator.ready[1]
        self.start_tls_front(int(self.simulator.rpartition(":")[2]))
        self.device = self.post("/ipp/v1/dev/devices", {"name": "Till 1",
                                                        "location_id": LOCATION})["id"]
        self.session = self.create_session()
        files = {"api-key": API_KEY, "webhook-secrets": WEBHOOK_SECRET,
                 "token": hashlib.sha256(TOKEN.encode()).hexdigest()}
        for name, text in files.items():
            (self.work / name).write_text(text + "\n")

    def start_gateway(self, database="gateway.db", folder=None):
        """Another one for each database; its process, with its ports."""
        folder = folder or self.work
        config = self.work / f"{database}.yaml"
        config.write_text(f"""
listen: 127.0.0.1:0
log_level: warning
upstream: {{base_url: "{self.upstream}", ca_file: {self.certificate}}}
merchants:
  - {{id: {MERCHANT}, api_key_file: {self.work}/api-key,
      webhook_secrets_file: {self.work}/webhook-secrets}}
callers:
  - {{name: bench, token_sha256_file: {self.work}/token, merchants: [{MERCHANT}],
      permissions: ["*"]}}
connections: {{max: 100000, max_calls: 100000}}
events: {{max_subscribers: 100000, max_subscribers_per_caller: 100000}}
reconcile: {{first: 1h}}
store: {{sqlite: {{path: {folder}/{database}}}}}
webhooks: {{listen: "127.0.0.1:0"}}
admin: {{listen: "127.0.0.1:0"}}
""")
        gateway = self.start([str(self.build / "server/ipp-gateway"), "--config", str(config)],
                             r"^listening grpc=(\d+) webhooks=(\d+) admin=(\d+)")
        gateway.grpc = f"127.0.0.1:{gateway.ready[1]}"
        gateway.webhook_port = int(gateway.ready[2])
        gateway.admin = f"127.0.0.1:{gateway.ready[3]}"
        return gateway

    def start_tls_front(self, backend_port):
        key, self.certificate = self.work / "key.pem", self.work / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bench",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                        self.certificate], check=True, stderr=subprocess.DEVNULL)
        # nghttpx takes no port 0, but a socket that listens already.
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            port = listener.getsockname()[1]
            nghttpx = shutil.which("nghttpx", path="/usr/sbin:/usr/bin:/usr/local/bin")
            if nghttpx is None:
                raise SystemExit("nghttpx is needed (Debian package nghttp2-proxy)")
            self.start([nghttpx, "--conf=/dev/null", "--single-process", "--no-ocsp",
                        "--log-level=FATAL", "--accesslog-file=/dev/null", "--workers=1",
                        f"--frontend=127.0.0.1,{port}", f"--backend=127.0.0.1,{backend_port}",
                        "--npn-list=h2", str(key), str(self.certificate)], None,
                       env={"NGHTTPX_ACCEPT_1": f"tcp,{listener.fileno()}"},
                       pass_fds=[listener.fileno()])
        self.upstream = f"https://127.0.0.1:{port}"

    def create_session(self):
        return self.post("/ipp/v1/sessions", {
            "device_id": self.device, "order_amount": 25000, "order_tax_amount": 5000,
            "purchase_currency": "SEK", "merchant_reference1": "SHOP-1001",
            "order_items": [{"name": "Coffee", "quantity": 2, "unit_price": 12500,
                             "total_amount": 25000, "tax_rate": 2500, "total_tax_amount": 5000}],
        })["session_id"]

    def post(self, path, body):
        request = urllib.request.Request(
            f"http://{self.simulator}{path}", json.dumps(body).encode(),
            {"Authorization": f"Basic {API_KEY}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def measure(self, program, mode, **flags):
        """Runs one mode of a bench program to its end; its figures by name."""
        done = subprocess.run(self.argv(program, mode, **flags), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, timeout=2 * PATIENCE,
                              preexec_fn=_die_with_parent)
        if done.returncode != 0:
            logs = "".join(process.log.read_text()[-2000:] for process in self.processes)
            raise SystemExit(f"{program} {mode} failed\n{logs}")
        return figures(done.stdout)

    def argv(self, program, mode, **flags):
        return [str(self.build / "tests/bench" / program), mode,
                *(f"--{name.replace('_', '-')}={value}" for name, value in flags.items())]


def figures(text):
    return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", text)}
