"""The processes that the benchmark needs, and what it reads of them."""
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import ipp_kit  # noqa: E402  pylint: disable=wrong-import-position
from ipp_kit import API_KEY, PATIENCE  # noqa: E402  pylint: disable=wrong-import-position

TOKEN = "bench-token"
LOCATION = "10c00000-0000-4000-8000-000000000001"


def cpu_us(process):
    """CPU of all its threads: the clock of clock_getcpuclockid(3)."""
    return time.clock_gettime_ns((~process.pid << 3) | 2) / 1000


def rss_kib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M)[1])


def switches(process):
    """Context switches of its threads so far."""
    total = 0
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has ended
            total += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", (task / "status").read_text())))
    return total


def busy_share(seconds=1):
    """The part of the machine's CPU time that others use while we wait."""
    def times():
        values = list(map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
        return sum(values), values[3] + values[4]  # idle, iowait
    all_before, idle_before = times()
    time.sleep(seconds)
    all_after, idle_after = times()
    return 1 - (idle_after - idle_before) / max(all_after - all_before, 1)


def line(process):
    """One line on its stdin."""
    process.process.stdin.write(b"\n")
    process.process.stdin.flush()


class Bed(ipp_kit.Bed):
    """Simulator, its TLS front, and gateways before it, with one session and one location to read."""

    def __init__(self, build):
        super().__init__(build)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a thousand subscribers

    def start(self, argv, ready="", **options):
        """Some programs end with their stdin."""
        return super().start(argv, ready, stdin=subprocess.PIPE, **options)

    def start_upstream(self):
        self.start_simulator()
        self.start_tls_front()
        self.device = self.post("/ipp/v1/dev/devices", {"name": "Till 1",
                                                        "location_id": LOCATION})["id"]
        self.session = self.create_session()

    def start_gateway(self, database="gateway.db", folder=None, **upstream):
        """Another one for each database; its process, with its ports."""
        return super().start_gateway(
            database, log_level="warning",
            upstream={"base_url": self.upstream, "ca_file": self.certificate, **upstream},
            callers=[self.caller("bench", TOKEN)],
            connections={"max": 100000, "max_calls": 100000},
            events={"max_subscribers": 100000, "max_subscribers_per_caller": 100000},
            reconcile={"first": "1h"},
            store={"sqlite": {"path": f"{folder or self.work}/{database}"}})

    def start_tls_front(self):
        ipp_kit.self_signed(self.work, "front", "-addext", "subjectAltName=IP:127.0.0.1")
        self.certificate = f"{self.work}/front.pem"
        # nghttpx takes no port 0, but a socket that listens already.
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            port = listener.getsockname()[1]
            nghttpx = shutil.which("nghttpx", path="/usr/sbin:/usr/bin:/usr/local/bin")
            if nghttpx is None:
                raise SystemExit("nghttpx is needed (Debian package nghttp2-proxy)")
            backend_port = ipp_kit.port_of(self.simulator.address)
            self.start([nghttpx, "--conf=/dev/null", "--single-process", "--no-ocsp",
                        "--log-level=FATAL", "--accesslog-file=/dev/null", "--workers=1",
                        f"--frontend=127.0.0.1,{port}", f"--backend=127.0.0.1,{backend_port}",
                        "--npn-list=h2", f"{self.work}/front.key", self.certificate],
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
        return self.simulator.ask("POST", path, body, Authorization=f"Basic {API_KEY}")

    @contextlib.contextmanager
    def counting(self, process):
        """A dictionary that has, after the block, the process's switches and, if perf can count them, syscalls."""
        counted = {}
        before = switches(process)
        out = f"{self.work}/perf.txt"
        perf = None
        if shutil.which("perf") is not None:
            perf = subprocess.Popen([*ipp_kit.ENDS_WITH_THE_TEST, "perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o", out, "-p",
                                     str(process.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
        try:
            yield counted
        finally:
            counted["switches"] = switches(process) - before
            if perf is not None:
                perf.send_signal(signal.SIGINT)
                perf.wait(PATIENCE)
                found = re.search(r"^(\d+),", pathlib.Path(out).read_text(), re.M) if os.path.exists(out) else None
                if found:
                    counted["syscalls"] = int(found[1])

    def measure(self, program, mode, **flags):
        """Runs one mode of a bench program to its end; its figures by name."""
        argv = [*ipp_kit.ENDS_WITH_THE_TEST, *self.argv(program, mode, **flags)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              timeout=2 * PATIENCE, check=False)
        if done.returncode != 0:
            logs = "".join(process.said()[-2000:] for process in self.running)
            raise SystemExit(f"{program} {mode} failed\n{logs}")
        return figures(done.stdout)

    def argv(self, program, mode, **flags):
        return [str(self.build / "tests/bench" / program), mode,
                *(f"--{name.replace('_', '-')}={value}" for name, value in flags.items())]


def figures(text):
    return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", text)}
