"""A fixed window of requests, and how it is told to the caller."""

from collections.abc import Iterable
from dataclasses import dataclass, field

MICRO = 1_000_000
# A header as HTTP has it, its name in lower case.
Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`capacity` requests in each window; `name` is the route class, "default" or a path."""

    name: str
    capacity: int
    window_us: int
    # What of its headers is the same for each request.
    quoted: bytes = field(init=False, repr=False, compare=False)
    told: tuple[Header, Header] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        quoted = _quoted(self.name)
        policy = b"%b;q=%d;w=%d" % (quoted, self.capacity, self.window_us // MICRO)
        limit = (b"x-ratelimit-limit", b"%d" % self.capacity)
        object.__setattr__(self, "quoted", quoted)
        object.__setattr__(self, "told", (limit, (b"ratelimit-policy", policy)))


def _quoted(name: str) -> bytes:
    """A string as structured fields have it (RFC 9651, section 3.3.3)."""
    known = "".join(letter for letter in name if letter.isascii() and letter.isprintable())
    return b'"%b"' % known.replace("\\", r"\\").replace('"', r"\"").encode()


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

    def headers(self) -> list[Header]:
        """X-RateLimit-* and those of draft-ietf-httpapi-ratelimit-headers-10."""
        limit, remaining = self.limit, self.remaining
        return [
            *limit.told,
            (b"x-ratelimit-remaining", b"%d" % remaining),
            (b"x-ratelimit-reset", b"%d" % -(-self.end_us // MICRO)),
            (b"ratelimit", b"%b;r=%d;t=%d" % (limit.quoted, remaining, self.retry_after)),
        ]


class Limits:
    """The limits of all paths: `routes` are named by path prefixes, `free` prefixes have none."""

    def __init__(self, *, default: Limit, routes: Iterable[Limit], free: Iterable[str]) -> None:
        self._default = default
        longest_first = sorted(routes, key=lambda limit: len(limit.name), reverse=True)
        self._routes = [(_closed(limit.name), limit) for limit in longest_first]
        self._free = tuple(map(_closed, free))

    def of(self, path: str) -> Limit | None:
        """The limit of the longest prefix that a path is or is below; None for a free path."""
        closed = path + "/"
        if closed.startswith(self._free):
            return None
        for prefix, limit in self._routes:
            if closed.startswith(prefix):
                return limit
        return self._default


def _closed(path: str) -> str:
    return path.rstrip("/") + "/"
