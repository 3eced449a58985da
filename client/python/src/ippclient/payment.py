"""One payment from the request to its end."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from kustom.ipp.v1 import outcome_pb2, outcome_pb2_grpc, session_pb2, session_pb2_grpc

from .creates import create, new_request_id
from .errors import GatewayError, Outcome, decode, retry_heals
from .stream import Stream
from .timing import Pauses, Stop, Timing

FINAL = frozenset({
    session_pb2.SESSION_STATUS_FINALIZED, session_pb2.SESSION_STATUS_CANCELLED,
    session_pb2.SESSION_STATUS_EXPIRED, session_pb2.SESSION_STATUS_FAILED})


class Money(enum.Enum):
    """Whether the money was paid."""

    PAID = "PAID"
    NOT_PAID = "NOT_PAID"
    NOT_KNOWN = "NOT_KNOWN"  # collect the same request again, with `resumed`


class End(enum.Enum):
    """How a payment ended."""

    PAID = "PAID"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"
    NOT_CREATED = "NOT_CREATED"  # there is no session and there will be none: refused, or never sent
    STOPPED = "STOPPED"  # a stop or the timeout came first; the session may go on
    GAVE_UP = "GAVE_UP"  # an error that no new try heals; the session may go on


class OnStop(enum.Enum):
    """What a stop, or the timeout, does to the session."""

    CANCEL_SESSION = "CANCEL_SESSION"  # it is cancelled, and the result says what became true: paid, if faster
    LEAVE_SESSION = "LEAVE_SESSION"  # it goes on and is no longer watched; its end is in the event log


@dataclass(frozen=True)
class Payment:
    """What became of the money."""

    money: Money
    end: End
    session: session_pb2.Session  # as last seen; empty if none was
    request_id: str
    error: GatewayError | None  # why, where it is not the session's own end


_ENDS = {session_pb2.SESSION_STATUS_FINALIZED: End.PAID, session_pb2.SESSION_STATUS_EXPIRED: End.EXPIRED,
         session_pb2.SESSION_STATUS_FAILED: End.FAILED, session_pb2.SESSION_STATUS_CANCELLED: End.CANCELLED}


def _nothing_was_done(error: GatewayError) -> bool:
    if error.outcome == Outcome.REJECTED:
        return True
    # These calls sent nothing, but know nothing of earlier ones under the same id.
    return error.outcome == Outcome.NOT_SENT and error.reason not in ("STORE_UNAVAILABLE", "REQUEST_ID_REUSED")


class Collect:
    """A run of Client.collect."""

    def __init__(self, channel: grpc.Channel, timing: Timing, request: session_pb2.CreateSessionRequest, *,
                 timeout: float, resumed: bool, on_stop: OnStop, stop: Stop,
                 on_step: Callable[[session_pb2.WatchSessionResponse], object] | None) -> None:
        self._sessions = session_pb2_grpc.SessionServiceStub(channel)
        self._outcomes = outcome_pb2_grpc.OutcomeServiceStub(channel)
        self._timing, self._request, self._resumed = timing, session_pb2.CreateSessionRequest(), resumed
        self._request.CopyFrom(request)
        self._request.request_id = request.request_id or new_request_id()
        self._on_stop, self._stop, self._on_step = on_stop, stop, on_step
        self._timeout_at = time.monotonic() + timeout
        self._create_until = time.monotonic() + timing.create + timing.answer_allowance
        self._session = session_pb2.Session()
        self._trouble: GatewayError | None = None
        self._may_look_up = True
        self._pauses = Pauses(timing.first_pause, timing.longest_pause)

    def run(self) -> Payment:
        if end := self._create():
            return end
        while True:
            if self._session.status in FINAL:
                return self._result(_ENDS[self._session.status])
            if time.monotonic() >= self._end_at():
                return self._stopped()
            if not self._session.session_id and (end := self._look_up()):
                return end
            if self._session.session_id and self._is_stopped():
                return self._cancel() if self._on_stop == OnStop.CANCEL_SESSION else self._stopped()
            error = self._watch()
            if error is None or self._session.status in FINAL:
                continue
            if error.outcome == Outcome.REJECTED and not self._session.session_id:
                return self._result(End.NOT_CREATED, error)
            if not retry_heals(error.code):
                return self._result(End.GAVE_UP, error)
            self._note(error)
            self._pause(self._pauses.next(error.retry_delay))

    def _is_stopped(self) -> bool:
        return self._stop.is_set() or time.monotonic() >= self._timeout_at

    def _end_at(self) -> float:
        stop = min(self._timeout_at, self._stop.set_at)
        return stop + (self._timing.stop if self._on_stop == OnStop.CANCEL_SESSION else 0)

    def _pause(self, seconds: float) -> None:
        if self._is_stopped():
            time.sleep(max(min(seconds, self._end_at() - time.monotonic()), 0))
        else:
            self._stop.wait(min(seconds, self._timeout_at - time.monotonic()))

    def _create(self) -> Payment | None:
        if self._is_stopped() and not self._resumed:
            return self._result(End.NOT_CREATED, self._why_stopped())
        try:
            response = create(lambda left: self._sessions.CreateSession(self._request, timeout=left),
                              self._timing, self._stop, self._resumed)
        except GatewayError as error:
            self._trouble = error
            if _nothing_was_done(error):
                return self._result(End.NOT_CREATED, error)
            # What exists under this id is another payment: it is not looked up.
            return self._result(End.GAVE_UP, error) if error.reason == "REQUEST_ID_REUSED" else None
        self._heard(session_pb2.WatchSessionResponse(session=response.session))
        return None

    def _look_up(self) -> Payment | None:
        """What the gateway has written down of the create."""
        if not self._may_look_up:
            return None
        state, reason = outcome_pb2.CREATE_STATE_UNSPECIFIED, ""
        outcome = outcome_pb2.CreateOutcome()
        try:
            outcome = self._outcomes.GetCreateOutcome(
                outcome_pb2.GetCreateOutcomeRequest(request_id=self._request.request_id),
                timeout=max(min(self._timing.call, self._end_at() - time.monotonic()), 0.001)).outcome
            state = outcome.state
        except grpc.RpcError as failed:
            error = decode(failed)
            reason = error.reason
            self._may_look_up = error.code not in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED)
        if reason == "CREATE_NOT_FOUND" or state == outcome_pb2.CREATE_STATE_NOT_SENT:
            if time.monotonic() < self._create_until:  # a try may still be on its way
                return None
            return self._result(End.NOT_CREATED, GatewayError(
                grpc.StatusCode.UNAVAILABLE, "was not sent", reason or "UPSTREAM_UNAVAILABLE", Outcome.NOT_SENT))
        if state == outcome_pb2.CREATE_STATE_REJECTED:
            return self._result(End.NOT_CREATED, GatewayError(
                grpc.StatusCode.FAILED_PRECONDITION, outcome.message, outcome.reason, Outcome.REJECTED))
        self._session.session_id = outcome.session_id  # when it is EXECUTED
        return None

    def _watch(self) -> GatewayError | None:
        """Follows the session to its end. None: stopped, or not known yet; or the error that ended the stream."""
        request = session_pb2.WatchSessionRequest()
        known = bool(self._session.session_id)
        if known:
            request.session_id = self._session.session_id
        else:
            request.request_id = self._request.request_id
        request.heartbeat_interval.FromNanoseconds(int(self._timing.heartbeat * 1e9))
        now, end_at = time.monotonic(), self._timeout_at if known else self._end_at()
        bound = min(end_at, now + self._timing.look) if not known else end_at
        never = Stop()  # a session that is not known yet is waited for after a stop, too, to cancel it
        with Stream(self._sessions.WatchSession(request, timeout=max(bound - now, 0.001)), self._timing.silence,
                    self._stop if known else never) as stream:
            try:
                for count, message in enumerate(stream):
                    if count:
                        self._pauses.reset()  # the first message alone proves no stream that works
                    if not message.heartbeat:
                        self._heard(message)
                    elif message.HasField("session"):
                        self._session.CopyFrom(message.session)
                    if self._session.status in FINAL or (not known and self._session.session_id):
                        return None
            except GatewayError as error:
                if (known and self._is_stopped()) or time.monotonic() >= bound:
                    return None
                return error
        return GatewayError(grpc.StatusCode.UNAVAILABLE, "the watch ended before the session did")

    def _cancel(self) -> Payment:
        self._pauses.reset()
        while True:
            pause = 0.0
            try:
                response = self._sessions.CancelSession(
                    session_pb2.CancelSessionRequest(session_id=self._session.session_id),
                    timeout=max(self._end_at() - time.monotonic(), 0.001))
                self._heard(session_pb2.WatchSessionResponse(session=response.session))
            except grpc.RpcError as failed:
                error = decode(failed)
                if error.reason == "SESSION_ALREADY_FINALIZED":
                    paid = session_pb2.Session()
                    paid.CopyFrom(self._session)
                    paid.status = session_pb2.SESSION_STATUS_FINALIZED
                    paid.order_id = error.metadata.get("order_id", paid.order_id)
                    self._heard(session_pb2.WatchSessionResponse(session=paid))
                else:
                    self._note(error)
                    if not retry_heals(error.code):
                        return self._stopped()
                    pause = error.retry_delay
            if self._session.status in FINAL:
                return self._result(_ENDS[self._session.status])
            pause = self._pauses.next(pause)
            if time.monotonic() + pause >= self._end_at():
                return self._stopped()
            time.sleep(pause)

    def _heard(self, step: session_pb2.WatchSessionResponse) -> None:
        self._trouble = None
        news = bool(step.failure_reason) or step.session != self._session  # a new watch begins with what is known
        self._session.CopyFrom(step.session)
        if news and self._on_step:
            self._on_step(step)

    def _note(self, error: GatewayError) -> None:
        if self._trouble is None or error.reason:  # the gateway's own error says more than an interruption
            self._trouble = error

    def _why_stopped(self) -> GatewayError:
        if self._stop.is_set():
            return GatewayError(grpc.StatusCode.CANCELLED, "the payment was stopped")
        return GatewayError(grpc.StatusCode.DEADLINE_EXCEEDED, "the payment's time is up")

    def _stopped(self) -> Payment:
        return self._result(End.STOPPED, self._trouble or self._why_stopped())

    def _result(self, end: End, error: GatewayError | None = None) -> Payment:
        money = Money.NOT_PAID
        if end == End.PAID:
            money = Money.PAID
        elif end in (End.STOPPED, End.GAVE_UP):
            money = Money.NOT_KNOWN
        return Payment(money, end, self._session, self._request.request_id, error)
