"""Calls over httpx from asyncio."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import ClassVar, Self

import httpx

from .answers import Answer, Failure, Kind
from .attempts import Attempts, Done
from .clock import Clock, SystemClock
from .errors import LeakyError
from .headers import Credentials, Trace
from .request import Request, T
from .retry import RetryPolicy
from .session import Session, origin

# As many kept as there may be, as in the twin.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100)


class AsyncConnection:
    """The transport under AsyncClient, which adds the services."""

    ERRORS: ClassVar[Mapping[str, type[LeakyError]]] = {}
    USER_AGENT: ClassVar[str] = "leaky-client"

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None = None,
        token: str | None = None,
        timeout: float = 5.0,
        retry: RetryPolicy | None = None,
        trace: Callable[[], Trace | None] | None = None,
        http_client: httpx.AsyncClient | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Connects when the first call is made.

        `timeout`: seconds for a call with all its retries. `trace`: asked at
        every call that brings none. `http_client`: stays the caller's to close.
        """
        self._session = Session(
            base_url=origin(base_url),
            credentials=Credentials(api_key=api_key, token=token),
            timeout=timeout,
            retry=retry or RetryPolicy(),
            clock=clock or SystemClock(),
            trace=trace,
            errors=self.ERRORS,
            user_agent=self.USER_AGENT,
        )
        self._http = http_client or httpx.AsyncClient(limits=LIMITS)
        self._owns_http = http_client is None
        self._sleep = sleep

    def __repr__(self) -> str:
        session = self._session
        credential = session.credentials.kind
        return f"{type(self).__name__}(base_url={session.base_url!r}, credential={credential!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections that this client opened."""
        if self._owns_http:
            await self._http.aclose()

    def with_credentials(self, *, api_key: str | None = None, token: str | None = None) -> Self:
        """The same client for another caller, over the same connections.

        It ends with the client that it was made from.
        """
        other = copy.copy(self)
        credentials = Credentials(api_key=api_key, token=token)
        other._session = replace(self._session, credentials=credentials)  # noqa: SLF001 its own class
        other._owns_http = False  # noqa: SLF001 its own class
        return other

    async def call(
        self,
        request: Request[T],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 the deadline spans retries
        trace: Trace | None = None,
    ) -> T:
        """The answer to a request; LeakyError or one of its kinds otherwise."""
        attempts = Attempts(self._session, request, timeout=timeout, trace=trace)
        while True:
            verdict = attempts.judge(await self._attempt(attempts))
            if isinstance(verdict, Done):
                return verdict.value
            await self._sleep(verdict.after)

    async def _attempt(self, attempts: Attempts[T]) -> Answer | Failure:
        try:
            # httpx bounds single reads and writes only, so it is told no timeout.
            async with asyncio.timeout(attempts.left()):
                response = await self._http.request(
                    attempts.verb,
                    attempts.url,
                    headers=attempts.headers,
                    content=attempts.content,
                    follow_redirects=False,
                    timeout=None,
                )
        except (TimeoutError, httpx.TimeoutException) as error:
            return Failure(kind=Kind.DEADLINE, cause=error)
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            return Failure(kind=Kind.CONNECTION, cause=error)
        except httpx.RequestError as error:
            return Failure(kind=Kind.PROTOCOL, cause=error)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=headers, content=response.content)
