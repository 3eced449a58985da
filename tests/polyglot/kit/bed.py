"""What the kit calls: the simulator and gateways, the certificates of a test authority, and a way to the gateway that
can be cut."""
import contextlib
import pathlib
import socket
import struct
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import ipp_kit  # noqa: E402  pylint: disable=wrong-import-position

# Whom the gateways with TLS know. `secure` takes a token or a certificate, `both` wants one of each, of one caller.
ORDER, BACK = "spiffe://shop/order", "back.shop"
SECURE = [{"name": "full", "token": "token-of-full", "permissions": ["*"]},
          {"name": "reader", "token": "token-of-reader", "permissions": ["sessions.read"]},
          {"name": "order", "tls_san": [ORDER], "permissions": ["locations.read", "events.read"]}]
BOTH = [{"name": "order", "token": "token-of-full", "tls_san": [ORDER], "permissions": ["*"]},
        {"name": "back", "token": "token-of-reader", "tls_san": [BACK], "permissions": ["*"]}]


class Road:
    """A TCP way to an address. `cut` resets every connection on it; a closed road resets new ones as well. `freeze` loses
    what is sent on every connection that there is, from now on, and no end says so; new ones work."""

    def __init__(self, address):
        self.port_behind, self.open = ipp_kit.port_of(address), True
        self.pairs, self.frozen, self.lock = [], set(), threading.Lock()
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

    def freeze(self):
        with self.lock:
            self.frozen |= {end for pair in self.pairs for end in pair}
            self.pairs = []

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
                if source not in self.frozen:
                    sink.sendall(data)
            if source not in self.frozen:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            if source not in self.frozen:
                self._reset(source)
                self._reset(sink)


@contextlib.contextmanager
def made(build):
    """A bed that is gone afterwards."""
    with Bed(build) as bed:
        bed.set_up()
        yield bed
        bed.write("errors.log", "\n".join(bed.errors))
        bed.keep("polyglot")


class Bed(ipp_kit.Bed):
    """Channels that a client can be told to connect: `plain` over a road that can be cut, `secure` over TLS, `wrong_ca`
    the same with the certificate of an authority that has not signed the gateway's. Those after that show a certificate:
    `certified` one that the gateway knows, `stranger` one with a name that it does not know, `foreign` one of another
    authority. `both`, `both_foreign` and `no_certificate` are of the gateway that wants a certificate and a token."""

    def set_up(self):
        self.errors = []  # that clients got
        self._certificates()
        self.start_simulator("--locations", "2", "--webhook-backoff", "0.1", "--webhook-max-backoff", "0.5")
        self.gateway = self._gateway("plain")
        secure = self._gateway("secure", **self._tls("any", SECURE))
        self.both = self._gateway("both", **self._tls("both", BOTH))
        self.road = Road(self.gateway.grpc)
        self.webhooks_to(self.gateway)
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
        return {"address": gateway.grpc, "ca_file": str(self.work / f"{ca}.pem"), **(shown if identity else {})}

    def mend(self):
        """As it was made, for the next client."""
        self.simulator.ask("DELETE", "/_sim/faults")
        self.road.reopen()
        if self.gateway not in self.running:
            self.start_again()

    def do(self, what):
        """What a step can have done: to the way to the gateway, or to the gateway itself."""
        {"cut": self.road.cut, "close": self.road.close, "open": self.road.reopen, "settle": self.settle,
         "stop": lambda: self.stop(self.gateway), "start": self.start_again}[what]()

    def start_again(self):
        """On the same ports, with what it keeps."""
        self.gateway = self._gateway("plain", listen=self.gateway.grpc, webhooks={"listen": self.gateway.webhooks})

    def settle(self):
        """Until every webhook has arrived."""
        def arrived():
            events = self.simulator.ask("GET", "/_sim/webhooks?limit=1000")["events"]
            return all(delivery["state"] == "delivered" for event in events for delivery in event["deliveries"])

        ipp_kit.until("every webhook has arrived", arrived)

    def _gateway(self, name, **parts):
        return self.start_gateway(name, drain_timeout="5s", **parts)

    def _tls(self, proof, callers):
        files = {"cert_file": "gateway.pem", "key_file": "gateway.key", "client_ca_file": "ca.pem"}
        return {"tls": {key: str(self.work / name) for key, name in files.items()}, "caller_proof": proof,
                "callers": [self.caller(**known) for known in callers]}

    def _certificates(self):
        for name in ("ca", "other-ca"):
            ipp_kit.self_signed(self.work, name)
        self._certificate("gateway", "IP:127.0.0.1,DNS:localhost", "serverAuth")
        self._certificate("order", f"URI:{ORDER}")
        self._certificate("stranger", "URI:spiffe://shop/stranger")
        self._certificate("foreign", f"URI:{ORDER}", ca="other-ca")

    def _certificate(self, name, names, use="clientAuth", ca="ca"):
        ipp_kit.openssl(self.work, "req", *ipp_kit.NEW_KEY, "-subj", f"/CN={name}",
                        "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.write(f"{name}.ext", f"subjectAltName={names}\nextendedKeyUsage={use}\n")
        ipp_kit.openssl(self.work, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
                        "-set_serial", "1", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
