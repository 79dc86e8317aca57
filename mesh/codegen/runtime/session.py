"""What all calls of one client share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .clock import Clock
from .errors import ErrorTable
from .headers import Credentials, Trace, checked
from .request import Request, T
from .retry import RetryBudget, RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The server, who asks, and the rules of asking. `timeout` is in seconds."""

    base_url: str
    credentials: Credentials
    timeout: float
    retry: RetryPolicy
    clock: Clock
    trace: Callable[[], Trace | None] | None
    errors: ErrorTable = field(repr=False)
    user_agent: str
    budget: RetryBudget = field(default_factory=RetryBudget, repr=False)

    def url(self, request: Request[T]) -> str:
        """Where a request goes."""
        return self.base_url + request.target()

    def headers(self, request: Request[T], trace: Trace | None) -> Mapping[str, str]:
        """All headers of a request; its own win over a credential of the same name."""
        if trace is None and self.trace is not None:
            trace = self.trace()
        headers = {"Accept": "application/json", "User-Agent": self.user_agent}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        headers |= {} if trace is None else trace.headers()
        return headers | self.credentials.headers() | checked(request.headers)


def origin(base_url: str) -> str:
    """A base URL without its last slash; ValueError, without the URL, when it is none."""
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("base_url: expected http://host or https://host")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("base_url: expected no credentials, query or fragment")
    return base_url.rstrip("/")
