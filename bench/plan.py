"""What a load consists of, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

# Wherever a request has this, it is sent with an id of its own, a UUID just as long.
FRESH = "00000000-0000-4000-8000-00000000f4e5"
OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request; `path` with its query, `body` JSON text or nothing.

    `status` is that of a sound answer, after which `then` is sent with the same id.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    status: int = OK
    then: Optional["Request"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The requests in turn, over and over, on keep-alive connections to 127.0.0.1.

    Ends after `seconds`, or after `count` requests, and those that follow on them, when
    that is given; then every request that was sent has been answered, which wrk cannot promise.
    """

    port: int
    requests: tuple[Request, ...]
    connections: int
    seconds: int = 1
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a load saw. `refused` counts answers of another status, `broken` lost connections."""

    answered: int
    refused: int
    broken: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def problem(self) -> str:
        """Why the figures mean nothing; empty when they do."""
        if not self.answered:
            return "no answers"
        if self.refused or self.broken:
            return f"{self.refused} answers were refusals, {self.broken} connections broke"
        return ""
