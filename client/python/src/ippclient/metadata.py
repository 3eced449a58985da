"""Metadata that every call carries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import grpc


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str | bytes]] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: Any


class _Adds(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs

    def _with(self, details: Any) -> Any:
        return _Details(details.method, details.timeout, [*(details.metadata or ()), *self._pairs],
                        details.credentials, details.wait_for_ready, details.compression)

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._with(client_call_details), request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._with(client_call_details), request)


def with_metadata(channel: grpc.Channel, pairs: Sequence[tuple[str, str]]) -> grpc.Channel:
    return grpc.intercept_channel(channel, _Adds(pairs)) if pairs else channel
