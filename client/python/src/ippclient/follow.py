"""The event log, followed by one program that keeps its own place."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

import grpc
from kustom.ipp.v1 import session_event_pb2 as events_pb2
from kustom.ipp.v1 import session_event_pb2_grpc

from .errors import GatewayError, retry_heals
from .stream import Stream
from .timing import Pauses, Stop, Timing

Transaction = TypeVar("Transaction")
Handler = Callable[[Transaction, events_pb2.SessionEvent], object]


class Place(Protocol[Transaction]):
    """Where a follower is, kept in the handler's own database: the cursor moves in the transaction of what the
    handler wrote, so that both are there or neither. examples/postgres_place.py is one for PostgreSQL."""

    def load(self) -> str | None:
        """The cursor; None at the very first start."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Commits at its end; rolls back when an exception leaves it."""

    def store(self, transaction: Transaction, cursor: str) -> None:
        """Writes the cursor in the transaction."""


class Follower:
    """Iterates over events, each once, however often the connection breaks. Made by Client.follow.

    `cursor` is the place behind what was taken: an event counts as taken when the next one is asked for. Raises
    GatewayError where a new stream would heal nothing. A stop ends the iteration.
    """

    def __init__(self, channel: grpc.Channel, timing: Timing, request: events_pb2.SubscribeSessionEventsRequest,
                 stop: Stop) -> None:
        self._stub = session_event_pb2_grpc.SessionEventServiceStub(channel)
        self._timing, self._stop = timing, stop
        self._request = events_pb2.SubscribeSessionEventsRequest()
        self._request.CopyFrom(request)
        if not request.HasField("heartbeat_interval"):
            self._request.heartbeat_interval.FromNanoseconds(int(timing.heartbeat * 1e9))
        self._silence = 3 * self._request.heartbeat_interval.ToNanoseconds() / 1e9
        self._pauses = Pauses(timing.first_stream_pause, timing.longest_stream_pause)
        self.cursor = request.after_cursor
        self.skipped = False  # events were lost to retention (only with SKIP_TO_OLDEST)
        self.on_cursor: Callable[[str], object] = lambda cursor: None  # a place without an event

    def __iter__(self) -> Iterator[events_pb2.SessionEvent]:
        while not self._stop.is_set():
            error = yield from self._one_stream()
            if self._stop.is_set():
                return
            skips = self._request.on_cursor_expired == events_pb2.CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST
            if error and (not retry_heals(error.code)
                          or (error.code == grpc.StatusCode.OUT_OF_RANGE and not skips)):
                raise error
            self._stop.wait(self._pauses.next(error.retry_delay if error else 0.0))

    def _one_stream(self) -> Generator[events_pb2.SessionEvent, None, GatewayError | None]:
        if self.cursor:
            self._request.after_cursor = self.cursor
        try:
            with Stream(self._stub.SubscribeSessionEvents(self._request), self._silence, self._stop) as stream:
                for message in stream:
                    kind = message.WhichOneof("message")
                    if kind != "started":
                        self._pauses.reset()
                    if kind == "event":
                        yield message.event
                        self.cursor = message.event.cursor
                    elif kind is not None:
                        self.skipped = self.skipped or message.started.skipped
                        self.cursor = getattr(message, kind).cursor or self.cursor
                        self.on_cursor(self.cursor)
        except GatewayError as error:
            return error
        return None


def follow_into(follower: Follower, place: Place[Transaction], handler: Handler[Transaction]) -> None:
    """Calls the handler with each event and a transaction of the place, and stores the cursor in the same one."""
    def keep(cursor: str) -> None:
        with place.transaction() as transaction:
            place.store(transaction, cursor)

    follower.on_cursor = keep
    for event in follower:
        with place.transaction() as transaction:
            handler(transaction, event)
            place.store(transaction, event.cursor)
