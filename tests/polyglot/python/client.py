"""A Python client of the gateway under the conformance kit (../README.md): does the orders on stdin, answers on stdout.

    PYTHONPATH=<stubs> client.py
"""
import importlib
import json
import pathlib
import sys
import threading
import time

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2
from grpc_status import rpc_status

STUBS = [importlib.import_module(f"kustom.ipp.v1.{name}_pb2_grpc") for name in (
    "device", "enrollment", "location", "outcome", "report", "session", "session_event", "session_history",
    "shared_subscription", "simulation")]
FOLLOW = "kustom.ipp.v1.SessionEventService/SubscribeSessionEvents"
channels, streams = {}, {}


def connect(order):
    if "ca_file" in order:
        root, certificate, key = (pathlib.Path(order[name]).read_bytes() if name in order else None
                                  for name in ("ca_file", "cert_file", "key_file"))
        channels[order["channel"]] = grpc.secure_channel(order["address"], grpc.ssl_channel_credentials(
            root_certificates=root, private_key=key, certificate_chain=certificate))
    else:
        channels[order["channel"]] = grpc.insecure_channel(order["address"])
    return {}


def call(order):
    method, request = prepare(order)
    pending = method.future(request, timeout=order["deadline_ms"] / 1000,
                            metadata=list(order.get("metadata", {}).items()))
    if "cancel_after_ms" in order:
        threading.Timer(order["cancel_after_ms"] / 1000, pending.cancel).start()
    try:
        return {"response": json_of(pending.result()), "trailers": trailers_of(pending)}
    except grpc.FutureCancelledError:
        return {"error": {"code": "CANCELLED"}}
    except grpc.RpcError as error:
        return {"error": error_of(error), "trailers": trailers_of(error)}


def open_stream(order):
    method, request = prepare(order)
    stream = method(request, timeout=order["deadline_ms"] / 1000, metadata=list(order.get("metadata", {}).items()))
    streams[order["stream"]] = stream
    return {}


def follow(order):
    streams[order["stream"]] = Follower(order)
    return {}


def take_next(order):
    stream = streams[order["stream"]]
    if isinstance(stream, Follower):
        return {"event": json_of(next(stream.events))}
    try:
        return {"message": json_of(next(stream))}
    except StopIteration:
        return {"end": True}
    except grpc.RpcError as error:
        return {"error": error_of(error)}


def cancel(order):
    stream = streams.pop(order["stream"])
    stream = stream.stream if isinstance(stream, Follower) else stream
    stream.cancel()
    try:
        for _ in stream:
            pass
        return {"end": True}
    except grpc.RpcError as error:
        return {"error": error_of(error)}


class Follower:
    """Every event after a place in the log, once, however often the way to the gateway breaks."""

    def __init__(self, order):
        self.method, self.request = prepare({**order, "rpc": FOLLOW})
        self.stream = self.method(self.request)
        self.take(next(self.stream))  # `started`: nothing from here on is missed
        self.events = self.read()

    def take(self, message):
        """Keeps the cursor that every message carries."""
        self.request.after_cursor = getattr(message, message.WhichOneof("message")).cursor

    def read(self):
        pause = 0.05
        while True:
            try:
                for message in self.stream:
                    pause = 0.05
                    if message.WhichOneof("message") == "event":
                        yield message.event
                    self.take(message)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 1)
            self.stream = self.method(self.request)


def prepare(order):
    """The stub's method and its request."""
    service, method = order["rpc"].split("/")
    descriptor = descriptor_pool.Default().FindServiceByName(service).methods_by_name[method]
    request = message_factory.GetMessageClass(descriptor.input_type)()
    stub_name = service.rpartition(".")[2] + "Stub"
    stub = next(getattr(module, stub_name) for module in STUBS if hasattr(module, stub_name))
    return getattr(stub(channels[order["channel"]]), method), json_format.ParseDict(order["request"], request)


def json_of(message):
    return json_format.MessageToDict(message)


def trailers_of(call_or_error):
    return {key: value for key, value in call_or_error.trailing_metadata() or () if isinstance(value, str)}


def error_of(error):
    answer = {"code": error.code().name, "message": error.details(), "details": {}}
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
            message = kind()
            if detail.Unpack(message):
                answer["details"][kind.DESCRIPTOR.full_name] = json_of(message)
    return answer


ORDERS = {"connect": connect, "call": call, "open": open_stream, "follow": follow, "next": take_next, "cancel": cancel}
for line in sys.stdin:
    order = json.loads(line)
    print(json.dumps(ORDERS[order["do"]](order)), flush=True)
