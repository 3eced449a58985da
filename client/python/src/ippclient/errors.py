"""Errors of the gateway, decoded."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

import grpc
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]


class Outcome(enum.Enum):
    """What happened at Kustom; of a create, to everything that was sent under its `request_id`."""

    NOT_SENT = "NOT_SENT"
    REJECTED = "REJECTED"
    EXECUTED = "EXECUTED"
    UNKNOWN = "UNKNOWN"


@dataclass
class GatewayError(Exception):
    """An error of the gateway. One that gRPC made itself (no connection, a deadline) has only `code` and `message`."""

    code: grpc.StatusCode
    message: str
    reason: str = ""  # stable, for programs: docs/when-a-call-fails.md has every one
    outcome: Outcome | None = None  # None: the gateway claims none
    earlier_outcome: Outcome | None = None  # of an earlier create with the same request_id
    retry_safe: bool = False
    retry_delay: float = 0.0  # seconds; wait at least this long
    metadata: dict[str, str] = field(default_factory=dict)
    violations: list[tuple[str, str]] = field(default_factory=list)  # field and what is wrong with it

    def __str__(self) -> str:
        words = (self.reason, self.outcome.value if self.outcome else "")
        return f"{self.code.name}: {self.message} ({', '.join(word for word in words if word) or 'gRPC'})"


class LeaseLost(Exception):
    """The event is no longer this handler's: it went to another pod. What is not committed yet, must not be."""


def _outcome(name: str) -> Outcome | None:
    return Outcome[name] if name in Outcome.__members__ else None


def decode(error: BaseException) -> GatewayError:
    """What an error of a call says."""
    if isinstance(error, GatewayError):
        return error
    if not isinstance(error, grpc.Call):
        return GatewayError(grpc.StatusCode.UNKNOWN, str(error))
    decoded = GatewayError(error.code(), error.details() or "")
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            _unpack(status_pb2.Status.FromString(value if isinstance(value, bytes) else value.encode()), decoded)
    return decoded


def _unpack(status: status_pb2.Status, decoded: GatewayError) -> None:
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    bad = error_details_pb2.BadRequest()
    for detail in status.details:
        if detail.Unpack(info):
            decoded.reason = info.reason
            decoded.metadata = dict(info.metadata)
            decoded.outcome = _outcome(info.metadata.get("outcome", ""))
            decoded.earlier_outcome = _outcome(info.metadata.get("earlier_outcome", ""))
            decoded.retry_safe = info.metadata.get("retry_safe") == "true"
        elif detail.Unpack(retry):
            decoded.retry_delay = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
        elif detail.Unpack(bad):
            decoded.violations = [(wrong.field, wrong.description) for wrong in bad.field_violations]


# A new try of a call or a stream that ended with one of these would end the same way.
_FINAL = frozenset({
    grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED})


def retry_heals(code: grpc.StatusCode) -> bool:
    return code not in _FINAL
