"""A connection to the gateway, and what is done over it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
from kustom.ipp.v1 import device_pb2_grpc, enrollment_pb2_grpc, location_pb2_grpc, outcome_pb2_grpc, report_pb2_grpc
from kustom.ipp.v1 import session_event_pb2 as events_pb2
from kustom.ipp.v1 import session_event_pb2_grpc, session_history_pb2_grpc, session_pb2, session_pb2_grpc
from kustom.ipp.v1 import shared_subscription_pb2 as shared_pb2
from kustom.ipp.v1 import shared_subscription_pb2_grpc, simulation_pb2_grpc

from .consume import Consumer, Handler
from .delivery import Delivery
from .follow import Follower, Place, follow_into
from .follow import Handler as PlaceHandler
from .metadata import with_metadata
from .payment import Collect, OnStop, Payment
from .timing import Stop, Timing

Transaction = TypeVar("Transaction")


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """A Stop that SIGTERM and SIGINT set. For the main thread."""
    stop = Stop()
    signals = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(each, lambda *_: stop.set()) for each in signals]
    try:
        yield stop
    finally:
        for each, handler in zip(signals, before):
            signal.signal(each, handler)


class Client:
    """A connection to the gateway. Thread-safe. Connects at the first call.

    Plaintext without `ca`; TLS with it (PEM; b"" for the system's authorities). `certificate` and `key` are PEM. A
    token goes over plaintext to this machine only, unless `plaintext_token` says that something else encrypts.
    The stubs (`sessions`, `devices`, …) are for the calls that need no rules.
    """

    def __init__(self, address: str, *, ca: bytes | None = None, certificate: bytes | None = None,
                 key: bytes | None = None, token: str = "", merchant_id: str = "", plaintext_token: bool = False,
                 timing: Timing = Timing(), options: Sequence[tuple[str, Any]] = ()) -> None:
        self.timing = timing
        arguments = [
            ("grpc.keepalive_time_ms", int(timing.keepalive * 1000)),
            ("grpc.keepalive_timeout_ms", int(timing.keepalive_answer * 1000)),
            # Newer releases of gRPC wait this long instead, by default a minute.
            ("grpc.http2.ping_timeout_ms", int(timing.keepalive_answer * 1000)),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.max_reconnect_backoff_ms", 10_000), *options]
        tls = ca is not None or certificate is not None
        if token and not tls and not plaintext_token and not _is_this_machine(address):
            raise ValueError("a token over plaintext is sent to this machine only: give `ca`, or `plaintext_token`")
        if tls:
            channel = grpc.secure_channel(
                address, grpc.ssl_channel_credentials(ca or None, key, certificate), arguments)
        else:
            channel = grpc.insecure_channel(address, arguments)
        pairs = [("authorization", f"Bearer {token}")] * bool(token) + [("x-merchant-id", merchant_id)] * bool(merchant_id)
        self._closing, self.channel = channel, with_metadata(channel, pairs)
        self.sessions = session_pb2_grpc.SessionServiceStub(self.channel)
        self.events = session_event_pb2_grpc.SessionEventServiceStub(self.channel)
        self.subscriptions = shared_subscription_pb2_grpc.SharedSubscriptionServiceStub(self.channel)
        self.outcomes = outcome_pb2_grpc.OutcomeServiceStub(self.channel)
        self.devices = device_pb2_grpc.DeviceServiceStub(self.channel)
        self.enrollments = enrollment_pb2_grpc.EnrollmentServiceStub(self.channel)
        self.locations = location_pb2_grpc.LocationServiceStub(self.channel)
        self.history = session_history_pb2_grpc.SessionHistoryServiceStub(self.channel)
        self.reports = report_pb2_grpc.ReportServiceStub(self.channel)
        self.simulation = simulation_pb2_grpc.SimulationServiceStub(self.channel)

    def close(self) -> None:
        self._closing.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def collect(self, request: session_pb2.CreateSessionRequest, *, timeout: float = 600.0, resumed: bool = False,
                on_stop: OnStop = OnStop.CANCEL_SESSION, stop: Stop | None = None,
                on_step: Callable[[session_pb2.WatchSessionResponse], object] | None = None) -> Payment:
        """Creates the session once, follows it to its end, and says what became of the money. Blocks.

        Set `request.request_id` (new_request_id()) and keep it with the order first; an empty one is filled in.
        `resumed`: the id may have been sent before, by a process that ended before it knew the result. `on_step` is
        called with each step. Never raises GatewayError: `Payment.error` has it.
        """
        return Collect(self.channel, self.timing, request, timeout=timeout, resumed=resumed, on_stop=on_stop,
                       stop=stop or Stop(), on_step=on_step).run()

    def follow(self, request: events_pb2.SubscribeSessionEventsRequest, *, stop: Stop | None = None) -> Follower:
        """Every event, once, in order, to this one program, which keeps `Follower.cursor`."""
        return Follower(self.channel, self.timing, request, stop or Stop())

    def follow_into(self, place: Place[Transaction], request: events_pb2.SubscribeSessionEventsRequest,
                    handler: PlaceHandler[Transaction], *, stop: Stop | None = None) -> None:
        """The same, with the cursor kept in the handler's own transaction. `request` says where the first start is.

        What the handler raises rolls its transaction back and ends the call; the next one begins with that event.
        """
        asked = events_pb2.SubscribeSessionEventsRequest()
        asked.CopyFrom(request)
        if cursor := place.load():
            asked.after_cursor = cursor
        follow_into(self.follow(asked, stop=stop), place, handler)

    def consume(self, subscription: str | shared_pb2.SharedSubscription, handler: Handler, *,
                stop: Stop | None = None, max_in_flight: int = 16, parallel: int = 0, consumer: str = "",
                skip_expired: bool = False,
                on_lease_lost: Callable[[Delivery], object] = lambda delivery: None) -> None:
        """Events of a shared subscription, for one pod or ten: each goes to one of them, at least once. Blocks.

        A SharedSubscription is made first, unless it is there; a name must be. The handler runs on up to `parallel`
        threads (max_in_flight by default). Returning acknowledges; Retry and Park do what they say; any other
        exception is a retry. Long handlers keep their leases. A stop gives back what no handler has begun and waits
        for the others (`timing.stop`). `skip_expired`: go on behind events that retention has removed. `on_lease_lost`
        hears of each lease that another pod has got.
        """
        made = isinstance(subscription, shared_pb2.SharedSubscription)
        request = shared_pb2.ReceiveSessionEventsRequest(
            subscription=subscription.name if isinstance(subscription, shared_pb2.SharedSubscription) else subscription,
            max_in_flight=max_in_flight, consumer=consumer or socket.gethostname(),
            on_cursor_expired=events_pb2.CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST
            if skip_expired else events_pb2.CURSOR_EXPIRED_POLICY_FAIL)
        run = Consumer(self.channel, self.timing, request, handler, stop or Stop(), parallel, on_lease_lost)
        if made and isinstance(subscription, shared_pb2.SharedSubscription):
            run.make(subscription)
        run.run()


def _is_this_machine(address: str) -> bool:
    host = address.rsplit(":", 1)[0].removeprefix("dns:///")
    return address.startswith("unix:") or host == "localhost" or host == "[::1]" or host.startswith("127.")
