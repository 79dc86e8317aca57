"""HTTP as uvicorn speaks it, and a bound on the requests that are served at once.

A request that is too much is refused where its head ends, in the turn of the loop that
read it: its refusal is sent before what was let in has its turn. Behind a task of its own it
would cost twice as much, and wait for that work.

uvicorn has no hook for it, so this knows how its protocol is made: what the methods here
replace, and what of a connection's state they read. The lock pins its version.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httptools
from starlette.types import Scope

from mesh.edge.errors import Failure
from mesh.http_arriving import ANSWERED, ArrivingProtocol, Config
from mesh.http_sending import Sending, block
from mesh.resilience.adaptive_limit import AdaptiveLimit

Refuse = Callable[[Scope], Failure | None]


class BoundedConfig(Config):
    """With the bound, and with what answers for the app."""

    limit: AdaptiveLimit
    refuse: Refuse


class BoundedProtocol(ArrivingProtocol):
    """One connection."""

    def __init__(self, config: BoundedConfig, **options: Any) -> None:
        super().__init__(config, **options)
        self._limit = config.limit
        # Past a layer that tells HTTP from the rest, where the app has a way in for that alone.
        self._enter = getattr(config.app, "envelope", None)
        self._refuse = config.refuse

    def begin(self) -> None:
        """Serves or refuses what has been read so far."""
        limit = self._limit
        if limit.in_flight >= limit.limit and self._refused():
            return
        super().begin()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:  # noqa: ARG002 it is the only one
        limit = self._limit
        limit.in_flight = now = limit.in_flight + 1
        if now > limit.most:  # noqa: PLR1730 max() takes twice as long
            limit.most = now
        # What uvicorn does, but for a callback when it is done; see `_counted`.
        cycle.task = task = self.loop.create_task(cycle.run_asgi(self._counted))
        self.tasks.add(task)

    async def _counted(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            # What ASGI calls `send` is the exchange's own method.
            await (self._enter or self.app)(scope, receive, Sending(send.__self__))
        finally:
            # In the turn of its answer, which is before the connection's next request is read;
            # what is called when a task is done comes after.
            self._limit.in_flight -= 1
            self.tasks.discard(send.__self__.task)

    def _refused(self) -> bool:
        # One behind another on its connection is no more at once.
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        if self.parser.should_upgrade() and self._should_upgrade():
            return False
        failure = self._refuse(self._scope())
        if failure is None:
            return False
        self._limit.refused += 1
        self._answer(failure)
        return True

    def _scope(self) -> Scope:
        path = httptools.parse_url(self.url).path
        method = self.parser.get_method().decode("ascii")
        known = {"method": method, "raw_path": path, "path": unquote(path.decode("ascii"))}
        return {**self.scope, **known}

    def _answer(self, failure: Failure) -> None:
        self.cycle = ANSWERED
        if self.flow.write_paused:
            # Who does not read refusals would have them pile up here.
            self.transport.abort()
            return
        # A client that waits to be asked for its body may send it or not; an old one is told
        # the end by the connection's.
        old = self.parser.get_http_version() == "1.0"
        last = self.expect_100_continue or old or not self.parser.should_keep_alive()
        headers = [*self.server_state.default_headers, *failure.headers]
        body = b"" if self.parser.get_method() == b"HEAD" else failure.body
        self.transport.write(block(failure.status, headers, body, last=last))
        if last:
            self.transport.close()
        self.on_response_complete()
