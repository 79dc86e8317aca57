"""One try: a POST and what its outcome means."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

import aiohttp
import orjson

from mesh.telemetry.tracing.spans import Steps, Unfollowed
from providers.following import headers_with_trace, posting

MAX_BYTES = 1 << 20
RETRIED = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What is sent. `url` is the provider's endpoint; `headers` come beside the session's."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Kind(StrEnum):
    """Why a try failed, as the metric's label says it."""

    CONNECTION = "connection"
    STATUS = "status"
    INVALID = "invalid"
    TIMEOUT = "timeout"
    FULL = "full"
    OPEN = "open"


class AttemptError(Exception):
    """A failed try; the text is for the log and holds nothing of prompt or answer.

    `retry` says whether another try may succeed,
    `counts` whether the breaker should hear of it, `retry_after` how many
    seconds the provider asked to wait.
    """

    def __init__(
        self, kind: Kind, text: str, *, retry: bool, counts: bool = True, retry_after: float = 0.0
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.retry = retry
        self.counts = counts
        self.retry_after = retry_after


async def attempt(session: aiohttp.ClientSession, post: Post, now_us: int) -> bytes:
    """The answer's bytes, a JSON object of at most 1 MiB. Raises AttemptError."""
    with posting(post.url) as step:
        return await _attempt(session, post, now_us, step)


async def _attempt(
    session: aiohttp.ClientSession, post: Post, now_us: int, step: Steps | Unfollowed
) -> bytes:
    headers = headers_with_trace(post.headers)
    try:
        response = await session.post(
            post.url, data=post.body, headers=headers, allow_redirects=False
        )
    except (aiohttp.ClientConnectionError, OSError) as error:
        raise AttemptError(
            Kind.CONNECTION, f"{type(error).__name__}: {error}", retry=True
        ) from error
    except (aiohttp.ClientError, ValueError) as error:
        raise AttemptError(Kind.INVALID, type(error).__name__, retry=False) from error
    # Leaving before the end of the body closes the connection instead of keeping it.
    async with response:
        step.tell("http.response.status_code", response.status)
        if response.status != 200:  # noqa: PLR2004 OK
            raise _refused(response, now_us)
        body = await _read(response)
    return _checked(body)


def _refused(response: aiohttp.ClientResponse, now_us: int) -> AttemptError:
    status = response.status
    return AttemptError(
        Kind.STATUS,
        f"HTTP status {status}",
        retry=status in RETRIED,
        # A refused request is the client's fault and says nothing about the provider.
        counts=status >= 500 or status == 429,  # noqa: PLR2004 HTTP statuses
        retry_after=retry_after(response.headers.get("Retry-After", ""), now_us),
    )


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_BYTES:
                raise AttemptError(Kind.INVALID, "the answer is larger than 1 MiB", retry=False)
    except (aiohttp.ClientError, OSError) as error:
        # Content has begun: the provider has done the work, so no second try.
        text = f"{type(error).__name__} in the middle of the answer"
        raise AttemptError(Kind.CONNECTION, text, retry=False) from error
    return bytes(body)


def _checked(body: bytes) -> bytes:
    try:
        if isinstance(orjson.loads(body), dict):
            return body
    except orjson.JSONDecodeError:
        # Its text quotes the answer, so it is not handed on.
        pass
    raise AttemptError(Kind.INVALID, "the answer is no JSON object", retry=False)


def retry_after(text: str, now_us: int) -> float:
    """Seconds of a Retry-After header, a number or a date (RFC 9110, 10.2.3); 0 without one."""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    now = datetime.fromtimestamp(now_us / 1e6, UTC)
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds())
