"""What surrounds every request of an app: its trace, its sender, its headers, its metrics."""

import time

from starlette.types import ASGIApp, Receive, Scope, Send

from mesh.clock import Ids
from mesh.edge import address
from mesh.edge.address import Addresses
from mesh.edge.errors import Failures, unexpected
from mesh.edge.following import answered, following, tell
from mesh.edge.metrics import observe
from mesh.edge.sending import Dressed, respond
from mesh.edge.trace import SCOPE_KEY, trace_of
from mesh.telemetry.tracing.story import STORY


class Envelope:
    """The outermost middleware; what fails inside it answers 500 without detail."""

    def __init__(self, app: ASGIApp, *, failures: Failures, ids: Ids, addresses: Addresses) -> None:
        self._app = app
        self._addresses = addresses
        self._failures = failures
        self._ids = ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        trace, steps = following(scope, trace_of(scope["headers"], self._ids))
        scope[SCOPE_KEY] = trace
        # The server has a task for each request, so there is nothing to reset.
        STORY.set(trace)
        scope[address.SCOPE_KEY] = self._addresses.of(scope)
        sending = Dressed(send, trace.correlation_id, tls=scope.get("scheme") == "https")
        with steps:
            try:
                await self._app(scope, receive, sending)
            except Exception as error:  # noqa: BLE001 logged, and answered without detail
                refused = unexpected(error, scope)
                if not sending.status:
                    failure = self._failures.of(refused, scope)
                    await respond(scope, sending, failure.status, failure.headers, failure.body)
            finally:
                seconds = time.perf_counter() - started
                observe(scope, sending.status, seconds)
                answered(steps, scope, sending.status)
                tell(scope, trace, sending.status, seconds)
