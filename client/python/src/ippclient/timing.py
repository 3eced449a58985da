"""How long things take, and how long they may."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds. The defaults are those of production; tests shorten them."""

    call: float = 10.0  # the deadline of one unary try
    create: float = 30.0  # no try of a create begins, or lasts, beyond it
    answer_allowance: float = 1.0  # after `create`: a try may still be on its way
    look: float = 10.0  # a session without an answer is waited for this long, then its create is looked up again
    first_pause: float = 0.1  # before a call is repeated: doubles, and half of it is random
    longest_pause: float = 5.0
    first_stream_pause: float = 0.25  # the same before a stream is begun again
    longest_stream_pause: float = 30.0
    heartbeat: float = 15.0  # asked of the gateway; a stream that is silent three times as long is dead
    keepalive: float = 30.0  # a connection that is in use is asked this often whether it lives
    keepalive_answer: float = 10.0
    stop: float = 10.0  # what is under way may take this long after a stop

    @property
    def silence(self) -> float:
        return 3 * self.heartbeat


class Pauses:
    """The pauses before new tries: each twice as long as the one before, half of it random."""

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest, self._failures = first, longest, 0

    def next(self, asked: float = 0.0) -> float:
        """The next pause: never shorter than the gateway asked for."""
        limit = min(self._first * 2.0 ** min(self._failures, 30), self._longest)
        self._failures += 1
        return max(limit * random.uniform(0.5, 1.0), asked, 0.01)

    def reset(self) -> None:
        self._failures = 0


class Stop:
    """Ends what it was given to: a payment, a follower, a consumer. Any thread, or a signal handler, may set it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._set_at: float | None = None
        self._then: list[Callable[[], object]] = []

    def set(self) -> None:
        with self._changed:
            if self._set_at is None:
                self._set_at = time.monotonic()
            self._changed.notify_all()
            then, self._then = self._then, []
        for each in then:
            each()

    def is_set(self) -> bool:
        return self._set_at is not None

    @property
    def set_at(self) -> float:
        """When, by the monotonic clock; infinity while it is not."""
        return float("inf") if self._set_at is None else self._set_at

    def wait(self, seconds: float) -> bool:
        """True when it is set, at the latest after so long."""
        with self._changed:
            return self._changed.wait_for(self.is_set, None if seconds == float("inf") else max(seconds, 0))

    def then(self, call: Callable[[], object]) -> None:
        """`call` runs when this is set; at once if it is."""
        with self._changed:
            if self._set_at is None:
                self._then.append(call)
                return
        call()

    def forget(self, call: Callable[[], object]) -> None:
        with self._changed:
            self._then = [each for each in self._then if each != call]
