"""A fixed window of requests, and how it is told to the caller."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MICRO = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`capacity` requests in each window; `name` is the route class, "default" or a path."""

    name: str
    capacity: int
    window_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a request fared as the `count`-th of its window, which ends at `end_us`."""

    limit: Limit
    count: int
    now_us: int
    end_us: int

    @property
    def allowed(self) -> bool:
        """The request is within the capacity."""
        return self.count <= self.limit.capacity

    @property
    def remaining(self) -> int:
        """Requests left in the window."""
        return max(0, self.limit.capacity - self.count)

    @property
    def retry_after(self) -> int:
        """Whole seconds until the window ends, at least 1."""
        return max(1, -(-(self.end_us - self.now_us) // MICRO))

    def headers(self) -> Mapping[str, str]:
        """X-RateLimit-* and those of draft-ietf-httpapi-ratelimit-headers-10."""
        limit, remaining = self.limit, self.remaining
        return {
            "X-RateLimit-Limit": str(limit.capacity),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(-(-self.end_us // MICRO)),
            "RateLimit": f'"{limit.name}";r={remaining};t={self.retry_after}',
            "RateLimit-Policy": f'"{limit.name}";q={limit.capacity};w={limit.window_us // MICRO}',
        }


class Limits:
    """The limits of all paths: `routes` are named by path prefixes, `free` prefixes have none."""

    def __init__(self, *, default: Limit, routes: Iterable[Limit], free: Iterable[str]) -> None:
        self._default = default
        self._routes = sorted(routes, key=lambda limit: len(limit.name), reverse=True)
        self._free = tuple(free)

    def of(self, path: str) -> Limit | None:
        """The limit of the longest prefix that a path is under; None for a free path."""
        for prefix in self._free:
            if under(path, prefix):
                return None
        for limit in self._routes:
            if under(path, limit.name):
                return limit
        return self._default


def under(path: str, prefix: str) -> bool:
    """Whether a path is a prefix's own or below it."""
    return path == prefix or path.startswith(prefix.rstrip("/") + "/")
