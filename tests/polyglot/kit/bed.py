"""What the kit calls: simulator and gateways on free loopback ports, each stopped by its id, the certificates of a
test authority, and a way to the gateway that can be cut."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request

PATIENCE = 60
MERCHANT = "PM00000001"
WEBHOOK_SECRET = "whsec_ZGVtby1zaWduaW5nLWtleS1mb3ItdGhlLXNpbXVsYXRvcg=="
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
# Whom the gateways with TLS know. `secure` takes a token or a certificate, `both` wants one of each, of one caller.
ORDER, BACK = "spiffe://shop/order", "back.shop"
SECURE = [{"name": "full", "token": "token-of-full", "permissions": ["*"]},
          {"name": "reader", "token": "token-of-reader", "permissions": ["sessions.read"]},
          {"name": "order", "tls_san": [ORDER], "permissions": ["locations.read", "events.read"]}]
BOTH = [{"name": "order", "token": "token-of-full", "tls_san": [ORDER], "permissions": ["*"]},
        {"name": "back", "token": "token-of-reader", "tls_san": [BACK], "permissions": ["*"]}]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Process:
    """A program that says on its output that it is ready."""

    def __init__(self, argv, ready, log):
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT)
        end, over = time.monotonic() + PATIENCE, False
        while not over:
            over = time.monotonic() > end or self.process.poll() is not None
            self.ready = re.search(ready, log.read_text(), re.M)  # once more after the end
            if self.ready:
                return
            time.sleep(0.01)
        self.stop()
        raise RuntimeError(f"{argv[0]}: no line matches {ready!r}:\n{log.read_text()}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Road:
    """A TCP way to a port. `cut` resets every connection on it; a closed road resets new ones as well."""

    def __init__(self, port):
        self.port_behind, self.open = port, True
        self.pairs, self.lock = [], threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """How many there were: none would prove nothing."""
        with self.lock:
            count = len(self.pairs)
            for end in (end for pair in self.pairs for end in pair):
                self._reset(end)
            self.pairs = []
        if not count:
            raise RuntimeError("there was no connection to cut")
        return count

    def close(self):
        self.open = False
        self.cut()

    def reopen(self):
        self.open = True

    @staticmethod
    def _reset(end):
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.shutdown(socket.SHUT_RD)  # wakes who reads it
            end.close()
        except OSError:
            pass

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.port_behind)) if self.open else None
            except OSError:
                far = None
            with self.lock:
                if not far or not self.open:
                    for end in filter(None, (near, far)):
                        self._reset(end)
                    continue
                self.pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._reset(source)
            self._reset(sink)


@contextlib.contextmanager
def made(build):
    """A bed that is gone afterwards."""
    with tempfile.TemporaryDirectory() as work:
        bed = Bed(build, work)
        try:
            yield bed
            bed.keep()
        finally:
            bed.stop()


class Bed:
    """Channels that a client can be told to connect: `plain` over a road that can be cut, `secure` over TLS, `wrong_ca`
    the same with the certificate of an authority that has not signed the gateway's. Those after that show a certificate:
    `certified` one that the gateway knows, `stranger` one with a name that it does not know, `foreign` one of another
    authority. `both`, `both_foreign` and `no_certificate` are of the gateway that wants a certificate and a token."""

    def __init__(self, build, work):
        self.build, self.work, self.running = pathlib.Path(build).resolve(), pathlib.Path(work), []
        self.errors = []  # that clients got
        self._write("api-key", "kco_test_api_simulator")
        self._write("webhook-secrets", WEBHOOK_SECRET)
        self._certificates()
        try:
            simulator = self._start("simulator/ipp-simulator", r"^listening on (\S+)$", "--listen", "127.0.0.1:0",
                                    "--webhook-secret-file", self.work / "webhook-secrets",
                                    "--webhook-backoff", "0.1", "--webhook-max-backoff", "0.5")
            self.simulator_address = simulator.ready[1]
            self.gateway = self._gateway("plain", 0, 0, "")
            secure = self._gateway("secure", 0, 0, self._tls("any", SECURE))
            self.both = self._gateway("both", 0, 0, self._tls("both", BOTH))
            self.road = Road(int(self.gateway.ready[1]))
            self.webhooks_to(self.gateway)
        except BaseException:
            self.stop()
            raise
        self.channels = {
            "plain": {"address": f"127.0.0.1:{self.road.port}"},
            "secure": self._channel(secure),
            "wrong_ca": self._channel(secure, ca="other-ca"),
            "certified": self._channel(secure, "order"),
            "stranger": self._channel(secure, "stranger"),
            "foreign": self._channel(secure, "foreign"),
            "both": self._channel(self.both, "order"),
            "both_foreign": self._channel(self.both, "foreign"),
            "no_certificate": self._channel(self.both),
        }

    def _channel(self, gateway, identity="", ca="ca"):
        shown = {"cert_file": str(self.work / f"{identity}.pem"), "key_file": str(self.work / f"{identity}.key")}
        return {"address": f"127.0.0.1:{gateway.ready[1]}", "ca_file": str(self.work / f"{ca}.pem"),
                **(shown if identity else {})}

    def stop(self):
        for process in reversed(self.running):
            process.stop()

    def keep(self):
        """Logs, pages and errors, for the suite's scan for secrets."""
        if "SUITE_LOGS" not in os.environ:
            return
        kept = pathlib.Path(tempfile.mkdtemp(prefix="polyglot-", dir=os.environ["SUITE_LOGS"]))
        for gateway in self.running[1:]:
            for page in ("metrics", "configz", "readyz"):
                with DIRECT.open(f"http://127.0.0.1:{gateway.ready[3]}/{page}", timeout=PATIENCE) as answer:
                    (kept / f"{page}-{gateway.ready[1]}.log").write_bytes(answer.read())
        for log in self.work.glob("*.log"):
            shutil.copy(log, kept)
        (kept / "errors.log").write_text("\n".join(self.errors))

    def simulator(self, method, path, body=None):
        request = urllib.request.Request(f"http://{self.simulator_address}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with DIRECT.open(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or "null")

    def webhooks_to(self, gateway):
        self.simulator("PUT", "/_sim/webhooks", {"urls": [f"http://127.0.0.1:{gateway.ready[2]}/webhooks/kustom"]})

    def mend(self):
        """As it was made, for the next client."""
        self.simulator("DELETE", "/_sim/faults")
        self.road.reopen()
        if self.gateway not in self.running:
            self.start_gateway()

    def do(self, what):
        """What a step can have done: to the way to the gateway, or to the gateway itself."""
        {"cut": self.road.cut, "close": self.road.close, "open": self.road.reopen, "settle": self.settle,
         "stop": self.stop_gateway, "start": self.start_gateway}[what]()

    def stop_gateway(self):
        self.gateway.stop()
        self.running.remove(self.gateway)

    def start_gateway(self):
        """On the same ports, with what it keeps."""
        self.gateway = self._gateway("plain", self.gateway.ready[1], self.gateway.ready[2], "")

    def settle(self):
        """Until every webhook has arrived."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            events = self.simulator("GET", "/_sim/webhooks?limit=1000")["events"]
            if all(delivery["state"] == "delivered" for event in events for delivery in event["deliveries"]):
                return
            time.sleep(0.01)
        raise RuntimeError("webhooks do not arrive")

    def _start(self, program, ready, *flags):
        log = self.work / f"{pathlib.Path(program).name}-{len(self.running)}-{time.monotonic_ns()}.log"
        process = Process([self.build / program, *flags], ready, log)
        self.running.append(process)
        return process

    def _gateway(self, name, grpc_port, webhook_port, more):
        config = self._write(f"{name}.yaml", f"""\
listen: 127.0.0.1:{grpc_port}
upstream: {{base_url: "http://{self.simulator_address}"}}
merchants:
  - id: {MERCHANT}
    api_key_file: {self.work}/api-key
    webhook_secrets_file: {self.work}/webhook-secrets
store: {{sqlite: {{path: {self.work}/{name}.db}}}}
webhooks: {{listen: "127.0.0.1:{webhook_port}"}}
admin: {{listen: "127.0.0.1:0"}}
drain_timeout: 5s
{more}""")
        return self._start("server/ipp-gateway", r"^listening grpc=(\d+) webhooks=(\d+) admin=(\d+)", "--config", config)

    def _tls(self, proof, callers):
        def caller(token="", **rest):
            digest = hashlib.sha256(token.encode()).hexdigest()
            known = {"token_sha256_file": str(self._write(f"{rest['name']}.sha256", digest))} if token else {}
            return {**rest, **known, "merchants": [MERCHANT]}

        files = {"cert_file": "gateway.pem", "key_file": "gateway.key", "client_ca_file": "ca.pem"}
        return (f"tls: {json.dumps({key: str(self.work / name) for key, name in files.items()})}\n"
                f"caller_proof: {proof}\n"
                f"callers: {json.dumps([caller(**known) for known in callers])}\n")

    def _certificates(self):
        for name in ("ca", "other-ca"):
            self._openssl("req", "-x509", "-days", "2", *NEW_KEY, "-subj", f"/CN=The kit's {name}",
                          "-keyout", f"{name}.key", "-out", f"{name}.pem")
        self._certificate("gateway", "IP:127.0.0.1,DNS:localhost", "serverAuth")
        self._certificate("order", f"URI:{ORDER}")
        self._certificate("stranger", "URI:spiffe://shop/stranger")
        self._certificate("foreign", f"URI:{ORDER}", ca="other-ca")

    def _certificate(self, name, names, use="clientAuth", ca="ca"):
        self._openssl("req", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._write(f"{name}.ext", f"subjectAltName={names}\nextendedKeyUsage={use}")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-set_serial",
                      "1", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")

    def _openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.work, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"openssl {words[0]}: {done.stderr}")

    def _write(self, name, text):
        path = self.work / name
        path.write_text(text + "\n")
        return path
