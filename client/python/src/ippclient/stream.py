"""A server stream that cannot be silent for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

import grpc

from .errors import GatewayError, decode
from .timing import Stop

Message = TypeVar("Message")
Sent = TypeVar("Sent", covariant=True)


class Call(Protocol[Sent]):
    """What gRPC gives for a server stream."""

    def __next__(self) -> Sent: ...

    def cancel(self) -> bool: ...


class Stream(Generic[Message]):
    """Iterates over a stream's messages; ends it when no message comes for `silence` seconds, or at a stop.

    Raises GatewayError. Silence counts only while a message is waited for: a slow handler is no silence.
    """

    def __init__(self, call: Call[Message], silence: float, stop: Stop) -> None:
        self._call, self._silence, self._stop = call, silence, stop
        self._changed = threading.Condition()
        self._dead_at: float | None = None
        self._over = self._silent = False
        self._watch = threading.Thread(target=self._look, name="ippclient-silence", daemon=True)

    def __enter__(self) -> Stream[Message]:
        self._watch.start()
        self._stop.then(self._cancel)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.forget(self._cancel)
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._cancel()

    def _cancel(self) -> None:
        self._call.cancel()

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        self._dead_at = time.monotonic() + self._silence
        try:
            return next(self._call)
        except grpc.RpcError as error:
            if self._silent:
                words = f"no message and no heartbeat for {self._silence:g} s"
                raise GatewayError(grpc.StatusCode.UNAVAILABLE, words) from None
            raise decode(error) from None
        finally:
            self._dead_at = None

    def _look(self) -> None:
        # It wakes at least once in `silence`, so it need not be woken for each message.
        with self._changed:
            while not self._over:
                dead_at = self._dead_at
                left = self._silence if dead_at is None else dead_at - time.monotonic()
                if left <= 0:
                    self._silent = True
                    self._call.cancel()
                    return
                self._changed.wait(left)
