"""What hooks see of a request before it becomes a call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.types import Scope

from leaky.common.v1.reason_pb2 import REASON_UNAUTHENTICATED
from leaky.edge.v1.options_pb2 import ACCESS_PUBLIC
from mesh.edge import address
from mesh.edge.answering import Headers
from mesh.edge.trace import SCOPE_KEY, Trace
from mesh.errors import AppError
from mesh.rpc.call import CLIENT_ADDRESS
from mesh.rpc.method import Method

PRINCIPAL_KEY = "leaky.principal"
_CREDENTIALS = ("authorization", "x-api-key")
# Longer ones would not go through gRPC beside the rest of a call's metadata.
_MOST = 8 * 1024


@dataclass(slots=True, kw_only=True)
class EdgeRequest:
    """One request to a transcoded route.

    `metadata` becomes the call's; `response_headers` are sent whatever the
    answer. Header names are lower case; `client` is who sent it, past the proxies
    that are trusted, empty when unknown; `query` is the raw query string.
    """

    rpc: Method[Any, Any]
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    client: str
    trace: Trace
    # Who sent it, for the log, once a hook has found out.
    principal: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    response_headers: Headers = field(default_factory=list)

    def hand_on(self, name: str, value: str) -> None:
        """Makes it a credential of the call. Raises AppError for what cannot be one."""
        if not (len(value) <= _MOST and value.isascii() and value.isprintable()):
            raise AppError(REASON_UNAUTHENTICATED, "malformed credential")
        self.metadata[name] = value


class Hook(Protocol):
    """Runs before a request is read, in order; an AppError ends it."""

    async def __call__(self, request: EdgeRequest) -> None:
        """May change `metadata` and add `response_headers`."""
        ...


def request_of(scope: Scope, rpc: Method[Any, Any]) -> EdgeRequest:
    """The request, with nothing but trace ids and its sender's address in its metadata."""
    trace: Trace = scope[SCOPE_KEY]
    client: str = scope[address.SCOPE_KEY]
    return EdgeRequest(
        rpc=rpc,
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=_headers(scope["headers"]),
        client=client,
        trace=trace,
        metadata=_metadata(trace, client),
    )


def _metadata(trace: Trace, client: str) -> dict[str, str]:
    metadata = {"x-correlation-id": trace.correlation_id, "traceparent": trace.traceparent}
    if trace.tracestate:
        metadata["tracestate"] = trace.tracestate
    if client:
        metadata[CLIENT_ADDRESS] = client
    return metadata


def hand_on_credentials(request: EdgeRequest) -> None:
    """Puts the caller's credentials into the metadata; no other header of its gets there.

    Public methods read none. Raises AppError for one that cannot be a credential.
    """
    if request.rpc.access == ACCESS_PUBLIC:
        return
    for name in _CREDENTIALS:
        value = request.headers.get(name)
        if value is not None:
            request.hand_on(name, value)


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for key, value in raw:
        name, text = key.decode("latin-1"), value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers
