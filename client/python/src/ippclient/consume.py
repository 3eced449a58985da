"""A shared subscription: the events of a log, each to one of a service's pods."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import grpc
from kustom.ipp.v1 import session_event_pb2 as events_pb2
from kustom.ipp.v1 import shared_subscription_pb2 as shared_pb2
from kustom.ipp.v1 import shared_subscription_pb2_grpc

from .creates import may_repeat
from .delivery import Delivery, Park, Retry
from .errors import GatewayError, LeaseLost, decode, retry_heals
from .settler import Settler
from .stream import Stream
from .timing import Pauses, Stop, Timing

Handler = Callable[[Delivery], object]
LONGEST_REASON = 1024  # bytes


class Consumer:
    """A run of Client.consume."""

    def __init__(self, channel: grpc.Channel, timing: Timing, request: shared_pb2.ReceiveSessionEventsRequest,
                 handler: Handler, stop: Stop, parallel: int, on_lease_lost: Callable[[Delivery], object]) -> None:
        self._stub = shared_subscription_pb2_grpc.SharedSubscriptionServiceStub(channel)
        self._timing, self._request, self._handler, self._stop = timing, request, handler, stop
        self._request.heartbeat_interval.FromNanoseconds(int(timing.heartbeat * 1e9))
        self._pauses = Pauses(timing.first_stream_pause, timing.longest_stream_pause)
        self._workers = ThreadPoolExecutor(parallel or request.max_in_flight or 16, "ippclient-handler")
        self._running: set[Future[None]] = set()
        self._on_lease_lost = on_lease_lost

    def make(self, subscription: shared_pb2.SharedSubscription) -> None:
        """Makes the subscription unless it is there; with other settings that raises SUBSCRIPTION_EXISTS."""
        request = shared_pb2.CreateSharedSubscriptionRequest(subscription=subscription)
        pauses = Pauses(self._timing.first_pause, self._timing.longest_pause)
        until = time.monotonic() + self._timing.create
        while not self._stop.is_set():
            try:
                self._stub.CreateSharedSubscription(request, timeout=self._timing.call)
                return
            except grpc.RpcError as failed:
                error = decode(failed)
            pause = pauses.next(error.retry_delay)
            late = error.code == grpc.StatusCode.DEADLINE_EXCEEDED  # the same settings again make nothing twice
            if not (late or may_repeat(error)) or time.monotonic() + pause >= until:
                raise error
            self._stop.wait(pause)

    def run(self) -> None:
        """Until the stop, or an error that no new stream heals."""
        settler = Settler(self._stub, self._request.subscription, self._timing, self._on_lease_lost)
        self._stop.then(settler.release_waiting)
        try:
            while not self._stop.is_set():
                error = self._one_stream(settler)
                if self._stop.is_set():
                    return
                skips = self._request.on_cursor_expired == events_pb2.CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST
                if error and (not retry_heals(error.code)
                              or (error.code == grpc.StatusCode.OUT_OF_RANGE and not skips)):
                    raise error
                self._stop.wait(self._pauses.next(error.retry_delay if error else 0.0))
        finally:
            self._stop.forget(settler.release_waiting)
            settler.release_waiting()
            wait(self._running, self._timing.stop)
            self._workers.shutdown(wait=False, cancel_futures=True)
            settler.close(self._timing.stop)

    def _one_stream(self, settler: Settler) -> GatewayError | None:
        seconds = 30.0
        silence = 3 * self._timing.heartbeat
        try:
            with Stream(self._stub.ReceiveSessionEvents(self._request), silence, self._stop) as stream:
                for message in stream:
                    kind = message.WhichOneof("message")
                    if kind == "started":
                        lease = message.started.subscription.lease.ToNanoseconds() / 1e9
                        seconds = lease or seconds
                        continue
                    self._pauses.reset()
                    if kind == "leased":
                        self._take(settler, settler.hold(message.leased, seconds))
        except GatewayError as error:
            return error
        return None

    def _take(self, settler: Settler, delivery: Delivery) -> None:
        if self._stop.is_set():
            settler.release_waiting()
            return
        running = self._workers.submit(self._handle, settler, delivery)
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    def _handle(self, settler: Settler, delivery: Delivery) -> None:
        if not settler.begin(delivery):
            return
        settlement = shared_pb2.Settlement()
        try:
            self._handler(delivery)
            settlement.acknowledge.SetInParent()
        except LeaseLost:
            pass
        except Retry as retry:
            settlement.retry.reason = _cut(retry.reason)
            if retry.delay is not None:
                settlement.retry.delay.FromNanoseconds(int(retry.delay * 1e9))
        except Park as park:
            settlement.park.reason = _cut(park.reason)
        except Exception as error:  # pylint: disable=broad-except
            settlement.retry.reason = type(error).__name__  # its text may hold secrets
        if settlement.WhichOneof("action") and not delivery.lease_lost:
            settler.settle(delivery, settlement)


def _cut(reason: str) -> str:
    return reason.encode()[:LONGEST_REASON].decode(errors="ignore")
