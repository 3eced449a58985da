"""A gateway that plays a script: each call gets the next answer of its RPC's list. It also plays what a network does:
a connection that is reset, or frozen (nothing passes any more, and no end says so).

A script is a dict of lists by RPC name. A unary answer, or an item of a stream:

  {"ok": {…}}        the response, in proto3 JSON ({} for a default)
  {"error": "CODE", "reason": …, "outcome": …, "retry_safe": …, "retry_ms": …, "metadata": {…}}
  {"reset": true}    the connection is reset, after the call has arrived
  {"freeze": true}   the connection is frozen; new ones work
  {"silent": true}   no answer and no end, until the client goes away
  {"results": OUTCOME}  of a settlement
  {"until": [RPC, N]}  goes on once RPC was called N times (streams)
  {"message": {…}}   a message (streams)
  {"end": true}      ends with OK (streams)

A list that is used up repeats its last entry when that is marked {"again": true}; else the run fails.
"""
import contextlib
import pathlib
import sys
import threading
import time
from concurrent import futures

import grpc
from google.protobuf import any_pb2, json_format
from google.rpc import error_details_pb2, status_pb2

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "polyglot" / "kit"))
import bed as beds  # noqa: E402  pylint: disable=wrong-import-position

PATIENCE = 30  # seconds that a script waits for a call before it says that it did not come


def _status(answer):
    """What the gateway says of an error: code, text and details."""
    code = getattr(grpc.StatusCode, answer["error"])
    details = []
    if answer.get("reason"):
        metadata = {"retry_safe": str(answer.get("retry_safe", False)).lower(), **answer.get("metadata", {})}
        if answer.get("outcome"):
            metadata["outcome"] = answer["outcome"]
        details.append(error_details_pb2.ErrorInfo(reason=answer["reason"], domain="ipp", metadata=metadata))
    if "retry_ms" in answer:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(answer["retry_ms"])
        details.append(retry)
    text = answer.get("text", "as the script says")
    status = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return code, text, status.SerializeToString() if details else None


class Gateway:
    """Serves every RPC of the contract by script. `methods`: full name → (request class, response class, streams)."""

    def __init__(self, methods):
        self.lock = threading.Condition()
        self.methods = methods
        self.forget({})
        self.server = grpc.server(futures.ThreadPoolExecutor(32), options=[
            ("grpc.http2.min_ping_interval_without_data_ms", 1), ("grpc.http2.max_ping_strikes", 0)])
        self.server.add_generic_rpc_handlers((self,))
        port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.way = beds.Road(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{self.way.port}"

    def close(self):
        self.server.stop(0)
        self.way.listener.close()

    def forget(self, script):
        """A new run. What still hangs of the last one ends."""
        with self.lock:
            self.run = object()
            self.script = {name: list(answers) for name, answers in script.items()}
            self.calls, self.times, self.faults = [], [], []
            self.extended, self.settled = [], {}  # leases; the settlement of each lease
            self.lock.notify_all()

    def requests(self, rpc):
        with self.lock:
            return [request for name, request in self.calls if name == rpc]

    # gRPC's generic handler.
    def service(self, details):
        name = details.method.lstrip("/")
        if name not in self.methods:
            return None
        request_class, response_class, streams = self.methods[name]
        rpc = name.split("/")[1]
        if streams:
            return grpc.unary_stream_rpc_method_handler(
                lambda request, context: self._stream(rpc, request, context, response_class),
                request_class.FromString, response_class.SerializeToString)
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._unary(rpc, request, context, response_class),
            request_class.FromString, response_class.SerializeToString)

    def _next(self, rpc, request):
        with self.lock:
            self.calls.append((rpc, request))
            self.times.append((rpc, time.monotonic()))
            self.lock.notify_all()
            answers = self.script.get(rpc, [])
            if not answers:
                self.faults.append(f"a call of {rpc} that the script does not expect")
                return self.run, {"error": "ABORTED", "text": "not in the script"}
            again = isinstance(answers[0], dict) and answers[0].get("again")
            return self.run, answers[0] if again else answers.pop(0)

    def _unary(self, rpc, request, context, response_class):
        run, answer = self._next(rpc, request)
        if "results" in answer:
            return self._settle(request, answer["results"], response_class)
        if "ok" in answer:
            return json_format.ParseDict(answer["ok"], response_class())
        self._misbehave(run, answer, context)
        return response_class()

    def _settle(self, request, outcome, response_class):
        """The same outcome for each settlement; RIGHT is what the contract says of a lease that is held."""
        results = []
        with self.lock:
            for settlement in request.settlements:
                action = settlement.WhichOneof("action")
                right = "EXTENDED" if action == "extend" else "SETTLED"
                said = right if outcome == "RIGHT" else outcome
                if said == "EXTENDED":
                    self.extended.append(settlement.lease)
                elif said != "LEASE_LOST":
                    self.settled[settlement.lease] = settlement
                results.append({"outcome": f"SETTLEMENT_OUTCOME_{said}"})
            self.lock.notify_all()
        return json_format.ParseDict({"results": results}, response_class())

    def _stream(self, rpc, request, context, response_class):
        run, items = self._next(rpc, request)
        for item in items if isinstance(items, list) else [items]:
            if "message" in item:
                yield json_format.ParseDict(item["message"], response_class())
            elif "until" in item:
                self._await(run, context, *item["until"])
            elif "end" in item:
                return
            else:
                self._misbehave(run, item, context)
                return
        self._hang(run, context)

    def _await(self, run, context, rpc, count):
        def come():
            return (self.run is not run or not context.is_active()
                    or sum(name == rpc for name, _ in self.calls) >= count)

        with self.lock:
            if not self.lock.wait_for(come, PATIENCE):
                self.faults.append(f"waited for call {count} of {rpc}")

    def _misbehave(self, run, answer, context):
        if "error" in answer:
            code, text, details = _status(answer)
            if details:
                context.set_trailing_metadata((("grpc-status-details-bin", details),))
            context.abort(code, text)
        if "reset" in answer:
            self.way.cut()
        if "freeze" in answer:
            self.way.freeze()
        self._hang(run, context)

    def _hang(self, run, context):
        """Until the client goes away, or the run is over."""
        def wake():
            with self.lock:
                self.lock.notify_all()

        if context.add_callback(wake):
            with self.lock:
                self.lock.wait_for(lambda: self.run is not run or not context.is_active(), PATIENCE)


@contextlib.contextmanager
def playing(methods):
    gateway = Gateway(methods)
    try:
        yield gateway
    finally:
        gateway.forget({})
        gateway.close()


def methods_of(modules):
    """Every RPC of the services in generated modules."""
    from google.protobuf import message_factory  # pylint: disable=import-outside-toplevel
    found = {}
    for module in modules:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                found[f"{service.full_name}/{method.name}"] = (
                    message_factory.GetMessageClass(method.input_type),
                    message_factory.GetMessageClass(method.output_type), method.server_streaming)
    return found


