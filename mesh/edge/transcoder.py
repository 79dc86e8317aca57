"""REST in, gRPC out: routes of a FastAPI app that go past FastAPI's own machinery."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import unquote

from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from leaky.common.v1.reason_pb2 import (
    REASON_INVALID_ARGUMENT,
    REASON_METHOD_NOT_ALLOWED,
)
from mesh.edge.answering import Headers
from mesh.edge.bodies import Disconnected, read_body
from mesh.edge.errors import Failures, unexpected
from mesh.edge.metrics import URI_KEY
from mesh.edge.paths import Found, OtherVerbs, Paths
from mesh.edge.request import (
    PRINCIPAL_KEY,
    EdgeRequest,
    Hook,
    hand_on_credentials,
    request_of,
)
from mesh.edge.routes import Route
from mesh.edge.sending import respond
from mesh.errors import AppError
from mesh.failpoints import failpoint
from mesh.rpc.channel import Channel
from mesh.rpc.deadlines import limit
from mesh.rpc.method import Method
from mesh.settings import Live, MeshSettings

_FOUND = "leaky.found"
_ADMITTED = failpoint("edge.admitted")
_CALLING = failpoint("edge.call.before")
_CALLED = failpoint("edge.call.after")
_ANSWERED = failpoint("edge.answered")
# Answers belong to one caller: no cache may keep them.
_PRIVATE = (b"cache-control", b"no-store")


class Transcoder(BaseRoute):
    """All transcoded routes of an app as one route of it.

    A client that goes away does not cancel its call, which would take a second
    task a request; the deadline ends what nobody waits for.
    """

    def __init__(
        self,
        *,
        routes: Iterable[Route],
        channel_for: Callable[[Method[Any, Any]], Channel],
        settings: Live[MeshSettings],
        before: Sequence[Hook],
        failures: Failures,
    ) -> None:
        self._channel_for = channel_for
        self._settings = settings
        self._before = before
        self._failures = failures
        self._paths: Paths[Route] = Paths()
        self._channels: dict[str, Channel] = {}
        for route in routes:
            self._paths.add(route.template, route.verb, route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Full for a route of ours, partial for a path with other verbs."""
        if scope["type"] != "http":
            return Match.NONE, {}
        found = self._find(scope)
        if found is None:
            return Match.NONE, {}
        match = Match.FULL if isinstance(found, Found) else Match.PARTIAL
        return match, {_FOUND: found}

    def takes(self, scope: Scope) -> bool:
        """Whether one of our routes serves an HTTP request, which then goes to `handle`."""
        found = self._find(scope)
        if not isinstance(found, Found):
            return False
        scope[_FOUND] = found
        return True

    def uri_of(self, scope: Scope) -> str | None:
        """The template of the route that serves the request, if one of ours does."""
        found = self._find(scope)
        return found.route.uri if isinstance(found, Found) else None

    def _find(self, scope: Scope) -> Found[Route] | OtherVerbs | None:
        verb = "GET" if scope["method"] == "HEAD" else scope["method"]
        raw: bytes = scope.get("raw_path") or b""
        if b"%" not in raw:
            return self._paths.find(scope["path"], verb)
        # An encoded slash is part of a value, so the path is cut before it is decoded.
        segments = raw.decode("latin-1").removeprefix("/").split("/")
        return self._paths.find_segments([unquote(segment) for segment in segments], verb)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request, whatever comes of it."""
        found: Found[Route] | OtherVerbs = scope[_FOUND]
        if isinstance(found, OtherVerbs):
            await self._refuse_verb(found, scope, send)
            return
        route = found.route
        scope[URI_KEY] = route.uri
        request = request_of(scope, route.method)
        try:
            status, headers, body = await self._serve(route, found.values, request, scope, receive)
        except AppError as error:
            status, headers, body = self._failed(error, route, scope)
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001 logged, and answered without detail
            status, headers, body = self._failed(unexpected(error, scope), route, scope)
        headers += request.response_headers
        scope[PRINCIPAL_KEY] = request.principal
        await respond(scope, send, status, headers, body)
        _ANSWERED()

    def _failed(self, error: AppError, route: Route, scope: Scope) -> tuple[int, Headers, bytes]:
        # In a frame that is gone: an error that its own frame knows keeps the request in memory.
        failure = self._failures.of(error, scope, method=route.method, answer=route.answer)
        return failure.status, failure.headers, failure.body

    async def _serve(
        self,
        route: Route,
        values: Sequence[str],
        request: EdgeRequest,
        scope: Scope,
        receive: Receive,
    ) -> tuple[int, Headers, bytes]:
        hand_on_credentials(request)
        for hook in self._before:
            await hook(request)
        _ADMITTED()
        body = await read_body(request.headers, receive) if route.fill.body else b""
        if values:
            _refuse_replaced(values)
        message = route.fill(values, scope["query_string"], request.headers, body)
        method = route.method
        _CALLING()
        response = await self._channel(method).unary(
            method,
            message,
            timeout=limit(method, self._settings.current.deadlines, at_edge=True),
            metadata=request.metadata,
        )
        _CALLED()
        answer = route.answer
        return answer.status, [_PRIVATE, *answer.headers_of(response)], answer.body_of(response)

    def _channel(self, method: Method[Any, Any]) -> Channel:
        channel = self._channels.get(method.path)
        if channel is None:
            channel = self._channels[method.path] = self._channel_for(method)
        return channel

    async def _refuse_verb(self, found: OtherVerbs, scope: Scope, send: Send) -> None:
        verbs = {*found.allowed, "OPTIONS", *(["HEAD"] if "GET" in found.allowed else [])}
        allow = (b"allow", ", ".join(sorted(verbs)).encode())
        if scope["method"] == "OPTIONS":
            await respond(scope, send, 204, [allow], b"")
            return
        error = AppError(REASON_METHOD_NOT_ALLOWED, "method not allowed")
        failure = self._failures.of(error, scope)
        await respond(scope, send, failure.status, [*failure.headers, allow], failure.body)


def _refuse_replaced(values: Sequence[str]) -> None:
    # What unquote() could not decode as UTF-8.
    if any("\N{REPLACEMENT CHARACTER}" in value for value in values):
        raise AppError(REASON_INVALID_ARGUMENT, "the path is not UTF-8")
