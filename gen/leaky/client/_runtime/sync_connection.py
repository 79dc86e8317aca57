"""Calls over httpx from plain code. The twin of async_connection, line by line."""

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, ClassVar, Self

import httpx

from .answers import Answer, Failure, Kind
from .attempts import Attempts, Done
from .clock import Clock, SystemClock
from .errors import LeakyError
from .headers import Credentials, Trace
from .request import Request, T
from .retry import RetryPolicy
from .session import Session, origin

# As many kept as there may be: past the first number httpcore closes idle connections,
# and one that a thread has been given and has not begun to use looks idle to another.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100)


class Connection:
    """The transport under Client, which adds the services."""

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
        http_client: httpx.Client | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connects when the first call is made.

        `timeout`: seconds for a call with all its retries; of a head of an answer
        it bounds each read, as httpx does. `trace`: asked at every call that brings
        none. `http_client`: stays the caller's to close.
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
        self._http = http_client or httpx.Client(limits=LIMITS)
        self._owns_http = http_client is None
        self._sleep = sleep

    def __repr__(self) -> str:
        session = self._session
        credential = session.credentials.kind
        return f"{type(self).__name__}(base_url={session.base_url!r}, credential={credential!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections that this client opened."""
        if self._owns_http:
            self._http.close()

    def with_credentials(self, *, api_key: str | None = None, token: str | None = None) -> Self:
        """The same client for another caller, over the same connections.

        It ends with the client that it was made from.
        """
        other = copy.copy(self)
        credentials = Credentials(api_key=api_key, token=token)
        other._session = replace(self._session, credentials=credentials)  # noqa: SLF001 its own class
        other._owns_http = False  # noqa: SLF001 its own class
        return other

    def call(
        self,
        request: Request[T],
        *,
        timeout: float | None = None,
        trace: Trace | None = None,
    ) -> T:
        """The answer to a request; LeakyError or one of its kinds otherwise."""
        attempts = Attempts(self._session, request, timeout=timeout, trace=trace)
        while True:
            verdict = attempts.judge(self._attempt(attempts))
            if isinstance(verdict, Done):
                return verdict.value
            self._sleep(verdict.after)

    def _attempt(self, attempts: Attempts[T]) -> Answer | Failure:
        try:
            request = self._http.build_request(
                attempts.verb,
                attempts.url,
                headers=attempts.headers,
                content=attempts.content,
                extensions={"timeout": _Left(attempts)},
            )
            response = self._http.send(request, follow_redirects=False, stream=True)
            try:
                content = _content(response, attempts)
            finally:
                response.close()
        except httpx.TimeoutException as error:
            return Failure(kind=Kind.DEADLINE, cause=error)
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            return Failure(kind=Kind.CONNECTION, cause=error)
        except httpx.RequestError as error:
            return Failure(kind=Kind.PROTOCOL, cause=error)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=headers, content=content)


class _Left(Mapping[str, Any]):
    """httpx's timeouts, each as long as what is left when its phase begins."""

    PHASES = ("connect", "read", "write", "pool")
    # Zero would mean "do not block" to a socket, not "too late".
    SHORTEST = 0.001
    # A socket takes no infinite time.
    LONGEST = 86_400.0

    def __init__(self, attempts: Attempts[Any]) -> None:
        self._attempts = attempts

    def __getitem__(self, name: str) -> float:
        if name not in self.PHASES:
            raise KeyError(name)
        return min(self.LONGEST, max(self.SHORTEST, self._attempts.left()))

    def __iter__(self) -> Iterator[str]:
        return iter(self.PHASES)

    def __len__(self) -> int:
        return len(self.PHASES)


def _content(response: httpx.Response, attempts: Attempts[Any]) -> bytes:
    chunks = []
    for chunk in response.iter_bytes():
        if attempts.left() <= 0:
            raise httpx.ReadTimeout("the answer takes too long", request=response.request)
        chunks.append(chunk)
    return b"".join(chunks)
