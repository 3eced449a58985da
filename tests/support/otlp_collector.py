"""A stand-in for a collector of spans: takes OTLP over HTTP as a real one does and keeps every span that it was sent.

    with Collector() as collector:
        ...  # tracing: {otlp_endpoint: collector.url}
        collector.until("a span", lambda spans: spans)

Reads protobuf with the messages of OpenTelemetry (Debian's python3-opentelemetry-proto).
"""
import http.server
import ssl
import threading

from ipp_kit import until
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.trace.v1 import trace_pb2 as trace

KINDS = {trace.Span.SPAN_KIND_SERVER: "server", trace.Span.SPAN_KIND_CLIENT: "client",
         trace.Span.SPAN_KIND_INTERNAL: "internal", trace.Span.SPAN_KIND_PRODUCER: "producer"}


def plain(attributes):
    """Attributes as a dict."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


class Span:
    """A span as the tests look at it: ids in hexadecimal."""

    def __init__(self, span, resource):
        self.name, self.kind = span.name, KINDS[span.kind]
        self.trace, self.id, self.parent = (value.hex() for value in (span.trace_id, span.span_id, span.parent_span_id))
        self.begin, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.attributes, self.resource = plain(span.attributes), plain(resource.attributes)
        self.links = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]
        self.failed = span.status.code == trace.Status.STATUS_CODE_ERROR
        self.events = len(span.events)

    def __repr__(self):
        return f"{self.kind} {self.name!r} {self.trace}/{self.id} under {self.parent} {self.attributes} links {self.links}"


class Collector:
    """`answer`: the HTTP status of every export; None: none ever comes, until the end. `identity`: a file with key and
    certificate, for https."""

    def __init__(self, answer=200, identity=None):
        collector = self
        self.answer, self.lock, self.received, self.bodies = answer, threading.Lock(), [], []
        self.exports, self.over = 0, threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers["content-length"]))
                assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf"), self.path
                status = collector.take(body)
                if status is None:
                    collector.over.wait()
                    self.close_connection = True
                    return
                said = service.ExportTraceServiceResponse().SerializeToString()
                self.send_response(status)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        # A gateway that does not trust the certificate ends the connection.
        self.server.handle_error = lambda *_: None
        if identity:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if identity else ''}://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def take(self, body):
        with self.lock:
            self.exports += 1
            self.bodies.append(body)
            if self.answer == 200:
                request = service.ExportTraceServiceRequest.FromString(body)
                self.received += [Span(span, group.resource) for group in request.resource_spans
                                  for scope in group.scope_spans for span in scope.spans]
            return self.answer

    def spans(self, **wanted):
        """Those that have these members, in the order in which they came."""
        with self.lock:
            return [span for span in self.received
                    if all(getattr(span, name) == value for name, value in wanted.items())]

    def only(self, **wanted):
        """The one span that has these members; waits for it."""
        until(f"a span with {wanted}", lambda: self.spans(**wanted))
        [span] = self.spans(**wanted)
        return span

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
