"""One event under a lease, as a handler gets it."""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable

from kustom.ipp.v1 import shared_subscription_pb2 as shared_pb2
from kustom.ipp.v1.session_event_pb2 import SessionEvent

from .errors import LeaseLost


class Retry(Exception):
    """Raised by a handler: not now, deliver it again. `reason` is for people, and holds no secrets."""

    def __init__(self, reason: str = "", delay: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.delay = reason, delay


class Park(Exception):
    """Raised by a handler: it cannot be handled, set it aside for people. The session goes on."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class State(enum.Enum):
    WAITING = 1  # no handler has begun
    BEGUN = 2
    DONE = 3  # settled, or given back


class Delivery:
    """An event, and whether it is still this handler's. `event.event_id` is the same in every attempt."""

    def __init__(self, leased: shared_pb2.LeasedSessionEvent, seconds: float,
                 extend: Callable[[Delivery], bool]) -> None:
        self.event: SessionEvent = leased.event
        self.attempt: int = leased.attempt  # 1 for the first delivery
        self.redriven: bool = leased.redriven
        self.lease: str = leased.lease
        self.state = State.WAITING
        self._seconds, self._extend = seconds, extend
        self._lost = threading.Event()
        self.held(time.monotonic())

    @property
    def lease_lost(self) -> bool:
        """True: another pod has the event. Commit nothing more for it."""
        return self._lost.is_set()

    def wait_lost(self, seconds: float | None = None) -> bool:
        """Waits until the lease is lost, at most so long; whether it is."""
        return self._lost.wait(seconds)

    def check(self) -> None:
        """Asks the gateway, and extends the lease: call it before a commit that must not happen twice.

        Raises LeaseLost, also when the gateway gives no answer.
        """
        if self.lease_lost or not self._extend(self) or self.lease_lost:
            raise LeaseLost(self.event.event_id)

    # For the consumer.

    def held(self, since: float) -> None:
        """The lease lasts its whole length from `since` on. By the monotonic clock: never by the pod's wall clock."""
        self.held_until, self.extend_at = since + self._seconds, since + self._seconds / 3

    def lose(self) -> None:
        self._lost.set()
