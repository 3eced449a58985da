"""Creates: made at most once, tried as long as that is safe and may help."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable
from typing import TypeVar

import grpc

from .errors import GatewayError, Outcome, decode
from .timing import Pauses, Stop, Timing

Response = TypeVar("Response")


def new_request_id() -> str:
    """A UUID. Keep it with the order before the first call."""
    return str(uuid.uuid4())


def may_repeat(error: GatewayError) -> bool:
    """Whether another try with the same request_id is safe and may help."""
    if not error.reason:  # gRPC's own: no connection, or one that broke
        return error.code == grpc.StatusCode.UNAVAILABLE
    busy = error.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    return busy and error.retry_safe and error.outcome != Outcome.UNKNOWN


class Tries:
    """The tries of one create."""

    def __init__(self, timing: Timing, resumed: bool = False) -> None:
        self._pauses = Pauses(timing.first_pause, timing.longest_pause)
        self._lost, self._wordless = resumed, False
        self._last: GatewayError | None = None

    def pause_after(self, error: GatewayError, left: float) -> float | None:
        """How long to wait before the next try; None: there is none."""
        self._last = error
        self._lost = self._lost or self._wordless
        self._wordless = not error.reason
        pause = self._pauses.next(error.retry_delay)
        return pause if may_repeat(error) and pause < left else None

    def verdict(self) -> GatewayError:
        """The last error. Its NOT_SENT does not hold for an earlier try that may have reached the gateway."""
        assert self._last is not None
        if self._lost and self._last.outcome == Outcome.NOT_SENT:
            return dataclasses.replace(self._last, outcome=Outcome.UNKNOWN)
        return self._last


def create(call: Callable[[float], Response], timing: Timing, stop: Stop, resumed: bool = False) -> Response:
    """`call(deadline in seconds)`, by the rules of docs/client-rules.md. Raises GatewayError."""
    until = time.monotonic() + timing.create
    tries = Tries(timing, resumed)
    while True:
        try:
            return call(max(until - time.monotonic(), 0.001))
        except grpc.RpcError as error:
            pause = tries.pause_after(decode(error), until - time.monotonic())
        if pause is None or stop.wait(pause):
            raise tries.verdict() from None
