#!/usr/bin/python3
"""tracing.py BUILD_DIR with|without: the spans of the real gateway, as a collector gets them over OTLP; or, in a build
`without` opentelemetry-cpp, that it refuses to be asked for any.

Debian's own python3 runs it: it has grpc, protobuf and the messages of OpenTelemetry."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import ipp_kit as kit  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
CALLERS_SPAN = "00f067aa0ba902b7"
CREATE = "kustom.ipp.v1.SessionService/CreateSession"
TOKEN = "token-of-the-shop"
SOON = "20ms"  # between two exports
SLACK = 5_000_000  # ns: the wall clock is asked once for each span and may be corrected in between


def contract():
    """The contract's messages; they are compiled here."""
    with tempfile.TemporaryDirectory() as folder:
        protos = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto"))
        subprocess.run(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={folder}", *protos], check=True)
        sys.path.insert(0, folder)
        from kustom.ipp.v1 import enrollment_pb2, session_event_pb2, session_pb2, simulation_pb2  # noqa: E402
        return {name: getattr(module, name) for module in (enrollment_pb2, session_event_pb2, session_pb2, simulation_pb2)
                for name in module.DESCRIPTOR.message_types_by_name}


class Shop:
    """A caller of one gateway."""

    def __init__(self, gateway, messages):
        import grpc
        self.grpc, self.messages = grpc, messages
        self.channel = grpc.insecure_channel(gateway.grpc)

    def metadata(self, trace, sampled):
        known = [("authorization", f"Bearer {TOKEN}")]
        return known + [("traceparent", f"00-{trace}-{CALLERS_SPAN}-0{int(sampled)}"), ("tracestate", "vendor=1")]

    def call(self, method, request, trace, sampled=True):
        """The response of a unary call in this trace."""
        service, name = method.split("/")
        return self.channel.unary_unary(
            f"/kustom.ipp.v1.{service}/{name}", request_serializer=type(request).SerializeToString,
            response_deserializer=self.messages[f"{name}Response"].FromString)(
                request, timeout=kit.PATIENCE, metadata=self.metadata(trace, sampled))

    def events(self, trace, sampled=False):
        """Every event from the oldest on."""
        request = self.messages["SubscribeSessionEventsRequest"](position="START_POSITION_FROM_OLDEST")
        stream = self.channel.unary_stream(
            "/kustom.ipp.v1.SessionEventService/SubscribeSessionEvents", request_serializer=type(request).SerializeToString,
            response_deserializer=self.messages["SubscribeSessionEventsResponse"].FromString)(
                request, timeout=kit.PATIENCE, metadata=self.metadata(trace, sampled))
        return (one.event for one in stream if one.WhichOneof("message") == "event")

    def device(self, trace, sampled=False):
        return self.call("SimulationService/CreateSimulatedDevice",
                         self.messages["CreateSimulatedDeviceRequest"](name="Till 1"), trace, sampled).device.id

    def create(self, device, trace, sampled=True, request_id=None):
        item = self.messages["OrderItem"](name="Coffee", quantity=1, unit_price=100, total_amount=100)
        return self.call("SessionService/CreateSession", self.messages["CreateSessionRequest"](
            request_id=request_id or str(uuid.uuid4()), device_id=device, purchase_currency="SEK", order_amount=100,
            order_items=[item], merchant_reference1="SHOP-1001"), trace, sampled).session.session_id


def new_trace():
    return uuid.uuid4().hex


def counted(gateway, result):
    """ipp_spans_total."""
    return float(re.search(rf'^ipp_spans_total{{result="{result}"}} (\S+)$', gateway.metrics(), re.M)[1])


def start(bed, messages, endpoint, name="gateway", **tracing):
    """A gateway that exports, and a caller of it."""
    gateway = bed.start_gateway(name, callers=[bed.caller("shop", TOKEN)],
                                tracing={"otlp_endpoint": endpoint, "export_interval": SOON, **tracing})
    return gateway, Shop(gateway, messages)


def sent_upstream(bed, target):
    """The headers of the only request of the API with this path."""
    [found] = [one["headers"] for one in bed.simulator.ask("GET", "/_sim/requests?limit=1000")["requests"]
               if one["method"] == "POST" and one["target"] == target]
    return found


def check_create(bed, collector, shop):
    """A create that is sampled: the call, what it waits for, and the request are one tree."""
    bed.simulator.ask("DELETE", "/_sim/requests")
    trace, request_id = new_trace(), str(uuid.uuid4())
    session = shop.create(bed.device, trace, request_id=request_id)
    call = collector.only(trace=trace, name=CREATE)
    assert call.kind == "server" and call.parent == CALLERS_SPAN and not call.failed and not call.links, call
    assert call.attributes == {"rpc.system": "grpc", "rpc.service": "kustom.ipp.v1.SessionService",
                               "rpc.method": "CreateSession", "rpc.grpc.status_code": 0}, call
    assert call.resource["service.name"] == "ipp-gateway" and "service.version" in call.resource, call.resource
    reserve, complete, request = (collector.only(trace=trace, name=name) for name in
                                  ("ledger.reserve", "ledger.complete", "POST /ipp/v1/sessions"))
    for span in (reserve, complete, request):
        assert span.parent == call.id and not span.failed and not span.events, span
        assert call.begin - SLACK <= span.begin <= span.end <= call.end + SLACK, (call, span)
    assert reserve.end <= request.begin + SLACK and request.end <= complete.begin + SLACK
    assert (reserve.kind, reserve.attributes) == ("internal", {"ipp.ledger.answer": "send"}), reserve
    assert (request.kind, request.attributes) == ("client", {
        "http.request.method": "POST", "url.template": "/ipp/v1/sessions", "http.response.status_code": 200,
        "ipp.transport.verdict": "ANSWERED"}), request
    headers = sent_upstream(bed, "/ipp/v1/sessions")
    assert headers["traceparent"] == f"00-{trace}-{request.id}-01" and headers["tracestate"] == "vendor=1", headers
    # Beside the webhook of the new session.
    here = [span for span in collector.spans(trace=trace) if span.name != "webhook"]
    assert len(here) == 4, here

    # The same again is answered by the ledger: nothing is sent.
    again = new_trace()
    assert shop.create(bed.device, again, request_id=request_id) == session
    call_again = collector.only(trace=again, name=CREATE)
    assert collector.only(trace=again, name="ledger.reserve").attributes == {"ipp.ledger.answer": "replay"}
    assert {span.id for span in collector.spans(trace=again, parent=call_again.id)} == {
        collector.only(trace=again, name="ledger.reserve").id}
    return session, trace, call


def check_story(bed, collector, shop, session, trace, call):
    """What follows from the create minutes later: webhooks, and the events on their way to a subscriber."""
    bed.simulator.ask("POST", f"/_sim/sessions/{session}/tap?outcome=SUCCESS")
    events = shop.events(new_trace())
    types = []
    for event in events:
        if event.session_id == session:
            assert event.traceparent == f"00-{trace}-{call.id}-01" and event.tracestate == "vendor=1", event
            types.append(event.type)
        if event.type == shop.messages["SessionEvent"].DESCRIPTOR.fields_by_name["type"].enum_type.values_by_name[
                "SESSION_EVENT_TYPE_FINALIZED"].number:
            break
    events.close()
    # Maybe more: the stream has sent what follows, too.
    kit.until("each event has a span of its delivery",
              lambda: len(collector.spans(trace=trace, name="deliver")) >= len(types))
    for span in collector.spans(trace=trace, name="deliver"):
        assert (span.kind, span.parent, span.links) == ("producer", call.id, [(trace, call.id)]), span
        assert span.attributes["rpc.method"] == "SubscribeSessionEvents", span
    kit.until("each webhook has a span", lambda: len(collector.spans(trace=trace, name="webhook")) >= 2)
    for span in collector.spans(trace=trace, name="webhook"):
        assert (span.kind, span.parent, span.links) == ("server", call.id, [(trace, call.id)]), span
        assert span.attributes["http.response.status_code"] == 200 and span.end > span.begin, span
        assert span.attributes["ipp.webhook.result"] in ("accepted", "duplicate"), span


def check_flags_and_errors(bed, collector, shop):
    """A caller that does not record its trace gets no spans; an error has its code."""
    silent, refused = new_trace(), new_trace()
    shop.create(bed.device, silent, sampled=False)
    try:
        shop.call("SessionService/GetSession", shop.messages["GetSessionRequest"](session_id=str(uuid.uuid4())), refused)
        raise AssertionError("a session that there is not")
    except shop.grpc.RpcError as error:
        assert error.code() == shop.grpc.StatusCode.NOT_FOUND, error
    call = collector.only(trace=refused, kind="server")
    assert call.attributes["rpc.grpc.status_code"] == 5 and not call.failed, call  # the caller's fault
    request = collector.only(trace=refused, kind="client")
    assert request.name == "GET /ipp/v1/sessions/{session_id}" and request.parent == call.id, request
    assert request.attributes["http.response.status_code"] == 404 and request.failed, request
    # Spans are exported in the order of their ends, so the silent call's would be here.
    assert not collector.spans(trace=silent), collector.spans(trace=silent)


def check_no_secrets(bed, collector, shop, session):
    """No id, no text of a request and no secret is in anything that left."""
    trace = new_trace()
    enrollment = shop.call("EnrollmentService/CreateEnrollment", shop.messages["CreateEnrollmentRequest"](
        request_id=str(uuid.uuid4()), ttl="ENROLLMENT_TTL_TWO_HOURS"), trace).enrollment
    collector.only(trace=trace, name="ledger.complete")
    collector.only(trace=trace, kind="server")
    secrets = [enrollment.enrollment_code, enrollment.enrollment_id, kit.API_KEY, kit.WEBHOOK_SECRET, TOKEN, session,
               bed.device, "SHOP-1001", "Coffee", kit.MERCHANT, "Till 1"]
    assert all(secrets), secrets
    said = b"".join(collector.bodies)
    for secret in secrets:
        for form in (secret.encode(), secret.replace("-", "").encode()):
            assert form not in said, f"{secret} left in a span"


def check_drain(bed, messages, collector):
    """The last spans leave while the gateway stops, long before an export would be due."""
    gateway, shop = start(bed, messages, collector.url, "drained", export_interval="1m")
    trace = new_trace()
    shop.create(bed.device, trace)
    assert not collector.spans(trace=trace)
    assert bed.stop(gateway) == 0
    assert len(collector.spans(trace=trace)) == 4, collector.spans(trace=trace)


def check_trouble(bed, messages, name, endpoint, spans_end_as, **tracing):
    """A collector that does not take spans costs spans, and nothing else. Returns how long the longest call and the end of
    the gateway took, and its log."""
    gateway, shop = start(bed, messages, endpoint, name, **tracing)
    longest = 0
    for _ in range(20):
        begin = time.monotonic()
        shop.create(bed.device, new_trace())
        longest = max(longest, time.monotonic() - begin)
    kit.until(f"{name}: spans are counted as {spans_end_as}", lambda: counted(gateway, spans_end_as) > 0)
    assert counted(gateway, "exported") == 0
    begin = time.monotonic()
    assert bed.stop(gateway) == 0
    return longest, time.monotonic() - begin, gateway.said()


def check_tls(bed, messages):
    """https, with an authority of one's own; another one's certificate is refused."""
    from otlp_collector import Collector
    for name in ("ours", "theirs"):
        kit.self_signed(bed.work, name, "-addext", "subjectAltName=IP:127.0.0.1")
        bed.write(f"{name}.both", "".join((bed.work / f"{name}.{kind}").read_text() for kind in ("key", "pem")))
    with Collector(identity=bed.work / "ours.both") as collector:
        gateway, shop = start(bed, messages, collector.url, "tls", ca_file=f"{bed.work}/ours.pem")
        trace = new_trace()
        shop.create(bed.device, trace)
        collector.only(trace=trace, kind="server")
        assert bed.stop(gateway) == 0
    with Collector(identity=bed.work / "theirs.both") as collector:
        said = check_trouble(bed, messages, "strange", collector.url, "failed", ca_file=f"{bed.work}/ours.pem")[2]
        assert not collector.bodies
        assert re.search(r"Z warning the exporter of spans error=", said), said


def check_exemplars(gateway, trace):
    """The histograms lead to the trace."""
    page = gateway.open_metrics()
    assert page.endswith("\n# EOF\n"), page[-200:]
    for series in (r'grpc_server_handling_seconds_bucket{[^}]*grpc_method="CreateSession"[^}]*}',
                   r'ipp_upstream_request_seconds_bucket{[^}]*operation="CreateSession"[^}]*}'):
        assert re.search(rf'^{series} \d+ # {{trace_id="{trace}"}} [\d.e-]+ [\d.]+$', page, re.M), (series, page)
    assert "trace_id" not in gateway.metrics()


def with_spans(build):
    from otlp_collector import Collector
    messages = contract()
    with kit.Bed(build) as bed, Collector() as collector:
        bed.start_simulator()
        gateway, shop = start(bed, messages, collector.url)
        bed.webhooks_to(gateway)
        bed.device = shop.device(new_trace())
        session, trace, call = check_create(bed, collector, shop)
        check_exemplars(gateway, trace)
        check_story(bed, collector, shop, session, trace, call)
        check_flags_and_errors(bed, collector, shop)
        check_no_secrets(bed, collector, shop, session)
        assert counted(gateway, "exported") > 0 and counted(gateway, "failed") == counted(gateway, "dropped") == 0
        check_drain(bed, messages, collector)

        refusing = Collector(503)
        with refusing:
            check_trouble(bed, messages, "refused", refusing.url, "failed")
        gone = refusing.url  # nothing listens there any more
        print("nothing listens: the longest call %.2f s, the end %.2f s" % check_trouble(bed, messages, "gone", gone, "failed")[:2])
        with Collector(None) as silent:
            longest, end, _ = check_trouble(bed, messages, "silent", silent.url, "dropped", max_queued=4)
            print(f"no answer ever: the longest call {longest:.2f} s, the end {end:.2f} s")
            # Below the three seconds that one export may take. The export at the end has its own bound, about five.
            assert longest < 2.5 and end < 20, (longest, end)
        check_tls(bed, messages)
        bed.keep("tracing")
        if "SUITE_LOGS" in os.environ:
            pathlib.Path(os.environ["SUITE_LOGS"], "tracing-spans.log").write_bytes(b"".join(collector.bodies))


def without_spans(build):
    with kit.Bed(build) as bed:
        bed.start_simulator()
        path = bed.configuration("refused", tracing={"otlp_endpoint": "http://127.0.0.1:4318"})
        for words in (["--check-config"], []):
            done = subprocess.run([kit.binary(build, "ipp-gateway"), "--config", path, *words], capture_output=True,
                                  text=True, timeout=kit.PATIENCE, check=False)
            assert done.returncode == 1 and "built without opentelemetry-cpp" in done.stderr, done
            assert "tracing.otlp_endpoint" in done.stderr and "IPP_OTEL" in done.stderr, done
        # The other keys do no harm.
        gateway = bed.start_gateway("quiet", tracing={"max_queued": 10})
        assert "ipp_spans_total" not in gateway.metrics() and gateway.open_metrics().startswith("# HELP ")
        assert "# EOF" not in gateway.open_metrics()
        assert bed.stop(gateway) == 0


if __name__ == "__main__":
    {"with": with_spans, "without": without_spans}[sys.argv[2]](sys.argv[1])
    print(f"the story of a build {sys.argv[2]} spans holds")
