"""What is told to those who are not let in, while there is too much to do."""

from collections.abc import Callable

from starlette.middleware.cors import CORSMiddleware
from starlette.types import Scope

from leaky.common.v1.reason_pb2 import REASON_OVERLOADED
from mesh.clock import Ids
from mesh.edge.answering import Headers
from mesh.edge.errors import Failure, Failures, as_headers
from mesh.edge.headers import dressed
from mesh.edge.metrics import SHED, URI_KEY, observe
from mesh.edge.trace import SCOPE_KEY, trace_of
from mesh.errors import AppError


class Door:
    """Refuses requests to the routes of methods, by their heads alone.

    It is asked before a request has a task: neither credential nor body has been looked
    at, and the answer is made in a sixth of the time that the call would take. A line in
    the log for each would be more of what there is too much of; they are counted.
    """

    def __init__(
        self,
        *,
        uri_of: Callable[[Scope], str | None],
        failures: Failures,
        ids: Ids,
        cors: CORSMiddleware | None,
    ) -> None:
        self._uri_of = uri_of
        self._failures = failures
        self._ids = ids
        self._cors = cors

    def __call__(self, scope: Scope) -> Failure | None:
        """The whole answer, or None for what is always let in, such as a question for health."""
        uri = self._uri_of(scope)
        if uri is None:
            return None
        SHED.inc()
        scope[URI_KEY] = uri
        scope[SCOPE_KEY] = trace = trace_of(scope["headers"], self._ids)
        # Half of them come back a second after the others.
        wait = 1 + SHED.value % 2
        error = AppError(REASON_OVERLOADED, "too many requests at once", retry_after=wait)
        failure = self._failures.of(error, scope)
        given = [*failure.headers, (b"content-length", b"%d" % len(failure.body))]
        tls = scope["scheme"] == "https"
        headers = dressed([*given, *self._shared(scope)], trace.correlation_id, tls=tls)
        observe(scope, failure.status, 0.0)
        return Failure(status=failure.status, body=failure.body, headers=headers)

    def _shared(self, scope: Scope) -> Headers:
        """As CORSMiddleware would say it, so that a page may read how long to wait."""
        cors = self._cors
        if cors is None:
            return []
        headers = {"Vary": "Origin"}
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if origin is not None:
            headers |= cors.simple_headers
            page = origin.decode("latin-1")
            if not cors.allow_all_origins and cors.is_allowed_origin(page):
                headers["Access-Control-Allow-Origin"] = page
        return as_headers(headers)
