"""Settles leased events, many in one call, and extends what handlers still work at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
from kustom.ipp.v1 import shared_subscription_pb2 as shared_pb2
from kustom.ipp.v1 import shared_subscription_pb2_grpc

from .delivery import Delivery, State
from .errors import decode, retry_heals
from .timing import Pauses, Timing

MOST = 256  # settlements in a call
_HOLDS = frozenset({shared_pb2.SETTLEMENT_OUTCOME_SETTLED, shared_pb2.SETTLEMENT_OUTCOME_EXTENDED,
                    shared_pb2.SETTLEMENT_OUTCOME_ALREADY_SETTLED})


@dataclass(eq=False)
class _Wish:
    """One settlement that waits for its answer."""

    delivery: Delivery
    settlement: shared_pb2.Settlement
    answered: threading.Event = field(default_factory=threading.Event)


class Settler:
    """A thread that settles. Thread-safe. A settlement is repeated until it is answered or its lease is over."""

    def __init__(self, stub: shared_subscription_pb2_grpc.SharedSubscriptionServiceStub, subscription: str,
                 timing: Timing, on_lease_lost: Callable[[Delivery], object]) -> None:
        self._stub, self._subscription, self._timing, self._tell = stub, subscription, timing, on_lease_lost
        self._changed = threading.Condition()
        self._wishes: list[_Wish] = []
        self._held: dict[str, Delivery] = {}
        self._busy = self._closing = False
        self._again_at = 0.0
        self._pauses = Pauses(timing.first_pause, timing.longest_pause)
        self._seconds = 30.0
        self._thread = threading.Thread(target=self._run, name="ippclient-settler", daemon=True)
        self._thread.start()

    def hold(self, leased: shared_pb2.LeasedSessionEvent, seconds: float) -> Delivery:
        """From now on the lease is extended, until it is settled or lost."""
        delivery = Delivery(leased, seconds, self._extend_now)
        with self._changed:
            self._seconds = seconds
            self._held[delivery.lease] = delivery
            self._changed.notify_all()
        return delivery

    def settle(self, delivery: Delivery, settlement: shared_pb2.Settlement) -> None:
        with self._changed:
            delivery.state = State.DONE
            self._ask(delivery, settlement)

    def release_waiting(self) -> None:
        """Gives back what no handler has begun."""
        with self._changed:
            for delivery in [each for each in self._held.values() if each.state == State.WAITING]:
                delivery.state = State.DONE
                self._ask(delivery, shared_pb2.Settlement(release=shared_pb2.ReleaseEvent()))

    def begin(self, delivery: Delivery) -> bool:
        """Whether a handler may begin: it is still held, and not given back."""
        with self._changed:
            if delivery.state != State.WAITING or delivery.lease_lost:
                return False
            delivery.state = State.BEGUN
            return True

    def close(self, seconds: float) -> None:
        """Ends the thread once everything is answered; at the latest after so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._wishes and not self._busy, seconds)
            self._closing = True
            self._changed.notify_all()
        self._thread.join(self._timing.call)

    def _ask(self, delivery: Delivery, settlement: shared_pb2.Settlement) -> _Wish:
        settlement.lease = delivery.lease
        wish = _Wish(delivery, settlement)
        self._wishes.append(wish)
        self._changed.notify_all()
        return wish

    def _extend(self, delivery: Delivery) -> _Wish:
        delivery.extend_at = float("inf")  # once; the answer says when again
        settlement = shared_pb2.Settlement()
        settlement.extend.by.FromNanoseconds(int(self._seconds * 1e9))
        return self._ask(delivery, settlement)

    def _extend_now(self, delivery: Delivery) -> bool:
        with self._changed:
            wish = self._extend(delivery)
        return wish.answered.wait(max(delivery.held_until - time.monotonic(), 0)) and not delivery.lease_lost

    def _run(self) -> None:
        while True:
            with self._changed:
                batch = self._take()
                self._busy = bool(batch)
            if batch is None:
                return
            if batch:
                self._call(batch)

    def _take(self) -> list[_Wish] | None:
        """What is to be sent now; waits for it, or for a lease to be due."""
        if self._closing:
            return None
        now = time.monotonic()
        for delivery in list(self._held.values()):
            if now >= delivery.held_until:
                self._lose(delivery)
            elif now >= delivery.extend_at and delivery.state != State.DONE:
                self._extend(delivery)
        if self._wishes and now >= self._again_at:
            batch, self._wishes = self._wishes[:MOST], self._wishes[MOST:]
            return batch
        due = [min(each.held_until, each.extend_at if each.state != State.DONE else each.held_until)
               for each in self._held.values()]
        if self._wishes:
            due.append(self._again_at)
        self._changed.wait(max(min(due) - now, 0.001) if due else None)
        return []

    def _call(self, batch: list[_Wish]) -> None:
        sent_at = time.monotonic()
        try:
            results = self._stub.SettleSessionEvents(shared_pb2.SettleSessionEventsRequest(
                subscription=self._subscription, settlements=[wish.settlement for wish in batch]),
                timeout=self._timing.call).results
        except grpc.RpcError as failed:
            error = decode(failed)
            with self._changed:
                if retry_heals(error.code):  # the answer may be lost: the same again, which does nothing twice
                    self._wishes = [wish for wish in batch if not wish.delivery.lease_lost] + self._wishes
                    self._again_at = time.monotonic() + self._pauses.next(error.retry_delay)
                else:
                    for wish in batch:
                        self._lose(wish.delivery)
                self._idle()
            return
        with self._changed:
            self._pauses.reset()
            for number, wish in enumerate(batch):
                if number < len(results) and results[number].outcome in _HOLDS:
                    self._answered(wish, sent_at)
                else:
                    self._lose(wish.delivery)
                wish.answered.set()
            self._idle()

    def _idle(self) -> None:
        self._busy = False
        self._changed.notify_all()

    def _answered(self, wish: _Wish, sent_at: float) -> None:
        if wish.settlement.HasField("extend"):
            wish.delivery.held(sent_at)
        else:
            self._held.pop(wish.delivery.lease, None)

    def _lose(self, delivery: Delivery) -> None:
        """Tells it once, on a thread of its own: the program's code may take long."""
        if self._held.pop(delivery.lease, None) is None:
            return
        delivery.lose()
        lost = [wish for wish in self._wishes if wish.delivery is delivery]
        self._wishes = [wish for wish in self._wishes if wish.delivery is not delivery]
        for wish in lost:
            wish.answered.set()
        threading.Thread(target=self._tell, args=(delivery,), name="ippclient-lost", daemon=True).start()
